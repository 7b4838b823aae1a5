/**
 * `npm run kill-matrix [-- ROLE [SIGNAL]]`: every process × every phase of a run × SIGKILL, hive and worker × SIGSTOP, and a
 * queen that is stopped for a minute, on real processes, two machines at a time. Exit code 1
 * when a row does not recover.
 */
import { type Fault, paced, phases, recovers, type Role, stoppedQueen, undisturbedStory } from "../support/faults.ts"
import { type Machine, makeMachine } from "../support/machine.ts"

interface Row {
  readonly name: string
  readonly env: Record<string, string>
  /** milliseconds from the fault to the end of the answer */
  readonly check: (on: Machine, undisturbed: string) => Promise<number>
}

const side = 2
/** so slow that a hive that was stopped is found before the answer is over */
const slowly = { RBEE_WORKER_MAX_TOKENS_PER_S: "6" }
const faults: ReadonlyArray<readonly [Fault, ReadonlyArray<Role>]> = [
  ["SIGKILL", ["rbee", "queen", "hive", "worker"]],
  ["SIGSTOP", ["hive", "worker"]]
]
const rows: ReadonlyArray<Row> = [
  ...faults.flatMap(([fault, roles]) =>
    roles.flatMap((role) =>
      phases
        .filter((phase) => phase.roles.includes(role))
        .map((phase): Row => ({
          name: `${role} ${fault} ${phase.name}`,
          env: fault === "SIGSTOP" ? slowly : paced,
          check: (on, undisturbed) => recovers(on, phase, role, fault, undisturbed)
        }))
    )
  ),
  { name: "queen SIGSTOP for a minute, in mid-answer", env: paced, check: stoppedQueen }
]

const measured = async (row: Row, undisturbed: string): Promise<boolean> => {
  const on = await makeMachine({ programs: `${process.cwd()}/dist`, env: row.env })
  try {
    const ms = await row.check(on, undisturbed)
    process.stdout.write(`${row.name.padEnd(60)}recovered  ${(ms / 1000).toFixed(1).padStart(6)} s\n`)
    return true
  } catch (error) {
    process.stdout.write(`${row.name.padEnd(60)}FAILED\n${error instanceof Error ? error.message : String(error)}\n`)
    return false
  } finally {
    await on.dispose()
  }
}

export const run = async (words: ReadonlyArray<string>): Promise<void> => {
  const left = rows.filter(({ name }) => name.startsWith(words.join(" ")))
  const count = left.length
  const undisturbed = await undisturbedStory(`${process.cwd()}/dist`)
  let recovered = 0
  const work = async (): Promise<void> => {
    for (let row = left.shift(); row !== undefined; row = left.shift())
      if (await measured(row, undisturbed)) recovered++
  }
  await Promise.all(Array.from({ length: side }, work))
  process.stdout.write(`\n${recovered} of ${count} recovered\n`)
  process.exitCode = recovered === count ? 0 : 1
}
