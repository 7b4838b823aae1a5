/**
 * The watch over a queen who was to stay (docs/design.md#always-on): where she ended without goodbye, her own machine's hive
 * wakes the next one, as a keeper would. One who was told to end, ended for being idle or is of another machine is let be.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { QueenLauncher } from "../../layers/queen-launcher/index.ts"
import { backoffMs } from "../../machines/policy/restart.ts"
import { HiveWorld } from "./common/ports.ts"
import { Ending } from "./ending.ts"
import { CurrentHeartbeat } from "./heartbeat.ts"
import { CurrentOwnership } from "./ownership.ts"

/** a queen who lived this long, milliseconds, does not count against the next one */
const livedMs = 60_000
/** she is looked for when so many beats in a row were not taken */
const missedBeats = 2

/** Ends where there is nobody to wake her by, and when the hive ends. */
export const watchQueen = Effect.gen(function* () {
  const launcher = Option.getOrUndefined(yield* Effect.serviceOption(QueenLauncher))
  if (launcher === undefined) return
  const { heartbeatMs } = (yield* HiveWorld).settings.hive
  const ending = yield* Ending
  const heartbeat = yield* CurrentHeartbeat
  const ownership = yield* CurrentOwnership
  const isSilent = Effect.map(
    Clock.currentTimeMillis,
    (now) => heartbeat.contactAt !== undefined && now - heartbeat.contactAt >= missedBeats * heartbeatMs
  )
  const isLost = Effect.gen(function* () {
    if (!(yield* isSilent)) return false
    const lost = yield* launcher.lost
    // another state folder's queen, or another machine's, is not hers
    return lost !== undefined && lost.id === ownership.owner?.id && lost.url === ownership.owner.url
  })
  const wake = Effect.matchEffect(launcher.wake, {
    onSuccess: ({ woken }) => Effect.logInfo(woken ? "the next queen is awake" : "another queen is awake"),
    onFailure: ({ code, message }) => Effect.logWarning(`the next queen was not woken: ${code}: ${message}`)
  })
  let tries = 0
  let triedAt = 0
  while (!ending.hasBegun()) {
    yield* Effect.sleep(Math.max(heartbeatMs, tries === 0 ? 0 : backoffMs(tries)))
    if (ending.hasBegun() || !(yield* isLost)) continue
    const now = yield* Clock.currentTimeMillis
    tries = now - triedAt > livedMs ? 1 : tries + 1
    triedAt = now
    yield* Effect.logWarning("the queen ended without goodbye; waking the next one", { tries })
    yield* wake
  }
})
