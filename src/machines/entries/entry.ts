/** `[models.NAME]` of the configuration: what may stand there, field by field, under the names that requests have. */
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { Count, ranges, setupFields } from "../vocabulary/common.ts"
import { DeviceId, HiveId } from "../vocabulary/ids.ts"
import { samplingFields } from "../vocabulary/job.ts"

const Text = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(512))

/** What tokens come with is asked by whoever reads it. */
export const entrySampling = Struct.omit(samplingFields, "logprobs")

export const ModelEntry = Schema.Struct({
  /** the model: a reference, a path, the name of a model that is here, or another entry, from which the rest is taken */
  ref: Text,
  /** more names for it */
  aliases: Schema.optional(Schema.Array(Text).pipe(Schema.maxItems(64))),
  /** before the conversation, where that has no system message of its own */
  system: Schema.optional(Schema.String.pipe(Schema.maxLength(262_144))),
  /** how much it thinks; a number: tokens at most */
  reasoning: Schema.optional(Schema.Union(Schema.Literal("off", "minimal", "low", "medium", "high"), Count)),
  /** tokens a slot */
  context: Schema.optional(Schema.Int.pipe(Schema.between(...ranges.context))),
  /** of its worker */
  ...setupFields,
  /** its worker does not unload when idle */
  keep_loaded: Schema.optional(Schema.Boolean),
  /** where it runs by preference */
  hive: Schema.optional(HiveId),
  device: Schema.optional(DeviceId),
  /** there or nowhere */
  only_there: Schema.optional(Schema.Boolean),
  ...entrySampling
})
export type ModelEntry = typeof ModelEntry.Type

/** In the order in which they are shown. */
export const entryFields = Struct.keys(ModelEntry.fields)
