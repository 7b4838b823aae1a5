/** The queen's own life, as others of her parts know it: they tell it whether she is of use, and when she is to end. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { type QueenEvent, queenMachine } from "../../../machines/queen.ts"
import { ActorSystem } from "../../core/system.ts"
import { LiveJobs } from "../log/live-jobs.ts"

/** Where her own actor lives. */
export const ownPath = "queen"

export class OwnLife extends Context.Tag("rbee/queen/OwnLife")<
  OwnLife,
  {
    /** Somebody uses the queen: her idle time starts anew. */
    readonly touch: () => void
    /** She does not end for being idle: she was started so, or told so since. */
    readonly stays: () => boolean
    readonly stay: Effect.Effect<void>
    /** Comes true when she was told to stay. */
    readonly stayed: Effect.Effect<void>
    /** The next queen, of this version, is to go on with what she has. */
    readonly handOver: (to: string) => Effect.Effect<void>
    /** Comes true when she was told so. */
    readonly handingOver: Effect.Effect<string>
    /** Her end begins. */
    readonly leave: Effect.Effect<void>
    /** Comes true when her end has begun. */
    readonly leaving: Effect.Effect<void>
    /** The whole protocol; returns at once. */
    readonly shutdown: (cascade: boolean) => Effect.Effect<void>
  }
>() {
  static readonly layer = Layer.scoped(
    OwnLife,
    Effect.gen(function* () {
      const system = yield* ActorSystem
      const jobs = yield* LiveJobs
      const { queen } = yield* CurrentSettings
      const clock = yield* Effect.clock
      const fork = yield* FiberSet.makeRuntime<never>()
      // Before she is up and after her end there is nobody to tell.
      const tell = (event: QueenEvent): Effect.Effect<void> =>
        Effect.flatMap(
          system.find(queenMachine, ownPath),
          Option.match({ onNone: () => Effect.void, onSome: (ref) => ref.tell(event) })
        )
      const stayed = yield* Deferred.make<void>()
      const leaving = yield* Deferred.make<void>()
      const handover = yield* Deferred.make<string>()
      let stays = queen.idleMs === Number.POSITIVE_INFINITY
      // so many uses in a row, with every heartbeat of a hive in use among them, that not each is told
      const touchEvery = Math.min(1000, queen.idleMs / 10)
      let touchedAt = yield* Clock.currentTimeMillis

      jobs.onBusy((isBusy) => {
        fork(tell({ type: isBusy ? "BUSY" : "IDLE" }))
      })
      return {
        touch: () => {
          const now = clock.unsafeCurrentTimeMillis()
          if (jobs.isBusy || now - touchedAt < touchEvery) return
          touchedAt = now
          fork(tell({ type: "IDLE" }))
        },
        stays: () => stays,
        stay: Effect.suspend(() => {
          stays = true
          return Effect.zipRight(tell({ type: "STAY" }), Deferred.succeed(stayed, undefined))
        }),
        stayed: Deferred.await(stayed),
        handOver: (to) => Deferred.succeed(handover, to),
        handingOver: Deferred.await(handover),
        leave: Effect.asVoid(Deferred.succeed(leaving, undefined)),
        leaving: Deferred.await(leaving),
        shutdown: (cascade) => tell({ type: "SHUTDOWN", cascade })
      }
    })
  )
}
