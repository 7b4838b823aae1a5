/** What who runs the cluster calls to choose models: what there is, what fits where, what is on its way, and names of one's own. */
import * as Schema from "effect/Schema"
import { entryFields, ModelEntry } from "../../machines/entries/entry.ts"
import { Count, Nothing, ranges } from "../../machines/vocabulary/common.ts"
import { DeviceId, HiveId, Id } from "../../machines/vocabulary/ids.ts"
import { endpoint } from "../endpoint.ts"
import { ofFetching, ofOwnedHive, ofStore } from "../failures.ts"
import { none } from "../inputs.ts"
import { RunningDownload } from "../models.ts"

const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })
const between = (from: number, to: number) => Schema.NumberFromString.pipe(Schema.int(), Schema.between(from, to))

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

const EntryName = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(128))

export const findingApi = {
  searchModels: endpoint("GET", "/catalog/offers", {
    scope: "manage",
    summary: "Repositories of the hub that have models which are served here, by words",
    input: Schema.Struct({
      words: Schema.String.pipe(Schema.pattern(/\S/, { message: () => "words" }), Schema.maxLength(200)),
      /** 10 where nothing is said */
      limit: Schema.optional(between(1, 50))
    }),
    answers: { json: { 200: Found } },
    errors: ofFetching
  }),
  fitModels: endpoint("GET", "/catalog/fits", {
    scope: "manage",
    summary:
      "What of a repository, or of a model that is here, fits which device, with how much context, and how fast it will be",
    input: Schema.Struct({
      model: Schema.String.pipe(Schema.maxLength(512)),
      /** tokens a slot; absent: the usual */
      context: Schema.optional(between(...ranges.context))
    }),
    answers: { json: { 200: Fits } },
    errors: ofFetching
  }),
  listDownloads: endpoint("GET", "/catalog/downloads", {
    scope: "manage",
    summary: "What is being fetched, whoever asked for it",
    input: none,
    answers: { json: { 200: Schema.Array(Schema.Struct({ hive: HiveId, ...RunningDownload.fields })) } }
  }),
  endDownload: endpoint("DELETE", "/catalog/downloads/:hive/:id", {
    scope: "manage",
    summary: "Give a download up; what came stays for the next try. 409 where somebody waits for it",
    input: Schema.Struct({ hive: HiveId, id: Id }),
    answers: { json: { 204: Nothing } },
    errors: [...ofOwnedHive, ...ofStore, "HIVE_NOT_FOUND", "NOT_FOUND", "CONFLICT"]
  }),
  listEntries: endpoint("GET", "/catalog/entries", {
    scope: "manage",
    summary: "Models under names of one's own, as the configuration has them, and the default",
    input: none,
    answers: { json: { 200: Listed } }
  }),
  setEntry: endpoint("POST", "/catalog/entries/:name", {
    scope: "manage",
    summary: "Make or change an entry of the configuration, field by field",
    input: Schema.Struct({
      name: EntryName,
      /** these are so from now on */
      fields: Schema.optional(Schema.partial(ModelEntry)),
      /** these are not said any more */
      unset: Schema.optional(Schema.Array(Schema.Literal(...entryFields))),
      /** it runs where no model is named */
      default: Schema.optional(Schema.Boolean)
    }),
    answers: { json: { 204: Nothing } },
    errors: ofStore,
    strict: true
  }),
  removeEntry: endpoint("DELETE", "/catalog/entries/:name", {
    scope: "manage",
    summary: "Take an entry out of the configuration; 409 where another one stands on it",
    input: Schema.Struct({ name: EntryName }),
    answers: { json: { 204: Nothing } },
    errors: [...ofStore, "MODEL_NOT_FOUND", "CONFLICT"]
  })
} as const
