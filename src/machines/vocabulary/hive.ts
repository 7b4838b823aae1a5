/** Hives as the queen knows them, and what they send her. */
import * as Schema from "effect/Schema"
import { Count, Id, Lifecycle } from "./common.ts"
import { DeviceBeat, Devices } from "./device.ts"
import { WorkerBeat } from "./worker.ts"

export const Heartbeat = Schema.Struct({
  hive_id: Id,
  /** fresh for every hive process */
  instance: Schema.String,
  /** 1, 2, 3, … within an instance */
  seq: Count,
  version: Schema.String,
  url: Schema.String,
  devices: Schema.Array(DeviceBeat),
  workers: Schema.Array(WorkerBeat)
})
export type Heartbeat = typeof Heartbeat.Type

export const ClaimRequest = Schema.Struct({
  queen: Schema.Struct({ id: Schema.String, name: Schema.String, epoch: Count, url: Schema.String }),
  take_over: Schema.optional(Schema.Boolean),
  /** the hive was woken for a cold session: it ends 60 s after its last use */
  woken_cold: Schema.optional(Schema.Boolean)
})
export type ClaimRequest = typeof ClaimRequest.Type

export const HiveView = Schema.Struct({
  id: Schema.String,
  state: Lifecycle,
  url: Schema.optional(Schema.String),
  instance: Schema.optional(Schema.String),
  pid: Schema.optional(Schema.Int),
  devices: Schema.optional(Devices),
  workers: Count,
  models: Count,
  /** milliseconds since the last heartbeat */
  beat_age_ms: Schema.optional(Schema.Number)
})
export type HiveView = typeof HiveView.Type

/** A worker in the cluster view. */
export const WorkerView = Schema.Struct({ hive: Schema.String, ...WorkerBeat.fields })
export type WorkerView = typeof WorkerView.Type
