/** What is said of an answer whose worker is killed under it: the undisturbed one, or a continued one. */
import { assert, describe, it } from "vitest"
import { paced, story, strike } from "../support/faults.ts"
import { model, TINY } from "../support/gguf.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

interface Worker {
  readonly exact?: boolean
}

/** Once the worker has found out: it does so beside its first answers. */
const untilKnown = async (on: Machine): Promise<boolean> => {
  let exact: boolean | undefined
  await eventually(async () => {
    const { stdout } = await on.rbee(["workers", "ls", "--json"])
    exact = (JSON.parse(stdout) as ReadonlyArray<Worker>)[0]?.exact
    return exact !== undefined
  }, "the worker knows whether it is exact")
  return exact === true
}

/** An answer in whose middle the worker is killed: its failover event, what it printed, and the job as it is shown. */
const interrupted = async (on: Machine, more: ReadonlyArray<string>) => {
  const run = on.start([...story, ...more, "--json"])
  const events = () =>
    run
      .stdout()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
  await run.until(() => events().filter(({ event }) => event === "token").length > 15)
  await strike(on, "worker", "SIGKILL")
  const { code, stderr } = await run.finished
  assert.strictEqual(code, 0, stderr)
  const failovers = events().filter(({ event }) => event === "failover")
  assert.lengthOf(failovers, 1)
  const tokens = events().filter(({ event }) => event === "token")
  const listed = JSON.parse((await on.rbee(["jobs", "ls", "--json"])).stdout) as ReadonlyArray<{ job_id: string }>
  const { stdout } = await on.rbee(["jobs", "show", listed[0]?.job_id ?? ""])
  return { failover: failovers[0], text: tokens.map(({ t }) => t).join(""), tokens: tokens.length, shown: stdout }
}

describe("an answer whose worker is killed under it", () => {
  it("is the undisturbed one where the worker is exact", async () => {
    const on = await machine({ env: { ...paced, RBEE_WORKER_THREADS: "1" } })
    const undisturbed = await on.rbee(story)
    assert.isTrue(await untilKnown(on))
    const { failover, shown, text } = await interrupted(on, [])
    assert.notProperty(failover, "continued")
    assert.strictEqual(text, undisturbed.stdout.replace(/\n$/, ""))
    assert.match(shown, /^exact: +yes$/m)
    assert.notMatch(shown, /^continued:/m)
  }, 90_000)

  it("is continued where the worker is not exact, and every place says so", async () => {
    const on = await machine({ env: { ...paced, RBEE_WORKER_THREADS: "1" } })
    const file = await model({ ...TINY, context: 512, type: "f16" })
    const asked = ["--model", `file:${file}`]
    await on.rbee([...story, ...asked])
    assert.isFalse(await untilKnown(on))
    const { failover, shown, tokens } = await interrupted(on, asked)
    assert.strictEqual(failover?.["continued"], true)
    assert.strictEqual(tokens, 120)
    assert.match(shown, /^continued: +yes/m)
    assert.match(shown, /^exact: +no$/m)
    const { stdout } = await on.rbee(["workers", "ls"])
    assert.match(stdout, /EXACT/)
  }, 90_000)
})
