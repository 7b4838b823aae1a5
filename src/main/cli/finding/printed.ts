/** What the finders and the list of entries print with `--json`: docs/schemas has them, and the commands are typed by them. */
import * as Schema from "effect/Schema"
import { ModelEntry } from "../../../machines/entries/entry.ts"
import { Count } from "../../../machines/vocabulary/common.ts"
import { DeviceId, HiveId } from "../../../machines/vocabulary/ids.ts"

const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const Offered = Schema.Struct({
  /** as it is asked for */
  ref: Schema.String,
  /** absent: no name tells it */
  quantization: Schema.optional(Schema.String),
  /** in the repository; of a split model the first */
  file: Schema.String,
  files: Count,
  /** of all files */
  bytes: Schema.Number
})

/** `rbee models search` */
export const Found = Schema.Array(
  Schema.Struct({
    repo: Schema.String,
    downloads: maybe(Schema.Number),
    likes: maybe(Schema.Number),
    /** it is given to those whom its author has let in */
    gated: maybe(Schema.Boolean),
    /** best first */
    models: Schema.Array(Offered),
    /** why its models could not be listed */
    problem: maybe(Schema.String)
  })
)
export type Found = typeof Found.Type

/** `rbee models fit`: each model on each device. */
export const Fits = Schema.Array(
  Schema.Struct({
    ...Offered.fields,
    hive: HiveId,
    device: DeviceId,
    /** of the device */
    name: Schema.String,
    fits: Schema.Literal("yes", "if_unloaded", "no"),
    context: Count,
    slots: Count,
    memory_mb: Schema.Number,
    available_mb: Schema.Number,
    context_max: Count,
    /** expected; absent: nothing is known that would tell */
    tokens_per_s: maybe(Schema.Number)
  })
)
export type Fits = typeof Fits.Type

/** `rbee models entries` */
export const Listed = Schema.Struct({
  default_model: Schema.NullOr(Schema.String),
  models: Schema.Array(Schema.Struct({ name: Schema.String, ...ModelEntry.fields }))
})
export type Listed = typeof Listed.Type
