/** A job's answer as OpenAI's chunks: a token's JSON goes over as it is. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../protocol/endpoint.ts"
import { openAi } from "../../protocol/surfaces/openai-surface.ts"
import { encodeError } from "../../protocol/surfaces/rbee.ts"
import { type DoneEvent, isStoppedInCall, type TokenLogprob, type Usage } from "../../machines/vocabulary/job.ts"
import {
  type ChatCompletionChunk,
  type ChatFinish,
  type CompletionHead,
  completionUsage
} from "../../machines/vocabulary/openai/openai.ts"
import { frame } from "../../protocol/sse.ts"
import { chatLogprobs } from "../../machines/vocabulary/openai/logprobs.ts"
import type { ReadAnswer } from "./answers.ts"
import type { Said } from "./gather.ts"
import { withLogprobs } from "./logprobs.ts"

export interface ChunkOptions {
  readonly head: CompletionHead
  /** of the choice */
  readonly index: number
  readonly includeUsage: boolean
  /** its tokens come with their logprobs */
  readonly hasLogprobs: boolean
  /** what follows once it has ended */
  readonly ended: (usage: Usage) => string
  /** for the error envelope */
  readonly correlationId: string | undefined
  /** from the answer's first token on */
  readonly source: ReadAnswer
}

/** OpenAI's clients look for the word before it. */
export const openAiCallId = (id: string): string => `call_${id}`

/** An answer that was cut short says that, whatever it called. */
export const chatFinish = (done: DoneEvent, calls: number): ChatFinish =>
  calls > 0 && done.finish_reason === "stop" && !isStoppedInCall(done) ? "tool_calls" : done.finish_reason

/** An answer that fails in the middle ends with its error, and with nothing after. */
export const chunkFeed =
  (options: ChunkOptions): EventFeed =>
  (sink) =>
    Effect.suspend(() => {
      const frames = chunkFrames(options)
      let isBegun = false
      let calls = 0
      let out = ""
      const begin = (): void => {
        if (!isBegun) out += frames.role
        isBegun = true
      }
      const said: Said = {
        content: (json) => {
          begin()
          out += frames.content(json)
        },
        reasoning: (text) => {
          begin()
          out += frames.reasoning(text)
        },
        call: (index, id, name) => {
          out += frames.call(isBegun, index, id, name)
          isBegun = true
          calls++
        },
        argument: (index, text) => {
          out += frames.argument(index, text)
        }
      }
      const likely = (json: string, tokens: ReadonlyArray<TokenLogprob>): void => {
        begin()
        out += frames.likely(json, tokens)
      }
      return options.source({
        ...(options.hasLogprobs ? withLogprobs({ ...said, content: likely }) : said),
        done: (done) => {
          begin()
          out += frames.finish(chatFinish(done, calls)) + options.ended(done.usage)
        },
        error: (error) => {
          out += `data: ${encodeError(error, options.correlationId, openAi)}\n\n`
        },
        told: () => {
          const chunks = out
          out = ""
          return chunks === "" || sink.write(chunks)
        },
        drain: sink.drain
      })
    })

const chunk = (head: CompletionHead, rest: Pick<ChatCompletionChunk, "choices" | "usage">): string => {
  const data: ChatCompletionChunk = { ...head, object: "chat.completion.chunk", ...rest }
  return frame({ data })
}

/** The last one, which has no choices. */
export const usageChunk = (head: CompletionHead, usage: Usage): string =>
  chunk(head, { choices: [], usage: completionUsage(usage) })

const chunkFrames = ({ head, includeUsage, index: own }: Pick<ChunkOptions, "head" | "includeUsage" | "index">) => {
  const noUsage = includeUsage ? { usage: null } : {}
  const choice = (
    delta: ChatCompletionChunk["choices"][number]["delta"],
    finish_reason: ChatFinish | null = null,
    logprobs: ChatCompletionChunk["choices"][number]["logprobs"] = null
  ): string => chunk(head, { choices: [{ index: own, delta, logprobs, finish_reason }], ...noUsage })
  // everything around a token's text, encoded once
  const empty = choice({ content: "" })
  const content = empty.indexOf('"content":""') + '"content":'.length
  const [before, after] = [empty.slice(0, content), empty.slice(content + 2)]
  return {
    role: choice({ role: "assistant", content: "" }),
    /** `text` is a JSON string */
    content: (text: string): string => before + text + after,
    likely: (json: string, tokens: ReadonlyArray<TokenLogprob>): string =>
      choice({ content: String(JSON.parse(json)) }, null, chatLogprobs(tokens)),
    reasoning: (text: string): string => choice({ reasoning_content: text }),
    call: (isBegun: boolean, index: number, id: string, name: string): string =>
      choice({
        ...(isBegun ? {} : { role: "assistant", content: null }),
        tool_calls: [{ index, id: openAiCallId(id), type: "function", function: { name, arguments: "" } }]
      }),
    argument: (index: number, text: string): string =>
      choice({ tool_calls: [{ index, function: { arguments: text } }] }),
    finish: (reason: ChatFinish): string => choice({}, reason)
  }
}
