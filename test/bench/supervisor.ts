/**
 * Crash-restart cycles of light children, and of a nested tree, under our supervisor and under Erlang/OTP's own
 * (Debian's erlang-base; without `erl` ours stands alone). A light child is the least that can be supervised on each
 * side: a fiber, or a process of proc_lib, that waits to be told to crash. One cycle: crash, and all is up again.
 *
 * Three trees. `flat` is one child that crashes 10 000 times: OTP walks the list of all restarts within the period at
 * each restart, which flatters us. `spread` shares the crashes among 100 supervisors, so that nobody's list is long.
 * `nested` is a supervisor of ten that gives up at once, so that each cycle stops and starts eleven children.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { none } from "effect/FiberId"
import { type ChildSpec, task } from "../../src/actors/core/supervision/child.ts"
import { Reports } from "../../src/actors/core/reports.ts"
import { supervisor } from "../../src/actors/core/supervision/supervisor.ts"
import { ActorSystem } from "../../src/actors/core/system.ts"
import { type Row, interleaved, median, ratio, report } from "./support.ts"

interface Figure {
  readonly cyclesPerSecond: number
  /** bytes in use after the cycles, less those before, garbage collected */
  readonly grownBytes: number
}

/** `leaves` start with the tree, `again` of them after each crash. */
const scenarios = {
  flat: { cycles: 10_000, leaves: 1, again: 1, what: "one child" },
  spread: { cycles: 10_000, leaves: 100, again: 1, what: "100 supervisors in turn" },
  nested: { cycles: 1_000, leaves: 10, again: 10, what: "a supervisor with ten" }
} as const
type Scenario = keyof typeof scenarios

const rounds = 5

// ---------------------------------------------------------------------- ours

const inUse = (): number => {
  setFlagsFromString("--expose-gc")
  const collect: unknown = runInNewContext("gc")
  if (typeof collect === "function") for (let i = 0; i < 2; i++) collect()
  return process.memoryUsage().heapUsed
}

/** Leaves that crash on demand, one after the other, and the wait until all that went down with one is up again. */
const stage = (scenario: Scenario) => {
  const { leaves, again } = scenarios[scenario]
  let left: number = leaves
  let up = Deferred.unsafeMake<void>(none)
  let turn = 0
  const orders: Array<Deferred.Deferred<void>> = []
  const leaf = (number: number): ChildSpec => ({
    id: `leaf${number}`,
    start: Effect.suspend(() => {
      const order = Deferred.unsafeMake<void>(none)
      return Effect.map(task(Deferred.await(order)), (started) => {
        orders[number] = order
        if (--left === 0) Deferred.unsafeDone(up, Effect.void)
        return started
      })
    })
  })
  const cycle = Effect.suspend(() => {
    left = again
    up = Deferred.unsafeMake(none)
    const victim = orders[scenario === "spread" ? turn++ % leaves : 0]
    if (victim !== undefined) Deferred.unsafeDone(victim, Effect.die("crashed"))
    return Deferred.await(up)
  })
  const numbers = Array.from({ length: leaves }, (_, number) => number)
  return { leaves: numbers.map(leaf), cycle, first: Effect.suspend(() => Deferred.await(up)) }
}

const often = { intensity: 1_000_000_000, period: "1 seconds" } as const

const childrenOf = (scenario: Scenario, leaves: ReadonlyArray<ChildSpec>): ReadonlyArray<ChildSpec<ActorSystem>> => {
  if (scenario === "flat") return leaves
  const shutdown = "infinity" as const
  if (scenario === "nested") {
    return [{ id: "inner", shutdown, start: supervisor({ path: "root/inner", intensity: 0, children: leaves }) }]
  }
  return leaves.map((leaf) => {
    const path = `root/${leaf.id}`
    return { id: leaf.id, shutdown, start: supervisor({ path, ...often, children: [leaf] }) }
  })
}

const ours = (scenario: Scenario): Promise<Figure> =>
  Effect.gen(function* () {
    const { leaves, cycle, first } = stage(scenario)
    const { cycles } = scenarios[scenario]
    yield* supervisor({ path: "root", ...often, children: childrenOf(scenario, leaves) })
    yield* first
    yield* Effect.repeatN(cycle, cycles / 10 - 1)
    const before = inUse()
    const began = performance.now()
    yield* Effect.repeatN(cycle, cycles - 1)
    const seconds = (performance.now() - began) / 1_000
    return { cyclesPerSecond: cycles / seconds, grownBytes: inUse() - before }
  }).pipe(
    Effect.scoped,
    Effect.provide(ActorSystem.layer),
    // As on the other side: nobody writes the reports.
    Effect.provideService(Reports, { report: () => Effect.void }),
    Effect.runPromise
  )

// ---------------------------------------------------------------------- Erlang/OTP

const root = fileURLToPath(new URL("../../", import.meta.url))

/** Compiles the peer into .bench and returns its runner, or undefined where there is no Erlang. */
const erlang = (): ((scenario: Scenario) => Promise<Figure>) | undefined => {
  try {
    mkdirSync(`${root}.bench`, { recursive: true })
    execFileSync("erlc", ["-o", `${root}.bench`, `${root}test/bench/supervisor_bench.erl`])
  } catch {
    return undefined
  }
  return async (scenario) => {
    const { cycles } = scenarios[scenario]
    const args = ["-noshell", "-pa", `${root}.bench`, "-run", "supervisor_bench", "main", scenario, String(cycles)]
    const [us = 0, before = 0, after = 0] = execFileSync("erl", args, { encoding: "utf8" })
      .trim()
      .split(" ")
      .map(Number)
    return { cyclesPerSecond: (cycles * 1_000_000) / us, grownBytes: after - before }
  }
}

// ---------------------------------------------------------------------- the table

export const run = async (): Promise<ReadonlyArray<Row>> => {
  const otp = erlang()
  const rows: Array<Row> = []
  const raw: Record<string, unknown> = {}
  for (const scenario of ["flat", "spread", "nested"] as const) {
    const contenders: Readonly<Record<string, () => Promise<Figure>>> =
      otp === undefined ? { ours: () => ours(scenario) } : { ours: () => ours(scenario), otp: () => otp(scenario) }
    const figures = await interleaved(contenders, rounds)
    raw[scenario] = figures
    rows.push(...rowsOf(scenario, figures["ours"] ?? [], figures["otp"]))
  }
  if (otp === undefined) process.stdout.write("no erlc/erl here (Debian: erlang-base): ours alone\n")
  report("supervisor", rows, raw)
  return rows
}

const rowsOf = (
  scenario: Scenario,
  mine: ReadonlyArray<Figure>,
  theirs: ReadonlyArray<Figure> | undefined
): ReadonlyArray<Row> => {
  const speed = (figures: ReadonlyArray<Figure>) => figures.map(({ cyclesPerSecond }) => cyclesPerSecond)
  const { what, cycles } = scenarios[scenario]
  const grown = median(mine.map(({ grownBytes }) => grownBytes)) / 1_024
  const rows: Array<Row> = [
    { what, value: median(speed(mine)), unit: "cycles/s" },
    {
      what: `${what}: heap grown`,
      value: grown,
      unit: "KiB",
      against: `after ${cycles} cycles`,
      target: "0 growth"
    }
  ]
  if (theirs === undefined) return rows
  const { median: middle, p5, p95, pairs } = ratio(speed(mine), speed(theirs))
  return [
    ...rows,
    { what: `${what}: Erlang/OTP`, value: median(speed(theirs)), unit: "cycles/s" },
    {
      what: `${what}: ratio`,
      value: middle,
      unit: "×",
      against: `ours ÷ OTP, ${pairs} pairs, ${p5.toFixed(2)}–${p95.toFixed(2)}`,
      target: "≥ 0.3"
    }
  ]
}
