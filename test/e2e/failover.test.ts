/**
 * Several deaths in one answer, by every signal that ends a process, on real processes (ACCEPTANCE C2): each falls inside
 * the answer, each worker lost is one `failover` event, and the text is the undisturbed one.
 */
import { assert, beforeAll, describe, it } from "vitest"
import { type Fault, paced, type Role, story, strike, undisturbedStory } from "../support/faults.ts"
import type { Running } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
let undisturbed = ""
beforeAll(async () => {
  undisturbed = await undisturbedStory()
})

interface Event extends Readonly<Record<string, unknown>> {
  readonly event: string
}

/** The job's events so far, as `--json` prints them; a line that is not whole yet does not count. */
const eventsOf = (run: Running): ReadonlyArray<Event> =>
  run
    .stdout()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Event)
const tokensOf = (run: Running) => eventsOf(run).filter(({ event }) => event === "token")

type Death = readonly [Role, Fault]
const answers: ReadonlyArray<readonly [string, ReadonlyArray<Death>]> = [
  [
    "worker, by SIGABRT, SIGSEGV and SIGKILL",
    [
      ["worker", "SIGABRT"],
      ["worker", "SIGSEGV"],
      ["worker", "SIGKILL"]
    ]
  ],
  [
    "worker, then hive, then queen",
    [
      ["worker", "SIGKILL"],
      ["hive", "SIGKILL"],
      ["queen", "SIGKILL"]
    ]
  ],
  [
    "queen, then hive, then worker",
    [
      ["queen", "SIGKILL"],
      ["hive", "SIGKILL"],
      ["worker", "SIGSEGV"]
    ]
  ]
]

describe("one answer, three deaths", () => {
  it.each(answers)(
    "of the %s: the very text, one failover event for each worker lost",
    async (_, deaths) => {
      const on = await machine({ env: paced })
      const run = on.start([...story, "--json"])
      for (const [role, fault] of deaths) {
        const before = tokensOf(run).length
        await run.until(() => tokensOf(run).length > before + 15)
        assert.isBelow(tokensOf(run).length, 120, "the death fell inside the answer")
        assert.lengthOf(await strike(on, role, fault), 1)
      }
      const { code, stderr } = await run.finished
      assert.strictEqual(code, 0, stderr)
      const tokens = tokensOf(run)
      assert.strictEqual(tokens.map((token) => token["t"]).join(""), undisturbed.replace(/\n$/, ""))
      assert.deepEqual(
        tokens.map((token) => token["i"]),
        Array.from({ length: 120 }, (__, i) => i)
      )
      const failovers = eventsOf(run).filter(({ event }) => event === "failover")
      assert.lengthOf(failovers, deaths.filter(([role]) => role !== "queen").length)
      for (const failover of failovers) {
        assert.isAbove(Number(failover["tokens"]), 0)
        assert.isBelow(Number(failover["tokens"]), 120)
      }
      assert.lengthOf(
        eventsOf(run).filter(({ event }) => ["done", "error", "cancelled"].includes(event)),
        1
      )
    },
    60_000
  )
})
