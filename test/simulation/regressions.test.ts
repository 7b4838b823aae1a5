/** Plans that broke once, each shrunk to what it needs. */
import { describe, expect, it } from "vitest"
import { planOf } from "../../src/simulator/run/plan.ts"
import { runPlan } from "../../src/simulator/run/run.ts"
import { regressions } from "./regressions.ts"

describe("The simulated cluster", () => {
  it.each(regressions)(
    "does not break again: $name",
    ({ plan }) => {
      expect(runPlan(plan).broken).toBeUndefined()
    },
    60_000
  )

  it.each([4, 9])("answers what is asked under the faults of seed %i", (seed) => {
    const { broken, ends } = runPlan(planOf(seed))
    expect(broken).toBeUndefined()
    expect(ends).toContain("done")
  })
})
