/** Two hives, chosen by policy: the second one is a process of its own with its own name and port. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const program = fileURLToPath(new URL("../../dist/hive.js", import.meta.url))
const env = { RBEE_HIVE_GPUS: JSON.stringify([{ id: "gpu0", name: "RTX 3060", vram_mb: 12_000 }]) }

/** Starts hive `second` under the same home, by the queen's invitation; it ends with its machine. */
const addSecond = async (on: Machine): Promise<void> => {
  const port = on.ports.hive + 7
  const { code, stderr, stdout } = await on.rbee(["hives", "invite", "second"])
  assert.strictEqual(code, 0, stderr)
  spawn(process.execPath, [program], {
    env: {
      ...on.env,
      RBEE_HIVE_ID: "second",
      RBEE_HIVE_PORT: String(port),
      RBEE_WORKER_PORT_BASE: String(port + 1),
      RBEE_HIVE_INVITE: stdout.trim()
    },
    stdio: "ignore"
  })
  const isHealthy = async () => {
    const hives = (await (await on.fetch(`${on.queenUrl}/hives`)).json()) as ReadonlyArray<Record<string, unknown>>
    return hives.some(({ id, state }) => id === "second" && state === "healthy")
  }
  await eventually(isHealthy, "second is up")
}

interface Job {
  readonly job_id: string
  readonly placement: { readonly hive: string; readonly worker: string }
}
const newest = async (on: Machine): Promise<Job> => {
  const [job] = (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as Array<Job>
  if (job === undefined) throw new Error("there is no job")
  return job
}

describe("a cluster of two hives", () => {
  it("sends a job where the model is resident, and a new worker where the file is", async () => {
    const on = await machine({ env })
    assert.strictEqual((await on.rbee(["up"])).code, 0)
    await addSecond(on)
    const first = await on.rbee(["infer", "--hive", "second", "hello"])
    assert.strictEqual(first.code, 0, first.stderr)

    const again = await on.rbee(["infer", "hello"])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.notInclude(again.stderr, "waking worker")
    const { placement } = await newest(on)
    assert.strictEqual(placement.hive, "second", "it is resident there")

    assert.strictEqual((await on.rbee(["workers", "stop", placement.worker])).code, 0)
    const anew = await on.rbee(["infer", "hello"])
    assert.strictEqual(anew.code, 0, anew.stderr)
    assert.include(anew.stderr, "queen: model minillama found in hive catalog")
    const job = await newest(on)
    assert.strictEqual(job.placement.hive, "second", "the file is there")
    const { stdout } = await on.rbee(["jobs", "show", job.job_id])
    assert.match(stdout, /^not taken: +gpu0 of hive localhost: .* the model is not there and has to be fetched$/m)

    assert.strictEqual((await on.rbee(["down"])).code, 0)
    assert.deepEqual(on.processes(), [])
  })
})
