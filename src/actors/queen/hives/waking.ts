/** Step 3A of the flow (docs/design.md#the-flow): a hive that runs is taken as it is, one that does not is started. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { HiveLauncher } from "../../../layers/hive-launcher/index.ts"
import type { HiveRow } from "../../../layers/queen-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { fact } from "../../../machines/facts.ts"
import * as say from "../../../machines/narration.ts"
import { SessionBook } from "../sessions/stored-sessions.ts"
import { isUp, rouse } from "./asleep/rousing.ts"
import { claim, claimLasting } from "./claiming.ts"
import { isToUpgrade, upgraded } from "./elsewhere/upgrading.ts"
import { findOrEnd, leaveMs, untilLeft } from "./finding.ts"
import { isUninvited, type KnownHive, narrateOf, notInvited } from "./known-hive.ts"

/** Hives of other machines that are woken at once: each has an SSH connection and a program on it. */
const wakingsMax = 4

export class Wakings extends Context.Tag("rbee/queen/Wakings")<Wakings, Effect.Semaphore>() {
  static readonly layer = Layer.effect(Wakings, Effect.makeSemaphore(wakingsMax))
}

/** Where its machine sleeps, that is woken first: one that cannot be is taken to be awake. */
export const wake = (hive: KnownHive) => (hive.row.power === undefined ? wakeHive(hive) : rouseAndWake(hive))

const rouseAndWake = (hive: KnownHive) =>
  Effect.gen(function* () {
    const rousedAt = yield* rouse(hive)
    const claimed = yield* rousedAt === undefined ? wakeHive(hive) : Effect.retry(wakeHive(hive), untilItListens)
    yield* isUp(hive, rousedAt)
    return claimed
  })

/** Its machine is about to be there; what of it begins first may not be all that it takes. */
const untilItListens = {
  while: ({ code }: RbeeError) => code === "SSH_UNREACHABLE",
  schedule: Schedule.intersect(Schedule.spaced("250 millis"), Schedule.recurs(40))
}

const wakeHive = (hive: KnownHive) =>
  Effect.gen(function* () {
    const running = yield* findOrEnd(hive)
    if (running !== undefined) {
      const claimed = yield* claimLasting(hive, running)
      if (claimed !== undefined) return claimed
      yield* untilLeft(hive, "100 millis", leaveMs)
    }
    if (isUninvited(hive)) return yield* notInvited(hive.row.id)
    if (!hive.isWakeable) return yield* startedElsewhere(hive.row)
    return yield* start(hive)
  })

const start = (hive: KnownHive) =>
  Effect.gen(function* () {
    const { row, target, waiters } = hive
    const narrate = yield* narrateOf(hive)
    narrate(say.hiveWake(target.at))
    const launched = (yield* HiveLauncher).wake(target)
    const waking = Effect.catchAll(launched, (error) =>
      Effect.gen(function* () {
        const theirs = error.code === "VERSION_MISMATCH" ? fact(error, "hive_version") : undefined
        if (theirs === undefined || !(yield* isToUpgrade(hive, theirs))) return yield* error
        yield* upgraded(hive, theirs)
        return yield* launched
      })
    )
    const { url, woken } = yield* row.ssh === undefined ? waking : (yield* Wakings).withPermits(1)(waking)
    if (woken) {
      const users = [...waiters].map(({ session }) => session)
      ;(yield* SessionBook).woke("hive", row.id, undefined, users)
    }
    return yield* claim(hive, url, woken)
  })

const startedElsewhere = ({ id, url = "an address of its own" }: HiveRow) =>
  rbeeError(
    "CONNECTION_TIMEOUT",
    `hive ${id} does not answer at ${url}, and was not started by this queen`,
    `Start it there again, or forget it: \`rbee hives rm ${id}\``,
    { hive: id, permanent: true }
  )
