/** Who looks on while a plan runs: told of every step of every actor. The run is the same without one. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ActorSystem, type Observation } from "../../actors/core/system.ts"
import type { SimProcess } from "../world/process.ts"

export interface Onlooker {
  /** a daemon, before its first actor */
  readonly started?: (process: SimProcess) => void
  readonly saw: (process: SimProcess, seen: Observation) => void
  readonly ended?: (process: SimProcess) => void
  /** a fault, as `kernel.note` says it */
  readonly struck?: (what: string, atMs: number) => void
}

/** The actor system of a daemon, with whoever looks on. */
export const layerSystem = (process: SimProcess, onlooker: Onlooker | undefined): Layer.Layer<ActorSystem> =>
  Layer.effect(
    ActorSystem,
    Effect.tap(ActorSystem.make, (system) =>
      Effect.sync(() => {
        if (onlooker === undefined) return
        onlooker.started?.(process)
        system.tap((seen) => onlooker.saw(process, seen))
        process.exited(() => onlooker.ended?.(process))
      })
    )
  )
