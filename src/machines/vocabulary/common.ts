/** Schemas that every part of the vocabulary shares. Field names are those of the wire (docs/api.md), in snake_case. */
import * as Schema from "effect/Schema"
import { KindId } from "./kind.ts"

export const Count = Schema.NonNegativeInt
/** milliseconds since 1970 */
export const EpochMs = Schema.Number
/** 10^6 bytes */
export const Megabytes = Schema.NonNegative

export const Role = Schema.Literal("queen", "hive", "worker")
export type Role = typeof Role.Type

/** The shared lifecycle words (docs/design.md#the-states). */
export const Lifecycle = Schema.Literal(
  "cold",
  "asleep",
  "waking",
  "loading",
  "healthy",
  "degraded",
  "stopping",
  "stopped",
  "failed"
)
export type Lifecycle = typeof Lifecycle.Type

export const Health = Schema.Struct({
  status: Schema.Literal("healthy"),
  role: Role,
  version: Schema.String,
  /** the queen's id, the hive's id, the worker's id */
  id: Schema.String,
  /** fresh for every process: tells a restarted daemon from the one before */
  instance: Schema.String,
  pid: Schema.Int,
  uptime_s: Schema.Number
})
export type Health = typeof Health.Type

/** What a 200 or 202 without a body of its own answers. */
export const Nothing = Schema.Void

/** By any of its names; who names none means the default, which is put there before this is read. */
export const AskedModel = Schema.optionalWith(Schema.String.pipe(Schema.minLength(1), Schema.maxLength(512)), {
  nullable: true,
  default: () => ""
})

/** From and to, both included, of what a request may ask for; the command line refuses the same. */
export const ranges = {
  max_tokens: [0, 1_048_576],
  temperature: [0, 2],
  top_p: [0, 1],
  top_k: [0, 100_000],
  seed: [-(2 ** 63), 2 ** 63],
  /** tokens a slot */
  context: [16, 16_777_216],
  /** answers that a worker decodes together */
  slots: [1, 256]
} as const

/** How the elements of a KV cache are kept: two bytes each, or rounded to a little more than one. */
export const KvType = Schema.Literal("f16", "q8_0")
export type KvType = typeof KvType.Type

/** How a worker is set up, besides its context; what is left open is as its hive's settings have it. */
export const setupFields = {
  slots: Schema.optional(Schema.Int.pipe(Schema.between(...ranges.slots))),
  kv_type: Schema.optional(KvType),
  /** the kind of its worker; absent: what its model has anyway */
  engine: Schema.optional(KindId)
} as const
