/**
 * Who makes room: which idle workers are unloaded so that another model fits, by cost (seconds to load again × chance
 * that somebody wants it ÷ bytes). Never busy or pinned ones, and a just loaded one not at once, so that two models
 * that want the same memory do not chase each other out at every request.
 */
import { mayReloadAt } from "../memory/context.ts"
import { loadSeconds } from "./cost.ts"
import type { ResidentFacts } from "./fleet-facts.ts"
import type { ModelRef } from "../../vocabulary/ids.ts"

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
/** From when on a worker may be unloaded for others, milliseconds since 1970. */
export const mayGoAt = ({ memoryMb, readyAt }: Pick<ResidentFacts, "memoryMb" | "readyAt">): number =>
  readyAt + residencyMs(memoryMb)
/** From when on it may be unloaded for a worker with this model: for one of its own, which has more context, not often. */
export const mayGoFor = (worker: ResidentFacts, model: ModelRef): number =>
  worker.model === model ? Math.max(mayGoAt(worker), mayReloadAt(worker.reloadedAt)) : mayGoAt(worker)
/** How long a job waits before workers are closed to new work for its sake. */
export const patienceOf = (mb: number): number => within(patienceTimes * loadSeconds(mb) * 1000, patienceMs)

/** The model's uses of late, as `Fleet.heat` tells them. */
export type Heat = (model: ModelRef) => number

/** seconds that unloading takes in itself */
export const unloadSeconds = 0.3

/** Seconds that unloading it is expected to cost: its own, and those of loading it again if somebody wants it. */
export const unloadCost = ({ memoryMb, model }: ResidentFacts, heat: Heat): number => {
  const uses = heat(model)
  return unloadSeconds + (loadSeconds(memoryMb) * uses) / (1 + uses)
}

export type Room =
  | { readonly kind: "now"; readonly evict: ReadonlyArray<ResidentFacts>; readonly seconds: number }
  /** those that would do are busy, on their way or just loaded; `at`: when the last of the just loaded may go */
  | { readonly kind: "later"; readonly evict: ReadonlyArray<ResidentFacts>; readonly at: number }
  | { readonly kind: "never" }

interface Priced {
  readonly worker: ResidentFacts
  readonly cost: number
}

const byName = (a: Priced, b: Priced): number => (a.worker.worker < b.worker.worker ? -1 : 1)
const costOf = (list: ReadonlyArray<Priced>): number => list.reduce((sum, { cost }) => sum + cost, 0)

/** The cheapest workers whose memory is enough: the best single one, or many by cost a byte, whatever costs less. */
const cheapest = (
  workers: ReadonlyArray<ResidentFacts>,
  shortMb: number,
  heat: Heat
): ReadonlyArray<Priced> | undefined => {
  if (workers.reduce((sum, { memoryMb }) => sum + memoryMb, 0) < shortMb) return undefined
  const priced = workers.map((worker): Priced => ({ worker, cost: unloadCost(worker, heat) }))
  let single: Priced | undefined
  for (const one of priced)
    if (one.worker.memoryMb >= shortMb && (single === undefined || one.cost < single.cost)) single = one
  const taken: Array<Priced> = []
  let freed = 0
  for (const one of priced.sort((a, b) => a.cost / a.worker.memoryMb - b.cost / b.worker.memoryMb || byName(a, b))) {
    if (freed >= shortMb) break
    taken.push(one)
    freed += one.worker.memoryMb
  }
  // what the others suffice without stays
  for (const one of taken.toSorted((a, b) => b.cost - a.cost)) {
    if (freed - one.worker.memoryMb < shortMb) continue
    taken.splice(taken.indexOf(one), 1)
    freed -= one.worker.memoryMb
  }
  return single !== undefined && single.cost < costOf(taken) ? [single] : taken
}

const mayEverGo = ({ isPinned }: ResidentFacts): boolean => !isPinned

/** MB that they hold together, but for those that stay. */
export const spareMb = (workers: ReadonlyArray<ResidentFacts>): number =>
  workers.filter(mayEverGo).reduce((sum, { memoryMb }) => sum + memoryMb, 0)

/** Which of a device's workers make `shortMb` of room for a model. */
export const makeRoom = (
  workers: ReadonlyArray<ResidentFacts>,
  shortMb: number,
  heat: Heat,
  now: number,
  model: ModelRef
): Room => {
  const goesAt = (worker: ResidentFacts) => mayGoFor(worker, model)
  const others = workers.filter(mayEverGo)
  const idle = others.filter((worker) => worker.isServing && worker.free === worker.slots && now >= goesAt(worker))
  const evict = cheapest(idle, shortMb, heat)
  if (evict !== undefined) return { kind: "now", evict: evict.map(({ worker }) => worker), seconds: costOf(evict) }
  const later = cheapest(others, shortMb, heat)?.map(({ worker }) => worker)
  return later === undefined
    ? { kind: "never" }
    : { kind: "later", evict: later, at: Math.max(now, ...later.map(goesAt)) }
}
