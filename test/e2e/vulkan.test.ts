/** A GPU that is no NVIDIA's, on a real Vulkan driver: Mesa's llvmpipe plays the card where there is none. */
import { existsSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { eventually } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const hasDriver = existsSync("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json") && process.arch === "x64"

describe.skipIf(!hasDriver)("a GPU of Vulkan's", () => {
  it("is found once its runtime is there, which the hive installs by itself, and answers", async () => {
    const on = await machine({ env: { RBEE_HIVE_VULKAN: "on", GGML_VK_VISIBLE_DEVICES: "0" } })
    assert.strictEqual((await on.rbee(["hives", "start", "localhost"])).code, 0)
    await eventually(
      async () => (await on.rbee(["hives", "ls"])).stdout.includes("GPU0 llvmpipe"),
      "the hive knows its GPU",
      60_000
    )

    const run = await on.rbee(["infer", "--no-cpu", "--max-tokens", "20", "hello"], { limitMs: 100_000 })
    assert.strictEqual(run.code, 0, run.stderr)
    assert.isAbove(run.stdout.length, 10)
    for (const line of [
      "queen: basic scheduler picked GPU0 on hive localhost",
      "queen: worker vulkan-llm-worker-rbee already available",
      "queen: VULKAN worker is awake"
    ])
      assert.include(run.stderr.split("\n"), line)
    const [job] = (await (await on.fetch(`${on.queenUrl}/jobs`)).json()) as Array<{ placement: object }>
    assert.include(job?.placement, { device: "gpu0" })
  }, 120_000)
})
