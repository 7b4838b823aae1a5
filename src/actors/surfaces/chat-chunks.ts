/** A job's answer as OpenAI's chunks: a token's JSON goes over as it is. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../protocol/endpoint.ts"
import { openAi } from "../../protocol/surfaces/openai-surface.ts"
import { encodeError } from "../../protocol/surfaces/rbee.ts"
import type { FinishReason, Usage } from "../../machines/vocabulary/job.ts"
import {
  type ChatCompletionChunk,
  type ChatFinish,
  type CompletionHead,
  completionUsage
} from "../../machines/vocabulary/openai/openai.ts"
import { frame } from "../../protocol/sse.ts"
import type { ReadAnswer } from "./answers.ts"

export interface ChunkOptions {
  readonly head: CompletionHead
  readonly includeUsage: boolean
  /** for the error envelope */
  readonly correlationId: string | undefined
  /** from the answer's first token on */
  readonly source: ReadAnswer
}

/** OpenAI's clients look for the word before it. */
export const openAiCallId = (id: string): string => `call_${id}`

/** An answer that was cut short says that, whatever it called. */
export const chatFinish = (reason: FinishReason, calls: number): ChatFinish =>
  calls > 0 && reason === "stop" ? "tool_calls" : reason

/** Ends with `[DONE]`; an answer that fails in the middle ends with its error and without. */
export const chunkFeed =
  (options: ChunkOptions): EventFeed =>
  (sink) =>
    Effect.suspend(() => {
      const frames = chunkFrames(options.head, options.includeUsage)
      let isBegun = false
      let calls = 0
      let out = ""
      const begin = (): void => {
        if (!isBegun) out += frames.role
        isBegun = true
      }
      return options.source({
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
        },
        done: ({ finish_reason, usage }) => {
          begin()
          out += frames.finish(chatFinish(finish_reason, calls)) + frames.usage(usage) + openAi.framing.closes
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

const chunkFrames = (head: CompletionHead, includeUsage: boolean) => {
  const noUsage = includeUsage ? { usage: null } : {}
  const chunk = (rest: Pick<ChatCompletionChunk, "choices" | "usage">): ChatCompletionChunk => ({
    ...head,
    object: "chat.completion.chunk",
    ...rest
  })
  const choice = (
    delta: ChatCompletionChunk["choices"][number]["delta"],
    finish_reason: ChatFinish | null = null
  ): string => frame({ data: chunk({ choices: [{ index: 0, delta, logprobs: null, finish_reason }], ...noUsage }) })
  // everything around a token's text, encoded once
  const empty = choice({ content: "" })
  const content = empty.indexOf('"content":""') + '"content":'.length
  const [before, after] = [empty.slice(0, content), empty.slice(content + 2)]
  return {
    role: choice({ role: "assistant", content: "" }),
    /** `text` is a JSON string */
    content: (text: string): string => before + text + after,
    reasoning: (text: string): string => choice({ reasoning_content: text }),
    call: (isBegun: boolean, index: number, id: string, name: string): string =>
      choice({
        ...(isBegun ? {} : { role: "assistant", content: null }),
        tool_calls: [{ index, id: openAiCallId(id), type: "function", function: { name, arguments: "" } }]
      }),
    argument: (index: number, text: string): string =>
      choice({ tool_calls: [{ index, function: { arguments: text } }] }),
    finish: (reason: ChatFinish): string => choice({}, reason),
    usage: (usage: Usage): string =>
      includeUsage ? frame({ data: chunk({ choices: [], usage: completionUsage(usage) }) }) : ""
  }
}
