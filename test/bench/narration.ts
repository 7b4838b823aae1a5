/** `npm run bench -- narration`: every branch of the flow in simulation, held against docs/narration.md. */
import assert from "node:assert/strict"
import { runBranch } from "../simulation/narration/arrange.ts"
import { branches, nameOf } from "../simulation/narration/branches.ts"
import { expectedOf, inOrderOf, masked } from "../simulation/narration/expected.ts"
import { report, timed } from "./support.ts"

export const run = async (): Promise<void> => {
  const wrong: Array<string> = []
  const { ms } = await timed(async () => {
    for (const branch of branches) {
      const printed = masked(runBranch(branch).run.stderr)
      try {
        assert.deepEqual(printed, inOrderOf(printed, expectedOf(branch)))
      } catch (error) {
        wrong.push(nameOf(branch))
        process.stdout.write(`${nameOf(branch)}: ${error instanceof Error ? error.message : String(error)}\n`)
      }
    }
  })
  report("narration", [
    { what: "branches", value: branches.length, unit: "" },
    { what: "with other lines than docs/narration.md has", value: wrong.length, unit: "", target: "0" },
    { what: "time", value: ms / 1000, unit: "s" }
  ])
  process.exitCode = wrong.length === 0 ? 0 : 1
}
