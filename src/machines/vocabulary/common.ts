/** Schemas that every part of the vocabulary shares. Field names are those of the wire (docs/api.md), in snake_case. */
import * as Schema from "effect/Schema"

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

/** From and to, both included, of what a request may ask for; the command line refuses the same. */
export const ranges = {
  max_tokens: [0, 1_048_576],
  temperature: [0, 2],
  top_p: [0, 1],
  top_k: [0, 100_000],
  seed: [-(2 ** 63), 2 ** 63],
  /** tokens a slot */
  context: [16, 16_777_216]
} as const
