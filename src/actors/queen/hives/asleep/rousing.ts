/**
 * A machine that sleeps is woken: packets for its network card, until its sshd is there. Only for somebody who waits for its
 * hive: a look at it, a list or a page wakes nothing.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { HiveLauncher } from "../../../../layers/hive-launcher/index.ts"
import { Wake } from "../../../../layers/power/index.ts"
import { rbeeError } from "../../../../machines/errors.ts"
import * as say from "../../../../machines/narration.ts"
import { usualMs, withWaking } from "../../../../machines/policy/wake-time.ts"
import type { Power } from "../../../../machines/vocabulary/place.ts"
import { storing } from "../claiming.ts"
import { type KnownHive, narrateOf } from "../known-hive.ts"

/** A card may miss one while it falls asleep; who is awake is not disturbed. */
const callEvery = "2 seconds"
/** looks whether it is there */
const lookEvery = "250 millis"
/** A server with much memory counts it for minutes. */
const wakeMs = 5 * 60_000

export const wokenMs = ({ row }: KnownHive): ReadonlyArray<number> => row.sleep?.woke_ms ?? []

/**
 * Returns when its machine is there, and since when it was woken, milliseconds since 1970; undefined: it was there, or
 * cannot be woken.
 */
export const rouse = (hive: KnownHive) =>
  Effect.gen(function* () {
    const { power, sleep } = hive.row
    if (power === undefined || hive.waiters.size === 0) return undefined
    const launcher = yield* HiveLauncher
    // of one that is known to sleep nobody waits for the silence
    if (sleep?.since === undefined && (yield* launcher.reachable(hive.target))) return undefined
    const narrate = yield* narrateOf(hive)
    const usual = usualMs(wokenMs(hive))
    narrate(say.hiveRouse(hive.row.id, usual === undefined ? undefined : usual / 1000))
    const since = yield* Clock.currentTimeMillis
    yield* Effect.raceFirst(calling(hive, power), untilThere(hive)).pipe(
      Effect.timeoutFail({ duration: wakeMs, onTimeout: () => doesNotWake(hive, power) })
    )
    return since
  })

/** As long as somebody waits. */
const calling = (hive: KnownHive, power: Power) =>
  Effect.gen(function* () {
    const { call } = yield* Wake
    while (hive.waiters.size > 0) {
      yield* call(power)
      yield* Effect.sleep(callEvery)
    }
    return yield* rbeeError("CANCELLED", `nobody waits for hive ${hive.row.id} any more`)
  })

const untilThere = ({ target }: KnownHive) =>
  Effect.flatMap(HiveLauncher, (launcher) =>
    Effect.repeat(launcher.reachable(target), {
      until: (isThere) => isThere,
      schedule: Schedule.spaced(lookEvery)
    })
  )

const doesNotWake = ({ row: { id } }: KnownHive, { mac }: Power) =>
  rbeeError(
    "SSH_UNREACHABLE",
    `the machine of hive ${id} was called at ${mac} for ${wakeMs / 60_000} minutes and is not there`,
    "Is that its MAC address, does its firmware allow Wake-on-LAN, and is it in a network of this machine?",
    { hive: id, permanent: true }
  )

/** Its hive is up: how long that took is known for the next time. */
export const isUp = (hive: KnownHive, rousedAt: number | undefined) =>
  Effect.gen(function* () {
    if (rousedAt === undefined && hive.row.sleep?.since === undefined) return
    const took = (yield* Clock.currentTimeMillis) - (rousedAt ?? 0)
    const woke_ms = rousedAt === undefined ? wokenMs(hive) : withWaking(wokenMs(hive), took)
    hive.row = { ...hive.row, sleep: { woke_ms } }
    yield* Effect.forkDaemon(yield* storing(hive))
  })
