/**
 * The simulator: the whole cluster in this process, on virtual time, under faults.
 *
 *   simulate --seeds N | --minutes N   a batch, with a canary that must be found
 *            [--from S]                its first seed
 *            [--jobs N]                processes that share it
 *            [--hives H] [--no-faults]
 *            [--race]                  two jobs for the last room, and nothing else
 *            [--twice]                 run each seed twice, not every 20th
 *            [--first]                 end with the first seed that breaks
 *            [--coverage]              what of the charts was reached, and how often each fault was drawn
 *   simulate --seed N                  one seed again
 *   simulate --plan FILE               a plan that this program printed
 *            [--trace [FILE]]          its event log, and in FILE what `rbee inspect FILE` shows
 *
 * Exit codes: 0 clean, 1 an invariant was broken, 2 wrong arguments, 3 the canary was not found, 4 a seed ran
 * differently the second time.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { epochMs } from "../simulator/world/kernel/kernel.ts"
import { runShare, type Share, type Totals } from "../simulator/run/batch.ts"
import { Coverage, coverageReport } from "../simulator/watch/coverage.ts"
import { type Plan, planOf, raceOf } from "../simulator/run/plan.ts"
import { type Outcome, runPlan } from "../simulator/run/run.ts"
import { endWithParent, runShares } from "../simulator/run/shares.ts"
import { shrink } from "../simulator/run/shrink.ts"
import { Trace } from "../simulator/run/trace.ts"

const say = (text: string): void => void writeSync(1, `${text}\n`)

const usage = (): never => {
  writeSync(
    2,
    "usage: simulate --seeds N | --minutes N [--from S] [--jobs N] [--hives H] [--no-faults] [--race] [--twice]\n" +
      "                [--first] [--coverage] | --seed N [--trace [FILE]] | --plan FILE [--trace [FILE]]\n"
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
      allowPositionals: true,
      options: {
        seeds: { type: "string" },
        minutes: { type: "string" },
        from: { type: "string" },
        jobs: { type: "string" },
        // of a child of --jobs: which of how many
        share: { type: "string" },
        seed: { type: "string" },
        hives: { type: "string" },
        plan: { type: "string" },
        trace: { type: "boolean" },
        first: { type: "boolean" },
        coverage: { type: "boolean" },
        "no-faults": { type: "boolean" },
        race: { type: "boolean" },
        twice: { type: "boolean" }
      }
    })
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
  say(`  again: rbee simulate --seed ${plan.seed} --trace`)
}

const one = (plan: Plan): number => {
  const outcome = values.trace === true ? traced(plan, positionals[0] ?? `seed-${plan.seed}.jsonl`) : runPlan(plan)
  say(
    `seed ${plan.seed} ${outcome.digest} ${outcome.steps} steps, ${(outcome.virtualMs / 1000).toFixed(1)} s; jobs: ${outcome.ends.join(", ")}`
  )
  report(outcome, false)
  return outcome.broken === undefined ? 0 : 1
}

/** Runs it with its event log on stdout, and the inspector's records in a file. */
const traced = (plan: Plan, path: string): Outcome => {
  const file = openSync(path, "w")
  const trace = new Trace(plan.seed, epochMs, (line) => void writeSync(file, line))
  const outcome = runPlan(plan, say, trace)
  trace.conclude(outcome)
  closeSync(file)
  say(`to look at: rbee inspect ${path}`)
  return outcome
}

const runHere = (share: Share, isFirstEnough: boolean): Promise<Totals> =>
  runShare(
    share,
    planFor,
    {
      broken: (outcome, nth) => {
        report(outcome, nth <= 3 && !isFirstEnough)
        return isFirstEnough
      },
      differs: (seed) => say(`seed ${seed} ran differently the second time`),
      now: () => performance.now()
    },
    values.coverage === true ? new Coverage() : undefined
  )

/** Its jobs are read as they stream, which not every seed's are. */
const canarySeed = 1

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([what, times]) => `${what} ${times}`)
    .join(", ")

/** The last lines of a batch, and its exit code. */
const conclude = (totals: Totals, realMs: number): number => {
  const { broken, differing, ends, failovers, faults, seeds, steps, virtualMs } = totals
  const canary = runPlan({ ...planOf(canarySeed, { faults: false }), canary: true }).broken?.invariant
  say(
    `${seeds} seeds, ${broken} broken; ${((seeds * 60_000) / realMs).toFixed(0)} seeds/min, ` +
      `${(virtualMs / realMs).toFixed(0)} × real time, ${((steps * 1000) / realMs).toFixed(0)} steps/s`
  )
  say(`jobs ended: ${listed(ends)}; failovers ${failovers}`)
  if (values.coverage === true) {
    say(`faults drawn: ${listed(faults)}`)
    for (const line of coverageReport(totals.reached)) say(line)
  }
  say(`canary: ${canary === "ids grow" ? `found (${canary})` : "NOT FOUND"}`)
  if (broken > 0) return 1
  if (canary !== "ids grow") return 3
  return differing > 0 ? 4 : 0
}

const batch = async (from: number, count: number, minutes: number | undefined): Promise<number> => {
  const began = performance.now()
  const untilMs = minutes === undefined ? Infinity : began + minutes * 60_000
  const stride = whole(values.jobs, 1) ?? 1
  const twiceEvery = values.twice === true ? 1 : 20
  const shares = Array.from({ length: stride }, (_, offset): Share => ({
    from,
    count,
    offset,
    stride,
    untilMs,
    twiceEvery
  }))
  const isFirstEnough = values.first === true
  const [share] = shares
  if (values.share !== undefined) {
    const [offset = 0, of = 1] = values.share.split("/").map(Number)
    endWithParent()
    const totals = await runHere({ from, count, offset, stride: of, untilMs, twiceEvery }, isFirstEnough)
    process.send?.(totals, undefined, undefined, () => process.exit(0))
    return 0
  }
  const totals =
    stride > 1 || share === undefined
      ? await runShares(
          fileURLToPath(import.meta.url),
          process.argv.slice(2),
          shares,
          ({ broken }) => isFirstEnough && broken > 0
        )
      : await runHere(share, isFirstEnough)
  if (totals === undefined) {
    say("a process of this batch ended before its time")
    return 1
  }
  if (isFirstEnough && totals.broken > 0) return 1
  return conclude(totals, performance.now() - began)
}

const { positionals, values } = options()
const hives = whole(values.hives, 1)
const planFor = (seed: number): Plan =>
  values.race === true
    ? raceOf(seed)
    : planOf(seed, { ...(hives === undefined ? {} : { hives }), faults: values["no-faults"] !== true })
const seed = whole(values.seed, 0)
const minutes = whole(values.minutes, 1)
const seeds = whole(values.seeds, 1) ?? (minutes === undefined ? undefined : Infinity)
if (values.plan !== undefined)
  // a plan that this program printed
  process.exitCode = one(JSON.parse(readFileSync(values.plan, "utf8")) as Plan)
else if (seed !== undefined) process.exitCode = one(planFor(seed))
else if (seeds !== undefined) process.exitCode = await batch(whole(values.from, 0) ?? 1, seeds, minutes)
else usage()
