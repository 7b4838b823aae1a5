/** How a queen wakes a hive, looks after it and, as a last resort, ends it: `process.ts` here, `ssh.ts` elsewhere. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RbeeError } from "../../machines/errors.ts"
import type { SshPlace } from "../../machines/vocabulary/place.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

export interface HiveTarget {
  readonly id: HiveId
  /** "localhost:8600", or "localhost" in one process: what narration prints */
  readonly at: string
  readonly port: number
  /** on another machine */
  readonly ssh?: SshPlace
}

export interface Launched {
  /** where its HiveApi is reached */
  readonly url: string
  /** false when a living hive was adopted instead */
  readonly woken: boolean
}

export class HiveLauncher extends Context.Tag("rbee/HiveLauncher")<
  HiveLauncher,
  {
    /** Who would be woken for this id. */
    readonly target: (id: HiveId, ssh?: SshPlace) => HiveTarget
    /** The url of a hive that runs already and answers /health with this id; undefined when there is none. */
    readonly find: (target: HiveTarget) => Effect.Effect<string | undefined>
    /** Is its process there, answering or not? Fails where its machine does not tell. */
    readonly present: (target: HiveTarget) => Effect.Effect<boolean, RbeeError>
    /** Wakes it, or adopts the one that runs; returns when /health answers. The hive outlives its queen. */
    readonly wake: (target: HiveTarget) => Effect.Effect<Launched, RbeeError>
    /**
     * Ends a hive process that is there but does not answer: its group, by pid and start time. No-op if none; fails
     * where its machine cannot be reached.
     */
    readonly kill: (target: HiveTarget) => Effect.Effect<void, RbeeError>
    /** Is its machine there? Known soon; nothing is started or asked there. */
    readonly reachable: (target: HiveTarget) => Effect.Effect<boolean>
    /** Its machine sleeps: no connection to it is kept up, nor made again. */
    readonly letGo: (target: HiveTarget) => Effect.Effect<void>
  }
>() {}

/**
 * In the environment of a hive that its queen wakes: it is hers already, and joins nobody. `wokenHere` where it is her own
 * machine's, which may wake the next queen.
 */
export const wokenMark = "RBEE_HIVE_WOKEN"
export const wokenHere = "here"
