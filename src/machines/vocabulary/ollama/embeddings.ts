/** Ollama's embeddings: of one text or several, and of one as older clients ask for it. */
import * as Schema from "effect/Schema"
import type { JobRequest } from "../job.ts"
import { maybe } from "../openai/messages.ts"
import { askingFields, contextOf, keepingOf } from "./requests.ts"

export const OllamaEmbedRequest = Schema.Struct({
  ...askingFields,
  input: maybe(Schema.Union(Schema.String, Schema.Array(Schema.String))),
  /** elements of a vector, of which the first are given */
  dimensions: maybe(Schema.Int.pipe(Schema.nonNegative()))
})
export type OllamaEmbedRequest = typeof OllamaEmbedRequest.Type

export const OllamaEmbeddingRequest = Schema.Struct({ ...askingFields, prompt: maybe(Schema.String) })
export type OllamaEmbeddingRequest = typeof OllamaEmbeddingRequest.Type

/** Durations in nanoseconds. */
export const OllamaEmbedded = Schema.Struct({
  model: Schema.String,
  /** each of length one */
  embeddings: Schema.Array(Schema.Array(Schema.Number)),
  total_duration: Schema.Number,
  load_duration: Schema.Number,
  prompt_eval_count: Schema.Number
})

/** As the model gives it; of no text there is none. */
export const OllamaEmbedding = Schema.Struct({ embedding: Schema.Array(Schema.Number) })

/** What the job has beside its texts. */
export const embedWishes = ({
  keep_alive,
  options = {}
}: Pick<OllamaEmbedRequest, "keep_alive" | "options">): Pick<JobRequest, "context" | "keep_warm"> => ({
  ...contextOf(options),
  ...(keepingOf(keep_alive) === "pinned" ? { keep_warm: true } : {})
})
