/**
 * Who makes room: which idle workers are unloaded so that another model fits, by cost (seconds to load again × chance
 * that somebody wants it ÷ bytes). Never busy or pinned ones, and a just loaded one not at once, so that two models
 * that want the same memory do not chase each other out at every request.
 */
import { loadSeconds } from "./cost.ts"
import type { ResidentFacts } from "./fleet.ts"

/** A worker stays at least this many times what loading it took, within these bounds, milliseconds. */
const stayTimes = 4
const stayMs = { min: 2000, max: 60_000 }
/** A job that waits for room gets it at the latest when others have used the memory for so long, milliseconds. */
const patienceTimes = 8
const patienceMs = { min: 5000, max: 120_000 }

const within = (value: number, { max, min }: { readonly min: number; readonly max: number }): number =>
  Math.min(max, Math.max(min, value))

/** How long a worker stays after it was loaded. */
export const residencyMs = (mb: number): number => within(stayTimes * loadSeconds(mb) * 1000, stayMs)
/** How long a job waits before workers are closed to new work for its sake. */
export const patienceOf = (mb: number): number => within(patienceTimes * loadSeconds(mb) * 1000, patienceMs)

/** The model's uses of late, as `Fleet.heat` tells them. */
export type Heat = (model: string) => number

/** seconds that unloading takes in itself */
const unloadSeconds = 0.3

/** Seconds that unloading it is expected to cost: its own, and those of loading it again if somebody wants it. */
export const unloadCost = ({ memoryMb, model }: ResidentFacts, heat: Heat): number => {
  const uses = heat(model)
  return unloadSeconds + (loadSeconds(memoryMb) * uses) / (1 + uses)
}

export type Room =
  | { readonly kind: "now"; readonly evict: ReadonlyArray<ResidentFacts>; readonly seconds: number }
  /** those that would do are busy or just loaded; `at`: when the last of the just loaded may go */
  | { readonly kind: "later"; readonly evict: ReadonlyArray<ResidentFacts>; readonly at: number }
  | { readonly kind: "never" }

/** The cheapest workers whose memory is enough: the best single one, or many by cost a byte, whatever costs less. */
const cheapest = (
  workers: ReadonlyArray<ResidentFacts>,
  shortMb: number,
  heat: Heat
): ReadonlyArray<ResidentFacts> | undefined => {
  const cost = (worker: ResidentFacts) => unloadCost(worker, heat)
  const sum = (list: ReadonlyArray<ResidentFacts>) => list.reduce((seconds, worker) => seconds + cost(worker), 0)
  const byCost = workers.toSorted((a, b) => cost(a) - cost(b) || (a.worker < b.worker ? -1 : 1))
  const single = byCost.find(({ memoryMb }) => memoryMb >= shortMb)
  const perByte = workers.toSorted(
    (a, b) => cost(a) / a.memoryMb - cost(b) / b.memoryMb || (a.worker < b.worker ? -1 : 1)
  )
  const taken: Array<ResidentFacts> = []
  let freed = 0
  for (const worker of perByte) {
    if (freed >= shortMb) break
    taken.push(worker)
    freed += worker.memoryMb
  }
  if (freed < shortMb) return undefined
  // what the others suffice without stays
  for (const worker of taken.toSorted((a, b) => cost(b) - cost(a))) {
    if (freed - worker.memoryMb < shortMb) continue
    taken.splice(taken.indexOf(worker), 1)
    freed -= worker.memoryMb
  }
  return single !== undefined && cost(single) < sum(taken) ? [single] : taken
}

/** Which of a device's workers make `shortMb` of room. */
export const makeRoom = (workers: ReadonlyArray<ResidentFacts>, shortMb: number, heat: Heat, now: number): Room => {
  const mayGoAt = (worker: ResidentFacts) => worker.readyAt + residencyMs(worker.memoryMb)
  const others = workers.filter((worker) => !worker.isPinned)
  const evict = cheapest(
    others.filter((worker) => worker.free === worker.slots && now >= mayGoAt(worker)),
    shortMb,
    heat
  )
  if (evict !== undefined) {
    return { kind: "now", evict, seconds: evict.reduce((sum, worker) => sum + unloadCost(worker, heat), 0) }
  }
  const later = cheapest(others, shortMb, heat)
  return later === undefined
    ? { kind: "never" }
    : { kind: "later", evict: later, at: Math.max(now, ...later.map(mayGoAt)) }
}
