/** How long nothing has gone on here, which is what its machine may be put to sleep for. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Parts } from "./common/parts.ts"
import { CurrentInstalls } from "./devices/installs.ts"
import { CurrentDownloads } from "./models/downloads.ts"
import { CurrentUsage } from "./usage.ts"
import { CurrentWorkers } from "./workers/workers.ts"

/** Something is fetched or installed, or a worker loads, decodes or, where that counts, is to stay. */
export const isBusy = <R>(pinnedCounts: Effect.Effect<boolean, never, R>): Effect.Effect<boolean, never, Parts | R> =>
  Effect.gen(function* () {
    const parts = yield* Parts
    if ((parts.find(CurrentDownloads)?.count ?? 0) + (parts.find(CurrentInstalls)?.count ?? 0) > 0) return true
    return yield* parts.find(CurrentWorkers)?.inUse(yield* pinnedCounts) ?? Effect.succeed(false)
  })

export class Rest extends Context.Tag("rbee/hive/Rest")<
  Rest,
  {
    /** Milliseconds since it did anything, or was called for work; 0: it is busy. What is short and between two looks was called for. */
    readonly idleMs: Effect.Effect<number>
  }
>() {
  static readonly layer = Layer.effect(
    Rest,
    Effect.gen(function* () {
      const parts = yield* Parts
      const usage = yield* CurrentUsage
      const busy = Effect.provideService(isBusy(Effect.succeed(true)), Parts, parts)
      let busyAt = Number.NEGATIVE_INFINITY
      return {
        idleMs: Effect.gen(function* () {
          const isBusyNow = yield* busy
          const now = yield* Clock.currentTimeMillis
          if (isBusyNow) busyAt = now
          // a clock that was set back
          return Math.max(0, now - Math.max(busyAt, usage.calledAt))
        })
      }
    })
  )
}
