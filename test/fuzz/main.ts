/** `npm run fuzz -- --minutes N [--inputs N] [--least N] [--seed S] [--only TARGET]`: exits 1 if anything was found. */
import { parseArgs } from "node:util"
import { fuzz, lineOf, type Tally } from "./run.ts"
import { targets } from "./targets.ts"

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "5" },
      inputs: { type: "string", default: "1000000000" },
      least: { type: "string", default: "0" },
      seed: { type: "string", default: "1" },
      only: { type: "string", multiple: true, default: [] }
    }
  })
  const chosen = targets.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
  const limits = {
    seed: Number(values.seed),
    ms: Number(values.minutes) * 60_000,
    inputs: Number(values.inputs),
    least: Number(values.least)
  }
  const tell = (tally: Tally) => {
    process.stdout.write(`${lineOf(tally)}\n`)
    for (const { kind, seed, what } of tally.found) process.stdout.write(`  ${kind} (seed ${seed}): ${what}\n`)
  }
  const tallies = await fuzz(chosen, limits, tell)
  const inputs = tallies.reduce((sum, each) => sum + each.inputs, 0)
  const found = tallies.reduce((sum, each) => sum + each.found.length, 0)
  process.stdout.write(`seed ${limits.seed}: ${inputs} inputs, ${found} found\n`)
  process.exitCode = found === 0 ? 0 : 1
}
