/** What Ollama's clients read. Times are in nanoseconds. */
import * as Schema from "effect/Schema"
import type { DoneEvent } from "../job.ts"
import { ChatLogprobs } from "../openai/logprobs.ts"

const OllamaCall = Schema.Struct({
  id: Schema.String,
  function: Schema.Struct({
    index: Schema.Number,
    name: Schema.String,
    arguments: Schema.Record({ key: Schema.String, value: Schema.Unknown })
  })
})
export type OllamaCall = typeof OllamaCall.Type

const DoneReason = Schema.Literal("stop", "length", "load", "unload")

/** A line says more, or that it was all; a whole answer is one line. */
const lineFields = {
  model: Schema.String,
  /** ISO 8601 */
  created_at: Schema.String,
  done: Schema.Boolean,
  done_reason: Schema.optionalWith(DoneReason, { exact: true }),
  total_duration: Schema.optionalWith(Schema.Number, { exact: true }),
  load_duration: Schema.optionalWith(Schema.Number, { exact: true }),
  prompt_eval_count: Schema.optionalWith(Schema.Number, { exact: true }),
  prompt_eval_duration: Schema.optionalWith(Schema.Number, { exact: true }),
  eval_count: Schema.optionalWith(Schema.Number, { exact: true }),
  eval_duration: Schema.optionalWith(Schema.Number, { exact: true }),
  /** of the tokens of its content */
  logprobs: Schema.optionalWith(ChatLogprobs.fields.content, { exact: true })
} as const

export const OllamaSaid = Schema.Struct({
  role: Schema.Literal("assistant"),
  content: Schema.String,
  thinking: Schema.optionalWith(Schema.String, { exact: true }),
  tool_calls: Schema.optionalWith(Schema.Array(OllamaCall), { exact: true })
})

export const OllamaChatAnswer = Schema.Struct({ ...lineFields, message: OllamaSaid })
export type OllamaChatAnswer = typeof OllamaChatAnswer.Type

export const OllamaGenerateAnswer = Schema.Struct({
  ...lineFields,
  response: Schema.String,
  thinking: Schema.optionalWith(Schema.String, { exact: true })
})
export type OllamaGenerateAnswer = typeof OllamaGenerateAnswer.Type

/** What every line of an answer begins with. */
export type OllamaHead = Pick<OllamaChatAnswer, "model" | "created_at">
/** What the last line of an answer says beside its head. */
export type OllamaEnd = Omit<OllamaChatAnswer, keyof OllamaHead | "message" | "logprobs">

export const nanoseconds = (ms: number): number => Math.round(Math.max(0, ms) * 1e6)

/** A job's times are from its beginning; Ollama's are lengths. */
export const endOf = ({ finish_reason, timings, usage }: DoneEvent): OllamaEnd => {
  const { first_token_ms, placed_ms = 0, started_ms = placed_ms, total_ms = started_ms } = timings
  const read = first_token_ms ?? total_ms
  return {
    done: true,
    done_reason: finish_reason,
    total_duration: nanoseconds(total_ms),
    load_duration: nanoseconds(started_ms),
    prompt_eval_count: usage.prompt_tokens,
    prompt_eval_duration: nanoseconds(read - started_ms),
    eval_count: usage.completion_tokens,
    eval_duration: nanoseconds(total_ms - read)
  }
}

/** That a model was loaded, or unloaded, and nothing said. */
export const movedEnd = (done_reason: "load" | "unload"): OllamaEnd => ({ done: true, done_reason })

export const OllamaProgress = Schema.Struct({
  status: Schema.String,
  digest: Schema.optionalWith(Schema.String, { exact: true }),
  /** bytes */
  total: Schema.optionalWith(Schema.Number, { exact: true }),
  completed: Schema.optionalWith(Schema.Number, { exact: true })
})
export type OllamaProgress = typeof OllamaProgress.Type
