/** The whole flow with "GPU0 RTX 3060, GPU1 RTX 3090" on a machine that has none. */
import { assert, describe, it } from "vitest"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

/** `left`: MB that each GPU has for us; all by default */
const gpus = (left: { readonly gpu0?: number; readonly gpu1?: number } = {}) => ({
  RBEE_HIVE_GPUS: JSON.stringify([
    { id: "gpu0", name: "RTX 3060", vram_mb: 12_000, leave_mb: 12_000 - (left.gpu0 ?? 12_000) },
    { id: "gpu1", name: "RTX 3090", vram_mb: 24_000, leave_mb: 24_000 - (left.gpu1 ?? 24_000) }
  ])
})
const said = (stderr: string) => stderr.split("\n").filter((line) => line.startsWith("queen: "))

describe("declared GPUs", () => {
  it("carry the seed's lines: the strongest one is picked and its worker is named after its backend", async () => {
    const on = await machine({ env: gpus() })
    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    assert.include(run.stdout, "minillama")
    for (const line of [
      "queen: hive localhost has CPU, GPU0 RTX 3060, GPU1 RTX 3090; models: 0, workers: 0",
      "queen: basic scheduler picked GPU1 on hive localhost",
      "queen: asking hive if there's room on GPU1…",
      "queen: worker cuda-llm-worker-rbee already available",
      "queen: CUDA worker is awake"
    ])
      assert.include(said(run.stderr), line)

    const [job] = (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as Array<{ placement: object }>
    assert.include(job?.placement, { device: "gpu1", declared: true })
    assert.match((await on.rbee(["hives", "ls"])).stdout, /GPU0 RTX 3060 \(declared\), GPU1 RTX 3090 \(declared\)/)
    const { gpus: devices } = (await (await on.fetch(`http://127.0.0.1:${on.ports.hive}/devices`)).json()) as {
      gpus: Array<{ id: string; declared: boolean; vram_free_mb: number }>
    }
    assert.deepEqual(
      devices.map(({ declared }) => declared),
      [true, true]
    )
    assert.strictEqual(devices[0]?.vram_free_mb, 12_000)
    assert.isBelow(devices[1]?.vram_free_mb ?? 0, 24_000, "the worker is charged to its ledger")
    assert.strictEqual((await on.rbee(["down"])).code, 0)
  })

  it("fall back from GPU1 to GPU0", async () => {
    const on = await machine({ env: gpus({ gpu1: 50 }) })
    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    const lines = said(run.stderr)
    const at = lines.indexOf("queen: insufficient VRAM on GPU1 for minillama; trying next candidate…")
    assert.deepEqual(lines.slice(at - 2, at + 3), [
      "queen: basic scheduler picked GPU1 on hive localhost",
      "queen: asking hive if there's room on GPU1…",
      "queen: insufficient VRAM on GPU1 for minillama; trying next candidate…",
      "queen: basic scheduler picked GPU0 on hive localhost",
      "queen: asking hive if there's room on GPU0…"
    ])
    assert.include(lines, "queen: CUDA worker is awake")
  })

  it("fall back to the CPU where it is allowed, and else fail with the amounts and advice", async () => {
    const on = await machine({ env: gpus({ gpu0: 40, gpu1: 50 }) })
    const refused = await on.rbee(["infer", "--no-cpu", "hello"])
    assert.strictEqual(refused.code, 1)
    assert.match(
      refused.stderr,
      /VRAM_EXHAUSTED: minillama needs \d+ MB; GPU1 has \d+ MB, GPU0 has \d+ MB\. .*rbee stop MODEL/
    )
    const [job] = (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as Array<{
      error: { code: string; details: { status: number; needed_mb: number; available_mb: number } }
    }>
    assert.strictEqual(job?.error.details.status, 507)
    assert.isAbove(job?.error.details.needed_mb ?? 0, job?.error.details.available_mb ?? 0)

    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    const lines = said(run.stderr)
    for (const gpu of ["GPU1", "GPU0"])
      assert.include(lines, `queen: insufficient VRAM on ${gpu} for minillama; trying next candidate…`)
    assert.include(lines, "queen: basic scheduler picked CPU on hive localhost")
    assert.include(lines, "queen: CPU worker is awake")
  })
})
