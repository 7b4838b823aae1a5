/**
 * P10: crash-restart cycles of light children, and of a nested tree, under our supervisor and under Erlang/OTP's own
 * (Debian's erlang-base; without `erl` ours stands alone). A light child is the least that can be supervised on each
 * side: a fiber, or a process of proc_lib, that waits to be told to crash. One cycle: crash, and all is up again.
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
import { type ChildSpec, task } from "../../src/actors/core/child.ts"
import { Reports } from "../../src/actors/core/reports.ts"
import { supervisor } from "../../src/actors/core/supervisor.ts"
import { ActorSystem } from "../../src/actors/core/system.ts"
import { type Row, interleaved, median, ratio, report } from "./support.ts"

interface Figure {
  readonly cyclesPerSecond: number
  /** bytes in use after the cycles, less those before, garbage collected */
  readonly grownBytes: number
}

const scenarios = { flat: 10_000, nested: 1_000 } as const
type Scenario = keyof typeof scenarios

const rounds = 7

// ---------------------------------------------------------------------- ours

const inUse = (): number => {
  setFlagsFromString("--expose-gc")
  const collect: unknown = runInNewContext("gc")
  if (typeof collect === "function") for (let i = 0; i < 2; i++) collect()
  return process.memoryUsage().heapUsed
}

/** Leaves that crash on demand, and the wait until `count` of them have started. */
const stage = (count: number) => {
  let left = count
  let up: Deferred.Deferred<void> = Deferred.unsafeMake(none)
  let order: Deferred.Deferred<void> | undefined
  const leaf = (id: number): ChildSpec => ({
    id: `leaf${id}`,
    start: Effect.suspend(() => {
      const own = Deferred.unsafeMake<void>(none)
      return Effect.map(task(Deferred.await(own)), (started) => {
        if (id === 1) order = own
        if (--left === 0) Deferred.unsafeDone(up, Effect.void)
        return started
      })
    })
  })
  const cycle = Effect.suspend(() => {
    left = count
    up = Deferred.unsafeMake(none)
    if (order !== undefined) Deferred.unsafeDone(order, Effect.die("crashed"))
    return Deferred.await(up)
  })
  return { leaf, cycle, first: Effect.suspend(() => Deferred.await(up)) }
}

const ours = (scenario: Scenario): Promise<Figure> =>
  Effect.gen(function* () {
    const { leaf, cycle, first } = stage(scenario === "flat" ? 1 : 10)
    const leaves = Array.from({ length: scenario === "flat" ? 1 : 10 }, (_, i) => leaf(i + 1))
    const inner = supervisor({ path: "root/inner", intensity: 0, children: leaves })
    yield* supervisor({
      path: "root",
      intensity: 1_000_000_000,
      period: "1 seconds",
      children: scenario === "flat" ? leaves : [{ id: "inner", shutdown: "infinity", start: inner }]
    })
    yield* first
    const cycles = scenarios[scenario]
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
    const cycles = scenarios[scenario]
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
  for (const scenario of ["flat", "nested"] as const) {
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
  const what = scenario === "flat" ? "restarts of one light child" : "restarts of a supervisor with ten"
  const grown = median(mine.map(({ grownBytes }) => grownBytes)) / 1_024
  const rows: Array<Row> = [
    { what, value: median(speed(mine)), unit: "cycles/s" },
    {
      what: `${what}: heap grown`,
      value: grown,
      unit: "KiB",
      against: `after ${scenarios[scenario]} cycles`,
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
