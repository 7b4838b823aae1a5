/** How a keeper finds and wakes its queen. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RbeeError } from "../../machines/errors.ts"
import type { Health } from "../../machines/vocabulary/common.ts"

export class QueenLauncher extends Context.Tag("rbee/QueenLauncher")<
  QueenLauncher,
  {
    readonly url: string
    readonly port: number
    /**
     * The health of the queen at the configured address; undefined when nobody listens. CONFLICT when a stranger
     * does (the message names port and owner), VERSION_MISMATCH when another version of rbee does.
     */
    readonly find: Effect.Effect<Health | undefined, RbeeError<"CONFLICT" | "VERSION_MISMATCH">>
    /** Starts a queen daemon and waits for its health. When another keeper was faster, its queen is taken. */
    readonly wake: Effect.Effect<Health, RbeeError<"CONFLICT" | "CONNECTION_TIMEOUT" | "INTERNAL" | "VERSION_MISMATCH">>
    /** Waits until the queen's process is gone and its port is free. */
    readonly gone: (health: Health) => Effect.Effect<void>
  }
>() {}
