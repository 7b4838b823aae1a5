/**
 * Faults on real processes, in named phases of a run: a sample of `npm run kill-matrix`, which has them all. Whatever
 * was struck: the run ends by itself with the very answer, nothing is left that nobody owns, and the next `infer` works
 * (ACCEPTANCE B5).
 */
import { beforeAll, describe, it } from "vitest"
import { paced, phaseNamed, recovers, type Role, undisturbedStory } from "../support/faults.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
let undisturbed = ""
beforeAll(async () => {
  undisturbed = await undisturbedStory()
})

const kills: ReadonlyArray<[Role, ReadonlyArray<string>]> = [
  ["rbee", ["while the queen is launched", "while the hive wakes", "while the model is provisioned", "in mid-answer"]],
  [
    "queen",
    [
      "once connected",
      "while the hive wakes",
      "while the model is provisioned",
      "once the worker is bound",
      "at the first token",
      "in mid-answer",
      "while two answers are decoded",
      "after the worker was lost once",
      "while everything shuts down"
    ]
  ],
  [
    "hive",
    [
      "while the hive wakes",
      "at the first heartbeat",
      "while the model is provisioned",
      "once the worker is bound",
      "in mid-answer",
      "while a warm answer is placed",
      "after the queen was lost once",
      "while everything shuts down"
    ]
  ],
  [
    "worker",
    [
      "once the model is there",
      "once the worker is bound",
      "once the worker is awake",
      "at the first token",
      "late in the answer",
      "while two answers are decoded",
      "after the hive was lost once",
      "while everything idles"
    ]
  ]
]

describe.each(kills)("kill -9 of the %s", (role, names) => {
  it.each(names)("%s leaves nothing orphaned, and the answer is whole", async (name) => {
    await recovers(await machine({ env: paced }), phaseNamed(name), role, "SIGKILL", undisturbed)
  })
})

describe("SIGSTOP", () => {
  it("of a worker in mid-answer is found, and the answer is whole", async () => {
    await recovers(await machine({ env: paced }), phaseNamed("in mid-answer"), "worker", "SIGSTOP", undisturbed)
  }, 90_000)
  it("of a hive in mid-answer is found, it is woken again, and the answer is whole", async () => {
    const env = { RBEE_WORKER_MAX_TOKENS_PER_S: "12", RBEE_HIVE_LATE_MS: "1000", RBEE_HIVE_LOST_MS: "3000" }
    await recovers(await machine({ env }), phaseNamed("in mid-answer"), "hive", "SIGSTOP", undisturbed)
  }, 90_000)
})
