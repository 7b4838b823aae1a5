/**
 * The branches of the flow, run in simulation: each prints the lines of docs/narration.md, exactly and in order.
 * Here every two decisions meet in every way; all branches run with `npm run bench -- narration`.
 */
import { describe, expect, it } from "vitest"
import { runBranch } from "./narration/arrange.ts"
import { branches, nameOf, pairwise } from "./narration/branches.ts"
import { expectedOf, inOrderOf, isFailure, masked } from "./narration/expected.ts"

describe("The narration", () => {
  it.each(pairwise.map((branch) => [nameOf(branch), branch] as const))("%s", (_, branch) => {
    const { run } = runBranch(branch)
    const printed = masked(run.stderr)
    expect(printed).toEqual(inOrderOf(printed, expectedOf(branch)))
    expect(run.process.status?.code).toBe(isFailure(branch) ? 1 : 0)
    expect(run.stdout === "").toBe(isFailure(branch))
  })

  it("has as many branches as there are ways to decide", () => {
    expect(branches.length).toBe(1232)
  })
})
