/**
 * The simulator: the whole cluster in this process, on virtual time, under faults.
 *
 *   simulate --seeds N [--from S] [--hives H] [--no-faults] [--first]
 *                                                              a batch, with a canary that must be found; with
 *                                                              --first it ends with the first seed that breaks
 *   simulate --seed N [--trace] [--plan FILE]                  one seed again
 *
 * Exit codes: 0 clean, 1 an invariant was broken, 2 wrong arguments, 3 the canary was not found, 4 a seed ran
 * differently the second time.
 */
import { readFileSync, writeSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { parseArgs } from "node:util"
import { type Plan, planOf } from "./simulate/plan.ts"
import { type Outcome, runPlan } from "./simulate/run.ts"
import { shrink } from "./simulate/shrink.ts"

const say = (text: string): void => void writeSync(1, `${text}\n`)

const usage = (): never => {
  say(
    "usage: simulate --seeds N [--from S] [--hives H] [--no-faults] [--first] | --seed N [--trace] | --plan FILE [--trace]"
  )
  process.exit(2)
}

const whole = (text: string | undefined, least: number): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text)
  return Number.isInteger(value) && value >= least ? value : usage()
}

const options = () => {
  try {
    return parseArgs({
      options: {
        seeds: { type: "string" },
        from: { type: "string" },
        seed: { type: "string" },
        hives: { type: "string" },
        plan: { type: "string" },
        trace: { type: "boolean" },
        first: { type: "boolean" },
        "no-faults": { type: "boolean" }
      }
    }).values
  } catch {
    return usage()
  }
}

const report = (outcome: Outcome, shrinkIt: boolean): void => {
  const { broken, plan } = outcome
  if (broken === undefined) return
  say(`seed ${plan.seed} breaks: ${broken.invariant}`)
  say(`  ${broken.message}`)
  if (!shrinkIt) return
  const { plan: smallest, runs } = shrink(plan, broken.invariant)
  say(`  shrunk in ${runs} runs to ${smallest.faults.length} faults and ${smallest.jobs.length} jobs:`)
  say(`  ${JSON.stringify(smallest)}`)
  say(`  again: simulate --seed ${plan.seed} --trace`)
}

const one = (plan: Plan, isTraced: boolean): number => {
  const outcome = runPlan(plan, isTraced ? say : undefined)
  say(
    `seed ${plan.seed} ${outcome.digest} ${outcome.steps} steps, ${(outcome.virtualMs / 1000).toFixed(1)} s; jobs: ${outcome.ends.join(", ")}`
  )
  report(outcome, false)
  return outcome.broken === undefined ? 0 : 1
}

const batch = (from: number, count: number, planFor: (seed: number) => Plan, isFirstEnough: boolean): number => {
  const began = performance.now()
  let virtualMs = 0
  let steps = 0
  let broken = 0
  let differing = 0
  let failovers = 0
  const ends = new Map<string, number>()
  for (let seed = from; seed < from + count; seed++) {
    const outcome = runPlan(planFor(seed))
    virtualMs += outcome.virtualMs
    steps += outcome.steps
    failovers += outcome.failovers
    for (const end of outcome.ends) ends.set(end, (ends.get(end) ?? 0) + 1)
    if (outcome.broken !== undefined) {
      broken++
      report(outcome, broken <= 3 && !isFirstEnough)
      if (isFirstEnough) return 1
    } else if (seed % 20 === 0 && runPlan(planFor(seed)).digest !== outcome.digest) {
      differing++
      say(`seed ${seed} ran differently the second time`)
    }
  }
  const realMs = performance.now() - began
  const canary = runPlan({ ...planOf(from, { faults: false }), canary: true })
  say(
    `${count} seeds, ${broken} broken; ${((count * 60_000) / realMs).toFixed(0)} seeds/min, ` +
      `${(virtualMs / realMs).toFixed(0)} × real time, ${((steps * 1000) / realMs).toFixed(0)} steps/s`
  )
  say(`jobs ended: ${[...ends].map(([end, times]) => `${end} ${times}`).join(", ")}; failovers ${failovers}`)
  say(`canary: ${canary.broken === undefined ? "NOT FOUND" : `found (${canary.broken.invariant})`}`)
  if (broken > 0) return 1
  if (canary.broken === undefined) return 3
  return differing > 0 ? 4 : 0
}

const values = options()
const hives = whole(values.hives, 1)
const planFor = (seed: number): Plan =>
  planOf(seed, { ...(hives === undefined ? {} : { hives }), faults: values["no-faults"] !== true })
const seed = whole(values.seed, 0)
const seeds = whole(values.seeds, 1)
if (values.plan !== undefined)
  // a plan that this program printed
  process.exitCode = one(JSON.parse(readFileSync(values.plan, "utf8")) as Plan, values.trace === true)
else if (seed !== undefined) process.exitCode = one(planFor(seed), values.trace === true)
else if (seeds !== undefined)
  process.exitCode = batch(whole(values.from, 0) ?? 1, seeds, planFor, values.first === true)
else usage()
