/**
 * Faults on real processes, in named phases of a run: a sample of `npm run kill-matrix`, which has them all. Whatever
 * was struck: the run ends by itself with the very answer, nothing is left that nobody owns, and the next `infer` works.
 */
import { beforeAll, describe, it } from "vitest"
import { paced, phaseNamed, phases, recovers, type Role, undisturbedStory } from "../support/faults.ts"
import { useMachines } from "../support/machines.ts"
import { sampleOf } from "../support/proof.ts"

const machine = useMachines()
let undisturbed = ""
beforeAll(async () => {
  undisturbed = await undisturbedStory()
})

describe.each<Role>(["rbee", "queen", "hive", "worker"])("kill -9 of the %s", (role) => {
  const there = phases.filter(({ roles }) => roles.includes(role))
  it.each(sampleOf(there, 1).map((phase) => [phase.name, phase] as const))(
    "%s leaves nothing orphaned, and the answer is whole",
    async (_, phase) => {
      await recovers(await machine({ env: paced }), phase, role, "SIGKILL", undisturbed)
    },
    90_000
  )
})

describe("SIGSTOP", () => {
  it("of a worker in mid-answer is found, and the answer is whole", async () => {
    await recovers(await machine({ env: paced }), phaseNamed("in mid-answer"), "worker", "SIGSTOP", undisturbed)
  }, 90_000)
  it("of a hive in mid-answer is found, it is woken again, and the answer is whole", async () => {
    const env = { RBEE_WORKER_MAX_TOKENS_PER_S: "16", RBEE_HIVE_LATE_MS: "1000", RBEE_HIVE_LOST_MS: "3000" }
    await recovers(await machine({ env }), phaseNamed("in mid-answer"), "hive", "SIGSTOP", undisturbed)
  }, 90_000)
})
