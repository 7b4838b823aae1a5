/** A batch of seeds, or this process's share of one, and what came of it. */
import { promisify } from "node:util"
import type { Coverage } from "../watch/coverage.ts"
import type { Plan } from "./plan.ts"
import { type Outcome, runPlan } from "./run.ts"

/** Seeds from `from` on, every `stride`-th of them, until `count` of the whole batch or `untilMs` of real time. */
export interface Share {
  readonly from: number
  readonly count: number
  readonly offset: number
  readonly stride: number
  /** as `performance.now()` counts; Infinity: no limit */
  readonly untilMs: number
  /** every so many seeds one is run twice, and must run alike */
  readonly twiceEvery: number
}

/** JSON: a share tells its totals to the process that adds them up. */
export interface Totals {
  readonly seeds: number
  readonly broken: number
  /** seeds that ran differently the second time */
  readonly differing: number
  readonly virtualMs: number
  readonly steps: number
  readonly failovers: number
  /** how jobs ended → how many */
  readonly ends: Readonly<Record<string, number>>
  /** faults of the plans → how many; a journal that is late for a whole plan counts once */
  readonly faults: Readonly<Record<string, number>>
  /** state or transition of a chart → how often; empty unless coverage is asked for */
  readonly reached: Readonly<Record<string, number>>
}

export const nothing: Totals = {
  seeds: 0,
  broken: 0,
  differing: 0,
  virtualMs: 0,
  steps: 0,
  failovers: 0,
  ends: {},
  faults: {},
  reached: {}
}

const addCounts = (
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>
): Readonly<Record<string, number>> => {
  const sum = new Map(Object.entries(a))
  for (const [key, times] of Object.entries(b)) sum.set(key, (sum.get(key) ?? 0) + times)
  return Object.fromEntries([...sum].toSorted(([x], [y]) => (x < y ? -1 : 1)))
}

export const add = (a: Totals, b: Totals): Totals => ({
  seeds: a.seeds + b.seeds,
  broken: a.broken + b.broken,
  differing: a.differing + b.differing,
  virtualMs: a.virtualMs + b.virtualMs,
  steps: a.steps + b.steps,
  failovers: a.failovers + b.failovers,
  ends: addCounts(a.ends, b.ends),
  faults: addCounts(a.faults, b.faults),
  reached: addCounts(a.reached, b.reached)
})

const count = (names: ReadonlyArray<string>): Readonly<Record<string, number>> => {
  const times = new Map<string, number>()
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1)
  return Object.fromEntries(times)
}

const faultsOf = ({ faults, journalMs }: Plan): ReadonlyArray<string> => [
  ...faults.map(({ kind }) => kind),
  ...(journalMs === undefined ? [] : ["late-journal"])
]

export interface Listener {
  /** `nth` broken seed; true: that is enough */
  readonly broken: (outcome: Outcome, nth: number) => boolean
  readonly differs: (seed: number) => void
  readonly now: () => number
}

const turn = promisify(setImmediate)

/** Seed after seed; between two of them the process hears that nobody wants its share any more. */
export const runShare = async (
  share: Share,
  planFor: (seed: number) => Plan,
  listener: Listener,
  coverage?: Coverage
): Promise<Totals> => {
  let totals = nothing
  for (let i = share.offset; i < share.count && listener.now() < share.untilMs; i += share.stride) {
    const seed = share.from + i
    const outcome = runPlan(planFor(seed), undefined, coverage)
    const isBroken = outcome.broken !== undefined
    const differs = !isBroken && seed % share.twiceEvery === 0 && runPlan(planFor(seed)).digest !== outcome.digest
    totals = add(totals, {
      seeds: 1,
      broken: isBroken ? 1 : 0,
      differing: differs ? 1 : 0,
      virtualMs: outcome.virtualMs,
      steps: outcome.steps,
      failovers: outcome.failovers,
      ends: count(outcome.ends),
      faults: count(faultsOf(outcome.plan)),
      reached: {}
    })
    if (differs) listener.differs(seed)
    if (isBroken && listener.broken(outcome, totals.broken)) break
    await turn()
  }
  return coverage === undefined ? totals : { ...totals, reached: Object.fromEntries(coverage.counts) }
}
