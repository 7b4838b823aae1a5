/** A supervisor of children that come and go, and the part of the hive that starts them. */
import * as Effect from "effect/Effect"
import type { ChildSpec } from "../core/supervision/child.ts"
import { supervisor, type SupervisorRef } from "../core/supervision/supervisor.ts"
import type { ActorSystem } from "../core/system.ts"
import type { Machines } from "./devices/devices.ts"
import type { Parts } from "./parts.ts"

/** Settles what its children left unfinished: leases go back, and whoever waits hears that it was in vain. */
interface Abandoned {
  readonly abandon: Effect.Effect<void>
}

/**
 * `make` builds the part over a fresh supervisor. When that ends (a bug, or the end of the hive) its children are
 * stopped first, and only then what they held is given back.
 */
export const branch = <K extends "downloads" | "installs" | "workers">(
  id: K,
  parts: Parts,
  make: (ref: SupervisorRef, machines: Machines) => NonNullable<Parts[K]> & Abandoned
): ChildSpec<ActorSystem> => ({
  id,
  shutdown: "infinity",
  start: Effect.gen(function* () {
    const { machines } = parts
    if (machines === undefined) return yield* Effect.dieMessage(`${id} before machines`)
    let part: Abandoned | undefined
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        parts[id] = undefined
        return part?.abandon ?? Effect.void
      })
    )
    const made = yield* supervisor({ path: `hive/${id}`, children: [], intensity: 5, period: "30 seconds" })
    const fresh = make(made.ref, machines)
    part = fresh
    parts[id] = fresh
    return made
  })
})
