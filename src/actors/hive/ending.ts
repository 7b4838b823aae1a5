/** How a hive ends: told to, or by itself when it was of no use for its time. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Suspend } from "../../layers/power/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { Parts } from "./common/parts.ts"
import { CurrentHive, HiveWorld } from "./common/ports.ts"
import { CurrentHeartbeat } from "./heartbeat.ts"
import { CurrentOwnership } from "./ownership.ts"
import { isBusy, Rest } from "./rest.ts"
import { CurrentUsage } from "./usage.ts"
import { CurrentWorkers } from "./workers/workers.ts"

export type Why = "shutdown" | "idle" | "asleep"

export class Ending extends Context.Tag("rbee/hive/Ending")<
  Ending,
  {
    /** it takes no new work */
    readonly hasBegun: () => boolean
    /** Drains, stops the workers; returns when they are gone. Asked again, it waits for the same end. */
    readonly shutdown: (drainMs: number, why?: Why) => Effect.Effect<void>
    /**
     * It was idle for so long, milliseconds: it takes no new work, its workers end, and its machine is put to sleep; then it
     * ends itself. Fails where it is of use, or the machine does not sleep: it goes on as before, then.
     */
    readonly suspend: (idleMs: number) => Effect.Effect<void, RbeeError<"CONFLICT" | "INTERNAL" | "SHUTTING_DOWN">>
    /** Comes true when the hive may end. */
    readonly over: Effect.Effect<Why>
  }
>() {
  static readonly layer = Layer.effect(
    Ending,
    Effect.gen(function* () {
      const { id } = yield* CurrentHive
      const parts = yield* Parts
      const ownership = yield* CurrentOwnership
      const rest = yield* Rest
      const { suspend: sleep } = yield* Suspend
      const over = yield* Deferred.make<Why>()
      const stopped = yield* Deferred.make<void>()
      const oneByOne = yield* Effect.makeSemaphore(1)
      let hasBegun = false
      let isLast = false
      const end = (drainMs: number, why: Why) =>
        Effect.gen(function* () {
          yield* Effect.logInfo(`hive ${id} ends (${why})`)
          yield* parts.find(CurrentWorkers)?.stopAll(drainMs) ?? Effect.void
          yield* Deferred.succeed(stopped, undefined)
          // her queen is away, who would have said so
          if (why === "idle" && ownership.sleepAfterS > 0 && !ownership.wokenCold)
            yield* Effect.catchAll(sleep, (error) => Effect.logWarning(error.message))
          yield* Deferred.succeed(over, why)
        }).pipe(Effect.uninterruptible)
      const fallAsleep = (idleMs: number): ReturnType<Ending["Type"]["suspend"]> =>
        Effect.gen(function* () {
          hasBegun = true
          // what was let in before is known by now, and nothing is let in any more
          const idle = yield* rest.idleMs
          if (idle < idleMs)
            return yield* rbeeError("CONFLICT", `hive ${id} was of use ${Math.round(idle / 1000)} s ago`)
          yield* Effect.logInfo(`hive ${id} puts its machine to sleep`)
          yield* parts.find(CurrentWorkers)?.stopAll(0) ?? Effect.void
          yield* sleep
          yield* Effect.forkDaemon(
            Effect.delay(
              Effect.suspend(() => (isLast ? Effect.void : end(0, "asleep"))),
              lastMs
            )
          )
        }).pipe(Effect.onError(() => Effect.sync(() => void (hasBegun = isLast))))
      return {
        hasBegun: () => hasBegun,
        shutdown: (drainMs, why = "shutdown") =>
          Effect.suspend(() => {
            if (isLast) return Deferred.await(stopped)
            hasBegun = isLast = true
            return oneByOne.withPermits(1)(end(drainMs, why))
          }),
        suspend: (idleMs) =>
          Effect.suspend((): ReturnType<typeof fallAsleep> => (hasBegun ? shuttingDown : fallAsleep(idleMs))).pipe(
            oneByOne.withPermits(1),
            Effect.uninterruptible
          ),
        over: Deferred.await(over)
      }
    })
  )
}

const shuttingDown = rbeeError("SHUTTING_DOWN", "this hive is shutting down", "Try again")
/** milliseconds for what it answers last to get out */
const lastMs = 100

/** For calls that make work: a hive that is about to end takes none. */
export const open: Effect.Effect<void, RbeeError<"SHUTTING_DOWN">, CurrentUsage | Ending> = Effect.gen(function* () {
  if ((yield* Ending).hasBegun()) return yield* shuttingDown
  yield* (yield* CurrentUsage).called
})

const inContact = Effect.gen(function* () {
  const { settings } = yield* HiveWorld
  const { contactAt } = yield* CurrentHeartbeat
  const now = yield* Clock.currentTimeMillis
  return contactAt !== undefined && now - contactAt <= settings.hive.lostMs
})

/** Without its queen nobody can use what was pinned. */
const inUse = isBusy(inContact)

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
  const isHers = () => ownership.stays || isWokenToStay || ownership.sleepAfterS > 0
  const usualMs = isWokenToStay ? withoutHerMs : hive.idleMs
  const idleMs = () =>
    ownership.wokenCold || isStray() ? hive.idleColdMs : Math.max(usualMs, ownership.sleepAfterS * 1000)
  const isKept = Effect.map(inContact, (isThere) => isHers() && !ownership.wokenCold && isThere)
  const isUsed = Effect.flatMap(isKept, (kept) => (kept ? Effect.succeed(true) : inUse))
  yield* usage.idle({ idleMs, inUse: Effect.provide(isUsed, context) })
  yield* (yield* Ending).shutdown(shutdown.drainMs, "idle")
})
