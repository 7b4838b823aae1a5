/** A job's answer as OpenAI's chunks: a token's JSON goes over as it is. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../protocol/endpoint.ts"
import { openAi } from "../../protocol/surfaces/openai.ts"
import { encodeError } from "../../protocol/surfaces/rbee.ts"
import type { FinishReason, Usage } from "../../machines/vocabulary/job.ts"
import {
  type ChatCompletionChunk,
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

/** Ends with `[DONE]`; an answer that fails in the middle ends with its error and without. */
export const chunkFeed =
  (options: ChunkOptions): EventFeed =>
  (sink) =>
    Effect.suspend(() => {
      const frames = chunkFrames(options.head, options.includeUsage)
      let out = frames.role
      return options.source({
        token: (json) => {
          out += frames.token(json)
        },
        done: ({ finish_reason, usage }) => {
          out += frames.finish(finish_reason) + frames.usage(usage) + openAi.framing.closes
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
    delta: { readonly role?: "assistant"; readonly content?: string },
    finish_reason: FinishReason | null = null
  ): string => frame({ data: chunk({ choices: [{ index: 0, delta, logprobs: null, finish_reason }], ...noUsage }) })
  // everything around a token's text, encoded once
  const empty = choice({ content: "" })
  const content = empty.indexOf('"content":""') + '"content":'.length
  const [before, after] = [empty.slice(0, content), empty.slice(content + 2)]
  return {
    role: choice({ role: "assistant", content: "" }),
    /** `text` is a JSON string */
    token: (text: string): string => before + text + after,
    finish: (reason: FinishReason): string => choice({}, reason),
    usage: (usage: Usage): string =>
      includeUsage ? frame({ data: chunk({ choices: [], usage: completionUsage(usage) }) }) : ""
  }
}
