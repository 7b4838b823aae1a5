/** Hives as the queen knows them, and what they send her. */
import * as Schema from "effect/Schema"
import { Count, Lifecycle } from "./common.ts"
import { DeviceBeat, Devices } from "./device.ts"
import { Power, SshPlace } from "./place.ts"
import { WorkerBeat } from "./worker.ts"
import { HiveId } from "./ids.ts"

export const Heartbeat = Schema.Struct({
  hive_id: HiveId,
  /** fresh for every hive process */
  instance: Schema.String,
  /** 1, 2, 3, … within an instance */
  seq: Count,
  version: Schema.String,
  url: Schema.String,
  devices: Schema.Array(DeviceBeat),
  workers: Schema.Array(WorkerBeat),
  /** how many models lie there */
  models: Schema.optional(Count),
  /** of one that may be put to sleep: milliseconds since it did anything, or anybody wanted it to */
  idle_ms: Schema.optional(Schema.NonNegative)
})
export type Heartbeat = typeof Heartbeat.Type

export const ClaimRequest = Schema.Struct({
  queen: Schema.Struct({
    id: Schema.String,
    name: Schema.String,
    epoch: Count,
    url: Schema.String,
    /** her machine is another one, and what it has of models is at `/hub` of her url */
    models: Schema.optional(Schema.Boolean),
    /** her machine is another one, and this is what the hive shows to her */
    secret: Schema.optional(Schema.String)
  }),
  take_over: Schema.optional(Schema.Boolean),
  /** the hive was woken for a cold session: it ends 60 s after its last use */
  woken_cold: Schema.optional(Schema.Boolean),
  /** the queen stays however idle she is, and the hive with her */
  stays: Schema.optional(Schema.Boolean),
  /** idle so long, seconds, its machine is put to sleep: it tells how long it is, and does not end by itself; 0: it is not */
  sleep_after_s: Schema.optional(Count)
})
export type ClaimRequest = typeof ClaimRequest.Type

export const HiveView = Schema.Struct({
  id: HiveId,
  state: Lifecycle,
  url: Schema.optional(Schema.String),
  /** on another machine: how that is reached */
  ssh: Schema.optional(SshPlace),
  /** how its machine is woken, and when it is put to sleep */
  power: Schema.optional(Power),
  /** seconds that waking its machine usually takes */
  usually_up_s: Schema.optional(Schema.Number),
  instance: Schema.optional(Schema.String),
  pid: Schema.optional(Schema.Int),
  devices: Schema.optional(Devices),
  workers: Count,
  models: Count,
  /** milliseconds since the last heartbeat */
  beat_age_ms: Schema.optional(Schema.Number)
})
export type HiveView = typeof HiveView.Type

/** What was found on a hive's machine over SSH. */
export const MachineView = Schema.Struct({
  platform: Schema.String,
  arch: Schema.String,
  /** "v20.20.2" */
  node: Schema.String,
  cores: Count,
  /** 10^6 bytes */
  ram_mb: Schema.Number,
  ram_free_mb: Schema.Number,
  disk_free_mb: Schema.Number,
  gpu_tools: Schema.Array(Schema.String),
  /** one question there and back, milliseconds */
  latency_ms: Schema.Number,
  /** milliseconds by which its clock is ahead of the queen's */
  clock_ahead_ms: Schema.Number,
  /** version of rbee that is installed there */
  installed: Schema.optional(Schema.String),
  /** the hive of this name, if it runs */
  hive: Schema.optional(Schema.Struct({ pid: Schema.Int, version: Schema.String }))
})
export type MachineView = typeof MachineView.Type

/** A worker in the cluster view. */
export const WorkerView = Schema.Struct({ hive: HiveId, ...WorkerBeat.fields })
export type WorkerView = typeof WorkerView.Type
