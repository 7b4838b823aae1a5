/**
 * How fast the simulated cluster lives, at 1, 3, 10 and 100 hives under mixed faults, and how soon it finds each
 * planted bug. The ceiling is the same charts fed with the same events, without actors, supervision or a network.
 * `npm run bench -- simulator SECONDS`: wall time for each size, 20 by default; `SECONDS speed`: without the bugs.
 */
import { performance } from "node:perf_hooks"
import { type AnyMachineSnapshot, type AnyStateMachine, type EventObject } from "xstate"
import { stepper } from "../../src/actors/core/machine/chart-step.ts"
import type { Observation } from "../../src/actors/core/system.ts"
import type { SimProcess } from "../../src/simulator/world/process.ts"
import type { Onlooker } from "../../src/simulator/watch/onlooker.ts"
import { planOf } from "../../src/simulator/run/plan.ts"
import { runPlan } from "../../src/simulator/run/run.ts"
import { run as runPlanted } from "./planted.ts"
import { report, type Row } from "./support.ts"

const sizes = [1, 3, 10, 100]
const targets: Readonly<Record<number, string>> = { 3: "≥ 3000", 10: "≥ 300" }

interface Step {
  readonly machine: AnyStateMachine
  readonly before: AnyMachineSnapshot
  readonly event: EventObject
}

/** Keeps every step that a chart takes. */
class Recorder implements Onlooker {
  readonly steps: Array<Step> = []
  private readonly latest = new Map<string, Omit<Step, "event">>()

  saw(process: SimProcess, seen: Observation): void {
    const actor = `${process.name} ${seen.path}`
    const known = this.latest.get(actor)
    if (seen.type === "snapshot" && known !== undefined) this.steps.push({ ...known, event: seen.event })
    const machine = seen.type === "started" ? seen.entry.machine : known?.machine
    // an actor with a chart publishes that chart's snapshots
    if ((seen.type === "started" || seen.type === "snapshot") && machine !== undefined)
      this.latest.set(actor, { machine, before: seen.snapshot as AnyMachineSnapshot })
    if (seen.type === "stopped") this.latest.delete(actor)
  }
}

/** Runs seeds of that size for so long, at least one. */
const live = (hives: number, seconds: number) => {
  const began = performance.now()
  const used = process.cpuUsage()
  const sum = { seeds: 0, virtualMs: 0, steps: 0, broken: 0, wallMs: 0, cpuMs: 0 }
  do {
    const { broken, steps, virtualMs } = runPlan(planOf(sum.seeds + 1, { hives }))
    sum.seeds++
    sum.virtualMs += virtualMs
    sum.steps += steps
    sum.broken += broken === undefined ? 0 : 1
    sum.wallMs = performance.now() - began
  } while (sum.wallMs < seconds * 1000)
  const { system, user } = process.cpuUsage(used)
  sum.cpuMs = (user + system) / 1000
  return sum
}

/** Events a second through the charts of ten seeds with three hives: alone, and within the cluster. */
const charts = () => {
  const recorder = new Recorder()
  const plans = Array.from({ length: 10 }, (_, seed) => planOf(seed + 1, { hives: 3 }))
  for (const plan of plans) runPlan(plan, undefined, recorder)
  const began = performance.now()
  for (const plan of plans) runPlan(plan)
  const clusterMs = performance.now() - began
  const steppers = new Map(recorder.steps.map(({ machine }) => [machine, stepper(machine, machine.id)]))
  const rounds = 20
  let bareMs = 0
  // the first round warms up
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now()
    for (const { before, event, machine } of recorder.steps) steppers.get(machine)?.next(before, event)
    if (round > 0) bareMs += performance.now() - start
  }
  const count = recorder.steps.length
  return { count, cluster: (count * 1000) / clusterMs, bare: (count * rounds * 1000) / bareMs }
}

export const run = async ([given = "20", only]: ReadonlyArray<string>): Promise<void> => {
  const seconds = Number(given)
  runPlan(planOf(1, { hives: 3 }))
  const rows: Array<Row> = []
  const raw: Record<string, unknown> = {}
  for (const hives of sizes) {
    const figures = live(hives, seconds)
    raw[`${hives} hives`] = figures
    const { broken, cpuMs, seeds, steps, virtualMs, wallMs } = figures
    const target = targets[hives]
    const what = `${hives} ${hives === 1 ? "hive" : "hives"}`
    rows.push(
      {
        what,
        value: virtualMs / wallMs,
        unit: "simulated s per wall s",
        // where others share the machine its processor time says more
        against: `${(virtualMs / cpuMs).toFixed(0)} by CPU time; ${seeds} seeds, ${broken} broken`,
        ...(target === undefined ? {} : { target })
      },
      { what: "", value: (seeds * 60_000) / wallMs, unit: "seeds/min" },
      { what: "", value: (steps * 1000) / wallMs, unit: "kernel events/s" }
    )
  }
  const { bare, cluster, count } = charts()
  rows.push(
    { what: "charts, in the cluster", value: cluster, unit: "chart events/s", against: `${count} events of 10 seeds` },
    { what: "charts alone", value: bare, unit: "chart events/s", against: "the ceiling" }
  )
  report("simulator", rows, raw)
  if (only !== "speed") await runPlanted([])
}
