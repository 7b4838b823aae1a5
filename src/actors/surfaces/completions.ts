/** OpenAI's completions: each choice a job whose prompt is the text itself. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { decoder } from "../../machines/formats/json/decode.ts"
import type { AnswerOf } from "../../protocol/answers.ts"
import { Call, type EventFeed } from "../../protocol/endpoint.ts"
import { explain } from "../../protocol/explain.ts"
import { frame } from "../../protocol/sse.ts"
import type { openAiApi } from "../../protocol/surfaces/openai.ts"
import { openAi as surface } from "../../protocol/surfaces/openai-surface.ts"
import { encodeError } from "../../protocol/surfaces/rbee.ts"
import type { Usage } from "../../machines/vocabulary/job.ts"
import {
  type Begun,
  type Completion,
  CompletionRequest,
  promptsOf,
  sortCompletion
} from "../../machines/vocabulary/openai/completions.ts"
import { TextTokens } from "../../machines/vocabulary/openai/logprobs.ts"
import { type CompletionHead, completionUsage, samplingOf } from "../../machines/vocabulary/openai/openai.ts"
import type { AnswerError, JobAnswer } from "./answers.ts"
import { type Asking, naming, soon } from "./asking.ts"
import { askEach, type Choice, eachWanted, seeded, summed, together } from "./choices.ts"
import { gather } from "./gather.ts"
import { withLogprobs } from "./logprobs.ts"

type Reply = AnswerOf<(typeof openAiApi)["v1Completions"]["answers"]>
type Said = Completion["choices"][number]

const decode = decoder(CompletionRequest)

export const completions =
  (jobs: Asking) =>
  (input: Readonly<Record<string, unknown>>): Effect.Effect<Reply, AnswerError> =>
    Effect.gen(function* () {
      const { asked, ignored } = yield* sortCompletion(input)
      const request = yield* Either.mapLeft(decode(asked), explain)
      const prompts = yield* promptsOf(request)
      const { model, stream = false, suffix = "" } = request
      const logprobs = topOf(request)
      const wanted = {
        ...samplingOf(request),
        model,
        raw: true,
        ...(suffix === "" ? {} : { suffix }),
        ...(logprobs === undefined ? {} : { logprobs }),
        // what comes with tokens comes in a stream
        stream: stream || logprobs !== undefined
      }
      const requests = prompts.map((prompt, index) => ({
        ...seeded(wanted, index),
        ...(typeof prompt === "string" ? { prompt } : { tokens: prompt })
      }))
      const reply = yield* askEach(jobs, requests, (choices) => {
        const answering = { choices, head: headOf(choices, model), prompts, request }
        return stream ? streamed(answering) : whole(answering)
      })
      return naming(jobs, ignored, reply)
    })

interface Answering {
  readonly choices: ReadonlyArray<Choice>
  readonly head: CompletionHead
  readonly prompts: ReadonlyArray<Begun>
  readonly request: CompletionRequest
}

const headOf = ([first]: ReadonlyArray<Choice>, model: string): CompletionHead => ({
  id: `cmpl-${first?.answered.jobId ?? ""}`,
  created: Math.floor((first?.answered.createdAt ?? 0) / 1000),
  model
})

const choiceOf = (
  index: number,
  text: string,
  finish_reason: Said["finish_reason"] = null,
  logprobs: Said["logprobs"] = null
): Said => ({ text, index, logprobs, finish_reason })

const echoed = ({ echo = false }: CompletionRequest, prompt: Begun = ""): string =>
  echo && typeof prompt === "string" ? prompt : ""

/** How many of the likeliest tokens come beside each one; undefined: nobody asks. */
const topOf = ({ logprobs, n_probs: n = 0 }: CompletionRequest): number | undefined =>
  logprobs ?? (n > 0 ? n : undefined)

/** Where the tokens of a choice begin; undefined: nobody asks. */
const tokensOf = (request: CompletionRequest, prompt: Begun | undefined): TextTokens | undefined => {
  const top = topOf(request)
  return top === undefined ? undefined : new TextTokens(top, [...echoed(request, prompt)].length)
}

/** Waits for the end of all. */
const whole = ({ choices, head, prompts, request }: Answering): Effect.Effect<Reply, AnswerError> =>
  Effect.map(
    eachWanted(choices, ({ read }) => gather(read)),
    (wholes) => {
      const said = wholes.map(({ content, done, logprobs }, index) => {
        const tokens = tokensOf(request, prompts[index])?.next(logprobs)
        return choiceOf(index, echoed(request, prompts[index]) + content, done.finish_reason, tokens)
      })
      const usage = completionUsage(summed(wholes.map(({ done }) => done.usage)))
      return { _tag: "Json", status: 200, body: { ...head, object: "text_completion", choices: said, usage } }
    }
  )

/** Their tokens as they come; one that fails ends the stream with its error and without `[DONE]`. */
const streamed = ({ choices, head, prompts, request }: Answering): Effect.Effect<Reply, AnswerError> =>
  Effect.gen(function* () {
    const { correlationId } = yield* Call
    const includeUsage = request.stream_options?.include_usage === true
    const chunk = (rest: Pick<Completion, "choices" | "usage">): string =>
      frame({ data: { ...head, object: "text_completion", ...rest } satisfies Completion })
    const chunkOf = (said: Said): string => chunk({ choices: [said], ...(includeUsage ? { usage: null } : {}) })
    const usages: Array<Usage> = []
    const ended = (usage: Usage): string => {
      usages.push(usage)
      if (usages.length < choices.length) return ""
      return (
        (includeUsage ? chunk({ choices: [], usage: completionUsage(summed(usages)) }) : "") + surface.framing.closes
      )
    }
    const feedOf =
      (index: number) =>
      (source: JobAnswer["read"]): EventFeed =>
      (sink) =>
        Effect.suspend(() => {
          const echo = echoed(request, prompts[index])
          let out = echo === "" ? "" : chunkOf(choiceOf(index, echo))
          const say = (json: string, logprobs: Said["logprobs"] = null): void => {
            out += chunkOf(choiceOf(index, String(JSON.parse(json)), null, logprobs))
          }
          // a text that goes on is nothing but text
          const plain = { content: say, reasoning: () => {}, call: () => {}, argument: () => {} }
          const tokens = tokensOf(request, prompts[index])
          return source({
            ...(tokens === undefined
              ? plain
              : withLogprobs({ ...plain, content: (json, likely) => say(json, tokens.next(likely)) })),
            done: ({ finish_reason, usage }) => {
              out += chunkOf(choiceOf(index, "", finish_reason)) + ended(usage)
            },
            error: (error) => {
              out += `data: ${encodeError(error, correlationId, surface)}\n\n`
            },
            told: () => {
              const written = out
              out = ""
              return written === "" || sink.write(written)
            },
            drain: sink.drain
          })
        })
    const feeds = yield* eachWanted(choices, (answered, index) => soon(answered, surface.framing, feedOf(index)))
    return { _tag: "Events", feed: together(choices, feeds) }
  })
