/** What is known of one hive. Whoever learns something of it says so here; nobody else writes it. */
import * as Deferred from "effect/Deferred"
import { none as noFiber } from "effect/FiberId"
import type { HiveApi } from "../../../protocol/hive.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { invariant } from "../../../machines/invariant.ts"
import type { Lifecycle } from "../../../machines/vocabulary/common.ts"
import type { DeviceBeat, Devices } from "../../../machines/vocabulary/device.ts"
import type { Heartbeat } from "../../../machines/vocabulary/hive.ts"
import type { SshPlace } from "../../../machines/vocabulary/place.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

/** A hive whose machine sleeps: what it will have when it is woken. */
export interface Asleep {
  /** as it last told them */
  readonly devices: Devices | undefined
  /** what waking it usually takes, milliseconds */
  readonly usualMs: number | undefined
}

/** A hive process that this queen has claimed. */
export interface ClaimedHive {
  readonly url: string
  readonly instance: string
  readonly version: string
  /** its calls end with it */
  readonly api: HiveApi
  /** fails once it is lost */
  readonly lost: Deferred.Deferred<never, RbeeError>
}

export interface HiveEntry {
  readonly id: HiveId
  /** on another machine: how that is reached */
  readonly ssh: SshPlace | undefined
  readonly state: Lifecycle
  readonly claimed: ClaimedHive | undefined
  /** its machine sleeps */
  readonly asleep: Asleep | undefined
  readonly devices: Devices | undefined
  /** when the devices were asked, milliseconds since 1970 */
  readonly devicesAt: number
  readonly beats: ReadonlyArray<DeviceBeat>
  /** models that it has, as its last beat told; undefined: it did not tell */
  readonly models: number | undefined
  /** when it last beat, or was claimed, milliseconds since 1970 */
  readonly beatAt: number | undefined

  /** Its life goes on in another state; gives the one before. */
  readonly enter: (state: Lifecycle) => Lifecycle
  /** Its machine sleeps from now on. */
  readonly sleep: (asleep: Asleep) => void
  /** This process of it is the queen's from now on. */
  readonly claim: (process: ClaimedHive, now: number) => void
  /** Its process has told of its devices, milliseconds since 1970. */
  readonly has: (devices: Devices, askedAt: number) => void
  /** Takes over what a beat says of its devices; false: that is not of the process that is the queen's. */
  readonly beat: (beat: Heartbeat, now: number) => boolean
  /** A beat that overtakes the answer to the claim that it follows: kept until it is known whose it is. */
  readonly hear: (beat: Heartbeat) => void
  readonly heard: Heartbeat | undefined
  /** Its process is gone, or out of reach: every call to it ends now. */
  readonly lose: () => void
}

/** Its beats tell of more or fewer devices than are known; of none before the first one. */
export const hasOthers = ({ devices }: Pick<HiveEntry, "devices">, beats: ReadonlyArray<DeviceBeat>): boolean =>
  devices !== undefined && beats.length > 0 && beats.length !== devices.gpus.length + 1

export const newHive = (id: HiveId, ssh: SshPlace | undefined): HiveEntry => new Known(id, ssh)

class Known implements HiveEntry {
  readonly id: HiveId
  readonly ssh: SshPlace | undefined
  state: Lifecycle = "cold"
  claimed: ClaimedHive | undefined
  asleep: Asleep | undefined
  devices: Devices | undefined
  devicesAt = 0
  beats: ReadonlyArray<DeviceBeat> = []
  models: number | undefined
  beatAt: number | undefined
  heard: Heartbeat | undefined

  constructor(id: HiveId, ssh: SshPlace | undefined) {
    this.id = id
    this.ssh = ssh
  }

  enter(state: Lifecycle): Lifecycle {
    const before = this.state
    invariant(
      state !== "healthy" || (this.claimed !== undefined && this.devices !== undefined),
      () => `hive ${this.id} is healthy without a process or its devices`
    )
    this.state = state
    if (state !== "asleep") this.asleep = undefined
    return before
  }

  sleep(asleep: Asleep): void {
    invariant(this.claimed === undefined, () => `hive ${this.id} sleeps, and has a process`)
    this.asleep = asleep
  }

  claim(process: ClaimedHive, now: number): void {
    invariant(process.instance !== "" && process.url !== "", () => `a claimed process of hive ${this.id} has no name`)
    this.claimed = process
    this.heard = undefined
    this.beatAt = now
  }

  has(devices: Devices, askedAt: number): void {
    invariant(this.claimed !== undefined, () => `hive ${this.id} tells of its devices and is not claimed`)
    this.devices = devices
    this.devicesAt = askedAt
  }

  beat({ devices, hive_id, instance, models }: Heartbeat, now: number): boolean {
    invariant(hive_id === this.id, () => `hive ${this.id} takes over a beat of hive ${hive_id}`)
    // one that stops may beat until its end
    if (this.claimed?.instance !== instance || this.state === "stopping") return false
    this.beats = devices
    this.models = models
    this.beatAt = now
    return true
  }

  hear(beat: Heartbeat): void {
    invariant(this.claimed?.instance !== beat.instance, () => `a beat of hive ${this.id} is kept that is its own`)
    this.heard = beat
  }

  lose(): void {
    const { claimed } = this
    this.claimed = undefined
    this.devices = undefined
    this.models = undefined
    this.heard = undefined
    if (claimed === undefined) return
    Deferred.unsafeDone(claimed.lost, rbeeError("CONNECTION_TIMEOUT", `hive ${this.id} is out of reach`))
  }
}

/** Not lost yet. */
export const notLost = (): ClaimedHive["lost"] => Deferred.unsafeMake(noFiber)
