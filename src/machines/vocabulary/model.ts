/** Models in a hive's catalog, and the progress of getting one. */
import * as Schema from "effect/Schema"
import { Count } from "./common.ts"

export const ModelView = Schema.Struct({
  /** the canonical reference, for example `minillama` or `file:/models/a.gguf` */
  model_ref: Schema.String,
  hive: Schema.optional(Schema.String),
  file: Schema.String,
  bytes: Count,
  sha256: Schema.optional(Schema.String),
  architecture: Schema.optional(Schema.String),
  parameters: Schema.optional(Count),
  /** trained context, tokens */
  context: Schema.optional(Count),
  quantization: Schema.optional(Schema.String),
  last_used_at: Schema.optional(Schema.Number),
  pinned: Schema.Boolean
})
export type ModelView = typeof ModelView.Type

/** `progress` events; `rate` is bytes a second. They carry no id and may be lost. */
export const ProgressEvent = Schema.Struct({
  stage: Schema.Literal("download", "install", "load"),
  received: Schema.Number,
  total: Schema.optional(Schema.Number),
  rate: Schema.optional(Schema.Number)
})
export type ProgressEvent = typeof ProgressEvent.Type
