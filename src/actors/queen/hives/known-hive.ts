/** A hive that the queen knows: how it was added, what is known of it, who waits for it. */
import * as Effect from "effect/Effect"
import type { HiveTarget } from "../../../layers/hive-launcher/index.ts"
import type { HiveRow } from "../../../layers/queen-catalog/index.ts"
import { rbeeError } from "../../../machines/errors.ts"
import type { hiveMachine } from "../../../machines/hive.ts"
import type { SessionRequest } from "../../../machines/vocabulary/job.ts"
import type { MachineActor } from "../../core/machine/machine-actor.ts"
import type { HiveEntry } from "../cluster/hive-entry.ts"
import { Events } from "../log/event-ring.ts"
import type { Narrate } from "../log/job-log.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

/** Who waits for a hive: it hears the lines of step 3A. */
export interface Waiter {
  readonly narrate: Narrate
  readonly session: SessionRequest | undefined
  /** wants it also where it belongs to another queen */
  readonly takeOver?: boolean | undefined
}

export interface KnownHive {
  /** as it was added; how its machine is woken, and what is known of its sleep, may change */
  row: HiveRow
  /** its last process that this queen claimed, and where */
  last: Pick<HiveRow, "url" | "instance">
  readonly target: HiveTarget
  /** the queen's own, or one over SSH: it can be started from here */
  readonly isWakeable: boolean
  readonly entry: HiveEntry
  readonly waiters: Set<Waiter>
  /** it had workers or jobs when it was lost: then it is woken again without being asked */
  wasUsed: boolean
  /** when it was last tried to have its machine sleep, milliseconds since 1970 */
  triedSleepAt: number
}

/** One whose actor has been started. */
export interface Running {
  readonly hive: KnownHive
  readonly actor: MachineActor<typeof hiveMachine>
}

export const notFound = (id: HiveId) =>
  rbeeError("HIVE_NOT_FOUND", `there is no hive ${id}`, "`rbee hives ls` lists them", { hive: id })

/** To all who wait for it, or where nobody does to who follows the queen's events. */
export const narrateOf = ({ row, waiters }: KnownHive): Effect.Effect<Narrate, never, Events> =>
  Effect.map(Events, (events) => (line, ids) => {
    const all = { hiveId: row.id, ...ids }
    if (waiters.size === 0) events.narrate(line, all)
    for (const waiter of waiters) waiter.narrate(line, all)
  })

/** It holds the cluster's token, as hives that were started by hand did: nothing is sent to it. */
export const isUninvited = ({ isWakeable, row }: KnownHive): boolean => !isWakeable && row.joined === undefined

/** Whoever is not the queen's own and not over SSH has a secret of its own, or nothing is sent to it. */
export const notInvited = (id: HiveId) =>
  rbeeError(
    "INVALID_REQUEST",
    `hive ${id} has no invitation, and no other hive than this machine's own has the cluster's token`,
    `Start it there with what \`rbee hives invite ${id}\` prints, or add its machine over SSH: \`rbee hives add ${id}\``,
    { field: "url", hive: id, permanent: true }
  )
