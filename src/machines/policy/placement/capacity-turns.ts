/**
 * Whose turn it is among the jobs that wait for room. The longest waiting goes first. A job whose patience is spent
 * has the workers that hold its room closed to new work, so that nobody waits for ever behind a busy model. One that
 * needs more context than its model's worker has closes that at once: whoever comes is served by the larger one, too.
 */
import type { Fleet } from "./fleet.ts"
import type { Place } from "./place.ts"
import { placeKey } from "./place.ts"
import { makeRoom, mayGoFor, patienceOf } from "./residency.ts"
import type { Hope } from "./search.ts"
import type { JobId, WorkerId, ModelRef } from "../../vocabulary/ids.ts"

export interface CapacityWait {
  readonly job: JobId
  readonly model: ModelRef
  /** milliseconds since 1970: since when it waits, over all its tries */
  readonly since: number
  /** devices that would do, best first */
  readonly hopes: ReadonlyArray<Hope>
  /** a device that is none of these, has room by now and is not among the given */
  readonly elsewhere?: (now: number, taken: ReadonlySet<string>) => Place | undefined
}

export interface CapacityTurns {
  /** these may look for a place again; workers of its model that a job replaces take no new work until it has */
  readonly go: ReadonlyArray<{ readonly job: JobId; readonly replaces: ReadonlyArray<WorkerId> }>
  /** workers that take no new work */
  readonly close: ReadonlySet<WorkerId>
  /** when there may be more to say without anything else having changed, milliseconds since 1970 */
  readonly at: number | undefined
}

/** `waits`: longest first. */
export const takeCapacityTurns = (waits: ReadonlyArray<CapacityWait>, fleet: Fleet, now: number): CapacityTurns => {
  const go: Array<CapacityTurns["go"][number]> = []
  const close = new Set<WorkerId>()
  /** room that others before have their eyes on */
  const spoken = new Set<string>()
  let at: number | undefined
  const soonest = (time: number): void => {
    if (time > now && (at === undefined || time < at)) at = time
  }
  for (const { elsewhere, hopes, job, model, since } of waits) {
    const rooms = hopes.flatMap((hope) => {
      if (spoken.has(placeKey(hope))) return []
      const device = fleet.device(hope)
      if (device === undefined) return [{ hope, room: { kind: "now" as const, evict: [], seconds: 0 } }]
      const short = hope.requiredMb - device.freeMb
      if (short <= 0) return [{ hope, room: { kind: "now" as const, evict: [], seconds: 0 } }]
      const heat = (one: ModelRef) => fleet.seen.heat(one, now)
      return [{ hope, room: makeRoom(fleet.residentsOn(hope), short, heat, now, model) }]
    })
    const [ready] = rooms
      .flatMap(({ hope, room }) => (room.kind === "now" ? [{ hope, room }] : []))
      .toSorted((a, b) => a.room.seconds - b.room.seconds)
    if (ready !== undefined) {
      go.push({ job, replaces: ready.room.evict.filter((one) => one.model === model).map(({ worker }) => worker) })
      spoken.add(placeKey(ready.hope))
      continue
    }
    const other = elsewhere?.(now, spoken)
    if (other !== undefined) {
      go.push({ job, replaces: [] })
      spoken.add(placeKey(other))
      continue
    }
    const [first] = rooms.flatMap(({ hope, room }) => (room.kind === "later" ? [{ hope, room }] : []))
    if (first === undefined) {
      // nothing left to hope for, or others are before it: the former finds out by looking again
      if (rooms.length > 0) go.push({ job, replaces: [] })
      continue
    }
    soonest(first.room.at)
    spoken.add(placeKey(first.hope))
    const isReload = first.room.evict.every((one) => one.model === model)
    const patience = isReload ? since : since + patienceOf(first.hope.requiredMb)
    if (now < patience) soonest(patience)
    // Those for whom a worker is being loaded, or was only just, have their answers first: else they would never have any.
    else for (const one of first.room.evict) if (one.isServing && now >= mayGoFor(one, model)) close.add(one.worker)
  }
  return { go, close, at }
}
