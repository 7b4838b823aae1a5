/** A hive's process becomes this queen's: from then on it beats to her, and no other queen may use it. */
import * as Effect from "effect/Effect"
import { ofOneProcess } from "../../../protocol/endpoint.ts"
import { type HiveRow, QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import type { Claimed } from "../../../machines/hive.ts"
import { isOlder, mismatchOfRunning } from "../../../machines/policy/version.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { notLost } from "../cluster/hive-entry.ts"
import { OwnLife } from "../endings/own-life.ts"
import { CurrentQueen } from "../identity.ts"
import { hiveAt, untilGone } from "./hive-calls.ts"
import { isToUpgrade, upgraded } from "./elsewhere/upgrading.ts"
import type { KnownHive } from "./known-hive.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { fact } from "../../../machines/facts.ts"

/** Of one whose machine may sleep: when. */
export const asSleeper = ({ power }: HiveRow) =>
  power === undefined ? {} : { sleep_after_s: power.sleep_after_s ?? 0 }

/** How she says whose a hive is, and whether it is to stay as she does. */
export const asOwner = Effect.gen(function* () {
  const { epoch, id, name, url } = yield* CurrentQueen
  return { queen: { id, name, epoch, url }, ...((yield* OwnLife).stays() ? { stays: true } : {}) }
})

/**
 * Of another queen is a hive taken over only where she cannot be any more: she had this very address (her catalog was
 * lost), or the hive's process was started by this one just now; or where somebody says so.
 */
export const claim = (hive: KnownHive, url: string, justWoken = false) =>
  Effect.gen(function* () {
    const { row, waiters } = hive
    const api = yield* hiveAt(url)
    const isCold = waiters.size > 0 && [...waiters].every(({ session }) => session?.teardown === "cold")
    const isTakenOver = () => [...waiters].some(({ takeOver }) => takeOver === true)
    const owner = yield* asOwner
    const request = { ...owner, ...(isCold ? { woken_cold: true } : {}), ...asSleeper(row) }
    const { instance, version } = yield* api.claim(request).pipe(
      Effect.catchIf(
        (error) => error.code === "HIVE_OWNED" && (justWoken || isTakenOver() || ownerUrl(error) === owner.queen.url),
        () => api.claim({ ...request, take_over: true })
      )
    )
    // once it is hers, so that she can end it
    const mismatch = mismatchOfRunning({
      hive: row.id,
      theirs: version,
      ours: (yield* CurrentSettings).version,
      remote: row.ssh !== undefined
    })
    if (mismatch !== undefined) {
      const isHers = row.ssh === undefined && isOlder(version, (yield* CurrentSettings).version)
      if (yield* isToUpgrade(hive, version)) yield* upgraded(hive, version)
      else if (!isHers) return yield* mismatch
      // her own machine's programs are of one version: an older one makes room for hers
      yield* Effect.logInfo(`hive ${row.id} of rbee ${version} ends, for one of this version`)
      yield* api.shutdown({ deadline_ms: 0 })
      return yield* rbeeError("SHUTTING_DOWN", `hive ${row.id} of rbee ${version} ends`)
    }
    const lost = notLost()
    const claimed = { url, instance, version, api: untilGone(ofOneProcess(api, url), lost), lost }
    ;(yield* Cluster).claim(row.id, claimed)
    hive.last = { url, instance }
    yield* Effect.forkDaemon(yield* storing(hive))
    return { url, instance, version } satisfies Claimed
  })

/** One that shuts down is nobody's any more: the next one can be woken when it is gone. */
export const claimLasting = (hive: KnownHive, url: string) =>
  Effect.catchIf(
    claim(hive, url),
    (error) => error.code === "SHUTTING_DOWN",
    () => Effect.succeed(undefined)
  )

const ownerUrl = (error: RbeeError): string | undefined => {
  const owner = fact(error, "owner")
  return typeof owner === "object" ? owner.url : undefined
}

/** An effect that stores what is known of it when it is written: of two that are under way the later says as much. */
export const storing = (hive: KnownHive) =>
  Effect.map(QueenCatalog, ({ hives }) => stored(Effect.suspend(() => hives.put({ ...hive.row, ...hive.last }))))

/** What is stored serves the next queen; this one goes on without it. */
export const stored = <E>(write: Effect.Effect<void, E>): Effect.Effect<void> =>
  Effect.catchAll(write, (error) => Effect.logWarning("the queen's catalog was not written", error))
