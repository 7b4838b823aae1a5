/** How a hive ends: told to, or by itself when it was of no use for its time. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { Parts } from "./common/parts.ts"
import { CurrentHive, HiveWorld } from "./common/ports.ts"
import { CurrentInstalls } from "./devices/installs.ts"
import { CurrentHeartbeat } from "./heartbeat.ts"
import { CurrentDownloads } from "./models/downloads.ts"
import { CurrentOwnership } from "./ownership.ts"
import { CurrentUsage } from "./usage.ts"
import { CurrentWorkers } from "./workers/workers.ts"

export type Why = "shutdown" | "idle"

export class Ending extends Context.Tag("rbee/hive/Ending")<
  Ending,
  {
    /** it takes no new work */
    readonly hasBegun: () => boolean
    /** Drains, stops the workers; returns when they are gone. Asked again, it waits for the same end. */
    readonly shutdown: (drainMs: number, why?: Why) => Effect.Effect<void>
    /** Comes true when the hive may end. */
    readonly over: Effect.Effect<Why>
  }
>() {
  static readonly layer = Layer.effect(
    Ending,
    Effect.gen(function* () {
      const { id } = yield* CurrentHive
      const parts = yield* Parts
      const over = yield* Deferred.make<Why>()
      const stopped = yield* Deferred.make<void>()
      let hasBegun = false
      const end = (drainMs: number, why: Why) =>
        Effect.gen(function* () {
          yield* Effect.logInfo(`hive ${id} ends (${why})`)
          yield* parts.find(CurrentWorkers)?.stopAll(drainMs) ?? Effect.void
          yield* Deferred.succeed(stopped, undefined)
          yield* Deferred.succeed(over, why)
        }).pipe(Effect.uninterruptible)
      return {
        hasBegun: () => hasBegun,
        shutdown: (drainMs, why = "shutdown") =>
          Effect.suspend(() => {
            if (hasBegun) return Deferred.await(stopped)
            hasBegun = true
            return end(drainMs, why)
          }),
        over: Deferred.await(over)
      }
    })
  )
}

/** For calls that make work: a hive that is about to end takes none. */
export const open: Effect.Effect<void, RbeeError<"SHUTTING_DOWN">, CurrentUsage | Ending> = Effect.gen(function* () {
  if ((yield* Ending).hasBegun()) return yield* rbeeError("SHUTTING_DOWN", "this hive is shutting down", "Try again")
  yield* (yield* CurrentUsage).touch
})

const inContact = Effect.gen(function* () {
  const { settings } = yield* HiveWorld
  const { contactAt } = yield* CurrentHeartbeat
  const now = yield* Clock.currentTimeMillis
  return contactAt !== undefined && now - contactAt <= settings.hive.lostMs
})

const inUse = Effect.gen(function* () {
  const parts = yield* Parts
  if ((parts.find(CurrentDownloads)?.count ?? 0) + (parts.find(CurrentInstalls)?.count ?? 0) > 0) return true
  // Without its queen nobody can use what was pinned.
  return yield* parts.find(CurrentWorkers)?.inUse(yield* inContact) ?? Effect.succeed(false)
})

/** how long one that was woken to stay waits for the next queen, milliseconds; as one that was not, by default */
const withoutHerMs = 30 * 60_000

/** Ends the hive when it has stood idle for its time. */
export const endWhenIdle = Effect.gen(function* () {
  const context = yield* Effect.context<CurrentHeartbeat | HiveWorld | Parts>()
  const { hive, isWoken = false, shutdown } = (yield* HiveWorld).settings
  const ownership = yield* CurrentOwnership
  const usage = yield* CurrentUsage
  const heartbeat = yield* CurrentHeartbeat
  // One of which nobody wants anything, not even to own it, is nobody's: who woke it died, and its name was forgotten.
  const isClaimed = () => (isWoken ? heartbeat.contactAt !== undefined : ownership.owner !== undefined)
  const isStray = () => !isClaimed() && usage.isUnused
  // One that a queen has stay is hers: it stays as long as she does, and then waits for the next one as any other.
  const isWokenToStay = isWoken && hive.idleMs === Number.POSITIVE_INFINITY
  const isHers = () => ownership.stays || isWokenToStay
  const usualMs = isWokenToStay ? withoutHerMs : hive.idleMs
  const idleMs = () => (ownership.wokenCold || isStray() ? hive.idleColdMs : usualMs)
  const isKept = Effect.map(inContact, (isThere) => isHers() && !ownership.wokenCold && isThere)
  const isUsed = Effect.flatMap(isKept, (kept) => (kept ? Effect.succeed(true) : inUse))
  yield* usage.idle({ idleMs, inUse: Effect.provide(isUsed, context) })
  yield* (yield* Ending).shutdown(shutdown.drainMs, "idle")
})
