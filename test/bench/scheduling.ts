/**
 * Decisions of the placement policy (the code that the queen runs) on clusters of 10, 100 and 1 000 hives with 8
 * devices each, 1 000 models: as a Zipf workload makes them, and with all memory full, so that every decision is a
 * search. The peer is the same policy looking at every device. Regret is told by an account of its own of what a choice
 * costs (`scheduling-parts/truth.ts`), over every device and every set of workers that could make room there.
 */
import { performance } from "node:perf_hooks"
import { Cluster } from "./scheduling-parts/cluster.ts"
import { regretsOf } from "./scheduling-parts/truth.ts"
import { quantile, report, type Row } from "./support.ts"

/** How one decision after the other goes on a cluster. */
const measure = (hives: number, placements: number): Figures => {
  const cluster = new Cluster(hives)
  const times: Array<number> = []
  const peer: Array<number> = []
  const shorts: Array<number> = []
  let none = 0
  for (let i = 0; i < placements; i++) {
    const request = cluster.request()
    const began = performance.now()
    const placed = cluster.place(request)
    times.push(performance.now() - began)
    if (placed === undefined) none++
    if (placed?.candidate !== undefined && peer.length < 500 && i % 7 === 0) {
      const start = performance.now()
      const best = cluster.place(request, Number.POSITIVE_INFINITY)?.candidate
      peer.push(performance.now() - start)
      if (best !== undefined) shorts.push(placed.candidate.seconds / best.seconds - 1)
    }
    cluster.apply(request, placed)
  }
  return {
    ...rateOf(times),
    linearUs: quantile(peer, 0.5) * 1000,
    short: quantile(shorts, 0.95),
    noRoom: none / placements
  }
}

/** Nothing is free: each decision looks for a place where others may go, or finds that there is none. */
const crowded = (hives: number, decisions: number, idle: number) => {
  const cluster = new Cluster(hives)
  cluster.crowd(idle)
  // what the fleet puts in order once, after hives came, is no part of a decision
  cluster.place(cluster.request())
  const times: Array<number> = []
  for (let i = 0; i < decisions; i++) {
    const request = cluster.request()
    const began = performance.now()
    cluster.place(request)
    times.push(performance.now() - began)
  }
  return rateOf(times)
}

interface Figures {
  readonly perSecond: number
  readonly p99Us: number
  readonly linearUs?: number
  readonly noRoom?: number
  /** p95 of what the short list loses against all devices, by the policy's own account */
  readonly short?: number
}

const rateOf = (times: ReadonlyArray<number>): Figures => ({
  perSecond: (1000 * times.length) / times.reduce((sum, ms) => sum + ms, 0),
  p99Us: quantile(times, 0.99) * 1000
})

const sizes = [10, 100, 1000] as const
const kinds = [
  ["as it comes", measure],
  ["full, every tenth worker idle", (hives: number, count: number) => crowded(hives, count / 10, 0.1)],
  ["full, all busy", (hives: number, count: number) => crowded(hives, count / 10, 0)]
] as const

/** `npm run bench -- scheduling [PLACEMENTS]` */
export const run = ([count = "100000"]: ReadonlyArray<string>): void => {
  for (const [, play] of kinds) play(10, 2000)
  const results = kinds.flatMap(([kind, play]) =>
    sizes.map((hives) => ({ kind, hives, ...play(hives, Number(count)) }))
  )
  const rows = results.flatMap((result): Array<Row> => {
    const what = `${result.hives} hives, ${result.kind}`
    const against =
      result.linearUs !== undefined ? { against: `${Math.round(result.linearUs)} µs (median) looking at all` } : {}
    const target = result.hives === 100 ? { target: "≥ 20 000" } : {}
    return [
      { what: `${what}: decisions`, value: result.perSecond, unit: "/s", ...target },
      { what: `${what}: p99`, value: result.p99Us, unit: "µs", ...against },
      ...(result.short !== undefined
        ? [{ what: `${what}: p95 lost by not looking at all`, value: 100 * result.short, unit: "%" }]
        : []),
      ...(result.noRoom !== undefined
        ? [{ what: `${what}: no room at that moment`, value: 100 * result.noRoom, unit: "%" }]
        : [])
    ]
  })
  const log = Math.log2(8000) / Math.log2(80)
  const growth = kinds.map(([kind]): Row => {
    const [small, , large] = results.filter((result) => result.kind === kind)
    const value = (small?.perSecond ?? 0) / (large?.perSecond ?? 1)
    return { what: `1000 hives ÷ 10 hives, ${kind}: time`, value, unit: "×", target: `≤ ${log.toFixed(1)} (logarithm)` }
  })
  const regrets = regretsOf(2000)
  rows.push(...growth, {
    what: "regret p95",
    value: 100 * quantile(regrets, 0.95),
    unit: "%",
    against: `brute force by another account, ${regrets.length} decisions on small clusters`,
    target: "≤ 2 %"
  })
  rows.push({
    what: "regret mean",
    value: (100 * regrets.reduce((sum, one) => sum + one, 0)) / regrets.length,
    unit: "%"
  })
  rows.push({ what: "regret p99", value: 100 * quantile(regrets, 0.99), unit: "%" })
  report("scheduling", rows, results)
}
