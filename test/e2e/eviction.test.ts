/** Room is made for a model by unloading idle workers of others, never pinned ones. */
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const bundled = fileURLToPath(new URL("../../models/minillama/minillama-q8_0.gguf", import.meta.url))

/** One declared GPU that has room for one model. */
const oneGpu = { RBEE_HIVE_GPUS: JSON.stringify([{ id: "gpu0", name: "RTX 3060", vram_mb: 180 }]) }
interface Worker {
  readonly model: string
  readonly device: string
  readonly state: string
}
const workers = async (on: Machine) => (await (await on.fetch(`${on.queenUrl}/workers`)).json()) as Array<Worker>
const other = (on: Machine): string => {
  const file = join(on.home, "other.gguf")
  copyFileSync(bundled, file)
  return `file:${file}`
}

describe("a device that is full of an idle model", () => {
  it("is given to the next one, and the job says who was unloaded", async () => {
    const on = await machine({ env: oneGpu })
    assert.strictEqual((await on.rbee(["infer", "--no-cpu", "hello"])).code, 0)
    const model = other(on)
    await eventually(
      async () => (await on.rbee(["plan", "--no-cpu", "--model", model])).stdout.includes("unloaded for it:"),
      "the plan says who would be unloaded, once the first model has stayed its time"
    )
    assert.lengthOf(await workers(on), 1, "a plan changes nothing")
    const run = await on.rbee(["infer", "--no-cpu", "--model", model, "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.include(run.stderr, "queen: insufficient VRAM on GPU0")
    assert.include(run.stderr, "queen: unloading an idle worker of GPU0 to make room")
    await eventually(async () => (await workers(on)).length === 1, "one worker is left")
    assert.match((await workers(on))[0]?.model ?? "", /other\.gguf/)
    const jobs = (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as Array<{ job_id: string; model: string }>
    const job = jobs.find((one) => one.model === model)?.job_id ?? ""
    const { stdout } = await on.rbee(["jobs", "show", job])
    for (const fact of [
      /^placed on: +gpu0 of hive localhost \(declared\)$/m,
      /^expected: +\d/m,
      /^unloaded for it: +w-/m
    ])
      assert.match(stdout, fact)
    assert.match(stdout, /^not taken: +cpu of hive localhost: the CPU is not allowed$/m)
  })

  it("stays with a pinned model, and the next one is told what there is", async () => {
    const on = await machine({ env: oneGpu })
    assert.strictEqual((await on.rbee(["infer", "--no-cpu", "--keep-warm", "hello"])).code, 0)
    await eventually(
      async () => ((await workers(on))[0] as { pinned?: boolean } | undefined)?.pinned === true,
      "the pin is known"
    )
    const run = await on.rbee(["infer", "--no-cpu", "--model", other(on), "hello"])
    assert.strictEqual(run.code, 1)
    assert.match(run.stderr, /VRAM_EXHAUSTED: .* needs \d+ MB; GPU0 has \d+ MB/)
    assert.lengthOf(await workers(on), 1)
  })

  it("is waited for while that model is at work, and nobody's answer is cut", async () => {
    const on = await machine({ env: { ...oneGpu, RBEE_WORKER_MAX_TOKENS_PER_S: "20" } })
    const long = on.start(["infer", "--no-cpu", "--max-tokens", "60", "hello, tell me a story"], {
      env: { RBEE_WORKER_MAX_TOKENS_PER_S: "20" }
    })
    await long.until(({ stdout }) => stdout() !== "")
    const run = await on.rbee(["infer", "--no-cpu", "--max-tokens", "4", "--model", other(on), "hello"])
    const first = await long.finished
    assert.strictEqual(first.code, 0, first.stderr)
    assert.strictEqual(run.code, 0, run.stderr)
    assert.include(run.stderr, "queen: job queued at position 1")
  })
})
