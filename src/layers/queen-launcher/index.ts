/** How a keeper finds and wakes its queen. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RbeeError } from "../../machines/errors.ts"
import type { Health } from "../../machines/vocabulary/common.ts"
import type { ProcessId } from "../process/index.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

/** A hive daemon of this machine, known by its state file; it outlives its queen. */
export interface LivingHive {
  readonly id: HiveId
  readonly process: ProcessId
}

/** Who she was, and where. */
export interface LostQueen {
  readonly id: string
  readonly url: string
}

export class QueenLauncher extends Context.Tag("rbee/QueenLauncher")<
  QueenLauncher,
  {
    readonly url: string
    readonly port: number
    /**
     * The health of the queen at the configured address; undefined when nobody listens. CONNECTION_TIMEOUT when
     * who listens says nothing for 4 s, and CONFLICT when it is a stranger (both name port and owner), VERSION_MISMATCH when another version of rbee does (`details.health`
     * is its health, so that it can still be stopped).
     */
    readonly find: Effect.Effect<Health | undefined, RbeeError>
    /**
     * Starts a queen daemon and waits for its health. When another keeper was faster its queen is taken, and `woken`
     * is false.
     */
    readonly wake: Effect.Effect<{ readonly health: Health; readonly woken: boolean }, RbeeError>
    /** Waits until the queen's process is gone and its port is free; false when it is not within 40 s. */
    readonly gone: (health: Health) => Effect.Effect<boolean>
    /** A queen who was to stay, and whose process is gone without goodbye, as her state file tells. */
    readonly lost: Effect.Effect<LostQueen | undefined>
    /** The hive processes of this machine that live now, with or without a queen. */
    readonly hives: Effect.Effect<ReadonlyArray<LivingHive>>
  }
>() {}
