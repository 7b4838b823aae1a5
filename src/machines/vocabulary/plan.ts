/** `GET /plan`: where a job would go now, without anything being changed. */
import * as Schema from "effect/Schema"
import { Count, ranges } from "./common.ts"
import { Candidate, Others, Placement, WireError } from "./job.ts"
import { HiveId, DeviceId, ModelRef } from "./ids.ts"

const [from, to] = ranges.context

export const PlanRequest = Schema.Struct({
  model: Schema.String.pipe(Schema.maxLength(512)),
  hive: Schema.optional(HiveId),
  device: Schema.optional(DeviceId),
  /** true unless it says false */
  allow_cpu: Schema.optional(Schema.BooleanFromString),
  /** tokens a slot */
  context: Schema.optional(Schema.NumberFromString.pipe(Schema.int(), Schema.between(from, to)))
})
export type PlanRequest = typeof PlanRequest.Type

export const PlanView = Schema.Struct({
  model: ModelRef,
  /**
   * `resident`: a free slot of a worker that has the model · `start`: a worker would be started, `placement.evicted`
   * unloaded for it · `queue`: behind `waiting` jobs, until a slot or room is free · `asleep`: no hive is awake ·
   * `no_place`: the job would fail with `error`
   */
  outcome: Schema.Literal("resident", "start", "queue", "asleep", "no_place"),
  placement: Schema.optional(Placement),
  /** where there is no placement: what is in the way of each place */
  losers: Schema.optional(Schema.Array(Candidate)),
  others: Schema.optional(Schema.Array(Others)),
  /** jobs that wait now, for any model */
  waiting: Count,
  error: Schema.optional(WireError)
})
export type PlanView = typeof PlanView.Type
