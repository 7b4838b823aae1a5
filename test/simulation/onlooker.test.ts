/** Who looks on while a plan runs: the coverage of the charts, and the trace for the inspector. */
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { epochMs } from "../../src/simulator/world/kernel/kernel.ts"
import { charts } from "../../src/machines/charts/charts.ts"
import { InspectRecord } from "../../src/machines/vocabulary/inspect.ts"
import { Coverage, coverageReport } from "../../src/simulator/watch/coverage.ts"
import { planOf } from "../../src/simulator/run/plan.ts"
import { runPlan } from "../../src/simulator/run/run.ts"
import { Trace } from "../../src/simulator/run/trace.ts"

describe("Coverage", () => {
  it("counts what was entered and taken, and names the rest", () => {
    const coverage = new Coverage()
    const plan = planOf(3, { faults: false, hives: 1 })
    // none that is queued anew for want of context
    const jobs = plan.jobs.filter(({ words }) => words === undefined)
    const { ends } = runPlan({ ...plan, jobs }, undefined, coverage)
    const { counts } = coverage
    expect(counts.get("job.done")).toBe(ends.length)
    expect(counts.get("job.queued: done(admit) → job.placing")).toBe(ends.length)
    const report = coverageReport(Object.fromEntries(counts))
    expect(report).toContain("  not reached: job.degraded")
    expect(report.filter((line) => !line.startsWith("  ")).map((line) => line.split(":", 1)[0])).toEqual(
      Object.keys(charts)
    )
    // whatever it counted is a state or a transition of a chart, under its one name
    const all = coverageReport({}).filter((line) => line.startsWith("  "))
    const missing = report.filter((line) => line.startsWith("  "))
    expect(new Set(all).size).toBe(all.length)
    expect(all.length - missing.length).toBe(counts.size)
  })
})

describe("A trace", () => {
  const traced = (seed: number, canary: boolean) => {
    const lines: Array<string> = []
    const trace = new Trace(seed, epochMs, (line) => lines.push(line))
    const plan = { ...planOf(seed, { hives: 2 }), canary }
    const outcome = runPlan(plan, undefined, trace)
    trace.conclude(outcome)
    const decode = Schema.decodeUnknownSync(Schema.parseJson(InspectRecord))
    return { outcome, plan, records: lines.map((line) => decode(line)) }
  }

  it("is what the inspector reads, in order of time, with the faults in it", () => {
    const { plan, records } = traced(5, false)
    expect(records[0]).toEqual({ kind: "trace", version: 1, source: "simulation", at: epochMs, seed: 5 })
    const times = records.map(({ at }) => at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    const kinds = new Set(records.map(({ kind }) => kind))
    for (const kind of ["daemon", "actor", "event", "snapshot", "supervision", "exit", "narration"] as const)
      expect(kinds).toContain(kind)
    expect(records.filter(({ kind }) => kind === "fault")).toHaveLength(plan.faults.length + 1)
  })

  it("leaves the run as it is, step by step", () => {
    const { outcome, plan } = traced(2, false)
    expect(outcome.digest).toBe(runPlan(plan).digest)
  })

  it("ends with what was broken", () => {
    const { records } = traced(7, true)
    expect(records.at(-1)).toMatchObject({ kind: "violation", invariant: "ids grow" })
  })
})
