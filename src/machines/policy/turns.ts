/**
 * Whose turn it is among the jobs that wait for room. The longest waiting goes first. A job whose patience is spent
 * has the workers that hold its room closed to new work, so that nobody waits for ever behind a busy model.
 */
import type { Fleet, Place } from "./fleet.ts"
import { placeKey } from "./place.ts"
import { makeRoom, mayGoAt, patienceOf } from "./residency.ts"
import type { Hope } from "./search.ts"

export interface RoomWait {
  readonly job: string
  /** milliseconds since 1970: since when it waits, over all its tries */
  readonly since: number
  /** devices that would do, best first */
  readonly hopes: ReadonlyArray<Hope>
  /** a device that is none of these, has room by now and is not among the given */
  readonly elsewhere?: (now: number, taken: ReadonlySet<string>) => Place | undefined
}

export interface Turns {
  /** these may look for a place again */
  readonly go: ReadonlyArray<string>
  /** workers that take no new work */
  readonly close: ReadonlySet<string>
  /** when there may be more to say without anything else having changed, milliseconds since 1970 */
  readonly at: number | undefined
}

/** `waits`: longest first. */
export const takeTurns = (waits: ReadonlyArray<RoomWait>, fleet: Fleet, now: number): Turns => {
  const go: Array<string> = []
  const close = new Set<string>()
  /** room that others before have their eyes on */
  const spoken = new Set<string>()
  let at: number | undefined
  const soonest = (time: number): void => {
    if (time > now && (at === undefined || time < at)) at = time
  }
  for (const { elsewhere, hopes, job, since } of waits) {
    const rooms = hopes.flatMap((hope) => {
      if (spoken.has(placeKey(hope))) return []
      const device = fleet.device(hope)
      if (device === undefined) return [{ hope, room: { kind: "now" as const, evict: [], seconds: 0 } }]
      const short = hope.requiredMb - device.freeMb
      if (short <= 0) return [{ hope, room: { kind: "now" as const, evict: [], seconds: 0 } }]
      return [{ hope, room: makeRoom(fleet.residentsOn(hope), short, (model) => fleet.seen.heat(model, now), now) }]
    })
    const [ready] = rooms
      .flatMap(({ hope, room }) => (room.kind === "now" ? [{ hope, seconds: room.seconds }] : []))
      .toSorted((a, b) => a.seconds - b.seconds)
    if (ready !== undefined) {
      go.push(job)
      spoken.add(placeKey(ready.hope))
      continue
    }
    const other = elsewhere?.(now, spoken)
    if (other !== undefined) {
      go.push(job)
      spoken.add(placeKey(other))
      continue
    }
    const [first] = rooms.flatMap(({ hope, room }) => (room.kind === "later" ? [{ hope, room }] : []))
    if (first === undefined) {
      // nothing left to hope for, or others are before it: the former finds out by looking again
      if (rooms.length > 0) go.push(job)
      continue
    }
    soonest(first.room.at)
    spoken.add(placeKey(first.hope))
    const patience = since + patienceOf(first.hope.requiredMb)
    if (now < patience) soonest(patience)
    // Those for whom a worker is being loaded, or was only just, have their answers first: else they would never have any.
    else for (const one of first.room.evict) if (one.isServing && now >= mayGoAt(one)) close.add(one.worker)
  }
  return { go, close, at }
}
