/** A machine is put to sleep: nobody uses it for all that the queen knows, and its hive agrees. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { HiveLauncher } from "../../../../layers/hive-launcher/index.ts"
import { QueenCatalog } from "../../../../layers/queen-catalog/index.ts"
import { rbeeError } from "../../../../machines/errors.ts"
import type { Claimed } from "../../../../machines/hive.ts"
import * as say from "../../../../machines/narration.ts"
import { usualMs } from "../../../../machines/policy/wake-time.ts"
import type { Heartbeat } from "../../../../machines/vocabulary/hive.ts"
import { Cluster } from "../../cluster/cluster-view.ts"
import { Events } from "../../log/event-ring.ts"
import { LiveJobs } from "../../log/live-jobs.ts"
import { storing } from "../claiming.ts"
import { hiveAt } from "../hive-calls.ts"
import type { KnownHive } from "../known-hive.ts"
import { wokenMs } from "./rousing.ts"

/** its workers end, and the command that puts the machine to sleep runs */
const suspendMs = 90_000

/** It was idle for its time, and did not refuse within that time. */
export const mayRest = ({ row, triedSleepAt }: KnownHive, { idle_ms }: Heartbeat, now: number): boolean => {
  const afterMs = (row.power?.sleep_after_s ?? Number.POSITIVE_INFINITY) * 1000
  return idle_ms !== undefined && idle_ms >= afterMs && now - triedSleepAt >= afterMs
}

/** By now nothing is placed there any more; what was before is asked of the queen's own books, and of the hive. */
export const suspend = (hive: KnownHive, claimed: Claimed | undefined) =>
  Effect.gen(function* () {
    const { id, power } = hive.row
    hive.triedSleepAt = yield* Clock.currentTimeMillis
    const isHeld = (yield* Cluster).workersOn(id).some(({ busy }) => busy > 0)
    if (isHeld || hive.waiters.size > 0 || (yield* LiveJobs).on(id) > 0)
      return yield* rbeeError("CONFLICT", `hive ${id} is of use`)
    if (claimed === undefined || power?.sleep_after_s === undefined)
      return yield* rbeeError("INTERNAL", `hive ${id} is not one that may sleep`)
    const api = yield* hiveAt(claimed.url)
    yield* api.suspend({ idle_ms: power.sleep_after_s * 1000 }).pipe(
      // it may have been faster than its answer: one that is awake is found so when it is wanted
      Effect.catchIf(
        ({ code }) => code === "CONNECTION_TIMEOUT",
        () => Effect.void
      ),
      Effect.timeoutFail({
        duration: suspendMs,
        onTimeout: () => rbeeError("CONNECTION_TIMEOUT", `hive ${id} does not say whether its machine sleeps`)
      })
    )
    ;(yield* Events).narrate(say.hiveSleeps(id, power.sleep_after_s), { hiveId: id })
  }).pipe(Effect.tapError((error) => Effect.logInfo(`hive ${hive.row.id} stays awake: ${error.message}`)))

/** It is known to the next queen, too; and what it will have when it is woken is known to who looks for room. */
export const fallAsleep = (hive: KnownHive) =>
  Effect.gen(function* () {
    const { capabilities } = yield* QueenCatalog
    const known = yield* Effect.orElseSucceed(capabilities.get(hive.row.id), () => undefined)
    hive.entry.sleep({ devices: known?.devices, usualMs: usualMs(wokenMs(hive)) })
    const since = hive.row.sleep?.since ?? (yield* Clock.currentTimeMillis)
    hive.row = { ...hive.row, sleep: { since, woke_ms: wokenMs(hive) } }
    yield* Effect.forkDaemon(yield* storing(hive))
    yield* (yield* HiveLauncher).letGo(hive.target)
  })
