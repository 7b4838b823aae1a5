/** What is known of one hive and of one worker. */
import type { JobId } from "../../../machines/vocabulary/ids.ts"
import * as Deferred from "effect/Deferred"
import * as FiberId from "effect/FiberId"
import type { HiveApi } from "../../../protocol/hive.ts"
import type { Lifecycle } from "../../../machines/vocabulary/common.ts"
import type { DeviceBeat, Devices } from "../../../machines/vocabulary/device.ts"
import type { WorkerView } from "../../../machines/vocabulary/hive.ts"
import type { SshPlace } from "../../../machines/vocabulary/place.ts"
import type { WorkerBeat } from "../../../machines/vocabulary/worker.ts"

/** A hive process that this queen has claimed. */
export interface ClaimedHive {
  readonly url: string
  readonly instance: string
  readonly version: string
  readonly api: HiveApi
}

export interface HiveEntry {
  readonly id: string
  /** on another machine: how that is reached */
  ssh: SshPlace | undefined
  state: Lifecycle
  claimed: ClaimedHive | undefined
  devices: Devices | undefined
  /** when the devices were asked, milliseconds since 1970 */
  devicesAt: number
  beats: ReadonlyArray<DeviceBeat>
  /** when it last beat, milliseconds since 1970 */
  beatAt: number | undefined
}

/** Its beats tell of more or fewer devices than are known; of none before the first one. */
export const hasOthers = ({ devices }: Pick<HiveEntry, "devices">, beats: ReadonlyArray<DeviceBeat>): boolean =>
  devices !== undefined && beats.length > 0 && beats.length !== devices.gpus.length + 1

export interface WorkerEntry {
  view: WorkerView
  /** job → slots that it holds */
  readonly seats: Map<JobId, number>
  /** beats in a row that did not name it */
  missed: number
  /** since when it serves, milliseconds since 1970; undefined: not yet */
  readyAt: number | undefined
  /** comes true when this life of the worker has left the view */
  readonly gone: Deferred.Deferred<void>
}

export const serving = (worker: WorkerBeat): boolean => worker.state === "idle" || worker.state === "busy"

export const newEntry = (view: WorkerView): WorkerEntry => ({
  view,
  seats: new Map(),
  missed: 0,
  readyAt: undefined,
  gone: Deferred.unsafeMake(FiberId.none)
})

export const freeOf = (entry: WorkerEntry): number => {
  let taken = 0
  for (const slots of entry.seats.values()) taken += slots
  return Math.max(0, entry.view.slots - taken)
}
