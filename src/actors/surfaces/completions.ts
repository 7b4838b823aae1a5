/** OpenAI's completions: each choice a job whose prompt is the text itself. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { AnswerOf } from "../../protocol/answers.ts"
import { Call, type EventFeed } from "../../protocol/endpoint.ts"
import { explain } from "../../protocol/explain.ts"
import { frame } from "../../protocol/sse.ts"
import type { openAiApi } from "../../protocol/surfaces/openai.ts"
import { openAi as surface } from "../../protocol/surfaces/openai-surface.ts"
import { encodeError } from "../../protocol/surfaces/rbee.ts"
import type { JobRequest, Usage } from "../../machines/vocabulary/job.ts"
import {
  type Completion,
  CompletionRequest,
  promptsOf,
  sortCompletion
} from "../../machines/vocabulary/openai/completions.ts"
import { type CompletionHead, completionUsage, samplingOf } from "../../machines/vocabulary/openai/openai.ts"
import * as Schema from "effect/Schema"
import type { AnswerError, JobAnswer } from "./answers.ts"
import { ask, type Asking, naming, soon, type WhileWanted } from "./asking.ts"
import { gather } from "./gather.ts"

type Reply = AnswerOf<(typeof openAiApi)["v1Completions"]["answers"]>
type Choice = Completion["choices"][number]

const decode = Schema.decodeUnknownEither(CompletionRequest)

export const completions =
  (jobs: Asking) =>
  (input: Readonly<Record<string, unknown>>): Effect.Effect<Reply, AnswerError> =>
    Effect.gen(function* () {
      const { asked, ignored } = yield* sortCompletion(input)
      const request = yield* Either.mapLeft(decode(asked), explain)
      const prompts = yield* promptsOf(request)
      const { model, stream = false, suffix = "" } = request
      const sampling = samplingOf(request)
      const answers = yield* askAll(
        jobs,
        prompts.map((prompt, index) => ({
          ...sampling,
          // the same seed would give the same answer each time
          ...(sampling.seed === undefined ? {} : { seed: sampling.seed + index }),
          model,
          prompt,
          raw: true,
          ...(suffix === "" ? {} : { suffix }),
          stream
        }))
      )
      const asking = { answers, head: headOf(answers, model), prompts, request }
      return naming(jobs, ignored, stream ? yield* streamed(asking) : yield* whole(asking))
    })

interface Asked {
  readonly answered: JobAnswer
  readonly whileWanted: WhileWanted
}

interface Answering {
  readonly answers: ReadonlyArray<Asked>
  readonly head: CompletionHead
  readonly prompts: ReadonlyArray<string>
  readonly request: CompletionRequest
}

/** All of them, or none: where one is not taken in, or the client leaves, those before it are cancelled. */
const askAll = (jobs: Asking, requests: ReadonlyArray<JobRequest>): Effect.Effect<ReadonlyArray<Asked>, AnswerError> =>
  Effect.suspend(() => {
    const asked: Array<Asked> = []
    return Effect.forEach(requests, (request) =>
      ask(jobs, request, (answered, whileWanted) =>
        Effect.sync(() => {
          const one = { answered, whileWanted }
          asked.push(one)
          return one
        })
      )
    ).pipe(Effect.onError(() => Effect.forEach(asked, ({ answered }) => Effect.ignore(jobs.cancel(answered.jobId)))))
  })

const headOf = ([first]: ReadonlyArray<Asked>, model: string): CompletionHead => ({
  id: `cmpl-${first?.answered.jobId ?? ""}`,
  created: Math.floor((first?.answered.createdAt ?? 0) / 1000),
  model
})

const choiceOf = (index: number, text: string, finish_reason: Choice["finish_reason"] = null): Choice => ({
  text,
  index,
  logprobs: null,
  finish_reason
})

const sum = (usages: ReadonlyArray<Usage>): Usage => {
  const total = { prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0 }
  for (const usage of usages) {
    total.prompt_tokens += usage.prompt_tokens
    total.completion_tokens += usage.completion_tokens
    total.cached_tokens += usage.cached_tokens
  }
  return total
}

/** Who leaves, leaves them all. */
const eachWanted = <A>(
  answers: ReadonlyArray<Asked>,
  run: (answered: JobAnswer, index: number) => Effect.Effect<A, AnswerError>
): Effect.Effect<ReadonlyArray<A>, AnswerError> =>
  Effect.forEach(answers, ({ answered, whileWanted }, index) => whileWanted(run(answered, index)), {
    concurrency: "unbounded"
  })

/** Waits for the end of all. */
const whole = ({ answers, head, prompts, request }: Answering): Effect.Effect<Reply, AnswerError> =>
  Effect.map(
    eachWanted(answers, ({ read }) => gather(read)),
    (wholes) => {
      const choices = wholes.map(({ content, done }, index) =>
        choiceOf(index, echoed(request, prompts[index]) + content, done.finish_reason)
      )
      const usage = completionUsage(sum(wholes.map(({ done }) => done.usage)))
      return { _tag: "Json", status: 200, body: { ...head, object: "text_completion", choices, usage } }
    }
  )

const echoed = ({ echo = false }: CompletionRequest, prompt = ""): string => (echo ? prompt : "")

/** Their tokens as they come; one that fails ends the stream with its error and without `[DONE]`. */
const streamed = ({ answers, head, prompts, request }: Answering): Effect.Effect<Reply, AnswerError> =>
  Effect.gen(function* () {
    const { correlationId } = yield* Call
    const includeUsage = request.stream_options?.include_usage === true
    const chunk = (rest: Pick<Completion, "choices" | "usage">): string =>
      frame({ data: { ...head, object: "text_completion", ...rest } satisfies Completion })
    const chunkOf = (choice: Choice): string => chunk({ choices: [choice], ...(includeUsage ? { usage: null } : {}) })
    const usages: Array<Usage> = []
    const feedOf =
      (index: number) =>
      (source: JobAnswer["read"]): EventFeed =>
      (sink) =>
        Effect.suspend(() => {
          const echo = echoed(request, prompts[index])
          let out = echo === "" ? "" : chunkOf(choiceOf(index, echo))
          return source({
            content: (json) => {
              out += chunkOf(choiceOf(index, String(JSON.parse(json))))
            },
            // a text that goes on is nothing but text
            reasoning: () => {},
            call: () => {},
            argument: () => {},
            done: ({ finish_reason, usage }) => {
              out += chunkOf(choiceOf(index, "", finish_reason))
              usages.push(usage)
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
    const feeds = yield* eachWanted(answers, (answered, index) => soon(answered, surface.framing, feedOf(index)))
    const end = (): string => {
      if (usages.length < answers.length) return ""
      return (includeUsage ? chunk({ choices: [], usage: completionUsage(sum(usages)) }) : "") + surface.framing.closes
    }
    const feed: EventFeed = (sink) =>
      Effect.map(
        Effect.forEach(feeds, (one, index) => (answers[index]?.whileWanted ?? ((effect) => effect))(one(sink)), {
          concurrency: "unbounded",
          discard: true
        }),
        () => void sink.write(end())
      )
    return { _tag: "Events", feed }
  })
