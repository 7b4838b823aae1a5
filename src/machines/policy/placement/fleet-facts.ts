/** The facts that placement is decided from: what hives have, and what is resident on their devices. */
import type { Backend, Devices } from "../../vocabulary/device.ts"
import type { SetUp } from "../memory/setup.ts"
import type { Place } from "./place.ts"
import type { WorkerId, HiveId, ModelRef } from "../../vocabulary/ids.ts"

export interface DeviceFacts extends Place {
  /** `placeKey` of it */
  readonly key: string
  /** whose runtime serves it */
  readonly backend: Backend
  /** memory bandwidth as far as it can be guessed, GB/s: decoding is bound by it */
  readonly gbps: number
  /** free by its hive's ledger, MB */
  readonly freeMb: number
  /** takes no new work now */
  readonly isDegraded: boolean
}

/** A healthy hive. */
export interface HiveFacts {
  readonly hive: HiveId
  readonly devices: Pick<Devices, "cpu" | "gpus">
  /** as of its last beat; a device that no beat has named yet has what it had when it was asked */
  readonly beats: ReadonlyArray<{ readonly id: string; readonly state: string; readonly free_mb: number }>
}

/** A worker that is awake, or holds memory because it wakes, ends or was only just asked for. */
export interface ResidentFacts extends Place, Omit<SetUp, "slots"> {
  readonly worker: WorkerId
  /** it is awake: jobs can be seated, or it be unloaded */
  readonly isServing: boolean
  readonly model: ModelRef
  readonly context: number
  readonly slots: number
  /** slots that nobody holds */
  readonly free: number
  /** what its ledger holds for it, MB */
  readonly memoryMb: number
  readonly isPinned: boolean
  /** it takes no new work: it makes room for a model that has waited long */
  readonly isClosing: boolean
  /** since when it serves, milliseconds since 1970 */
  readonly readyAt: number
  /** when its model was last loaded anew there for more context, milliseconds since 1970 */
  readonly reloadedAt?: number
}
