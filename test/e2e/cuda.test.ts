/** An NVIDIA card, where there is one: the runtime that the hive fetches for it, answers, a kill, and memory that comes back. */
import { execFileSync } from "node:child_process"
import { assert, describe, it } from "vitest"
import { findTool } from "../../src/layers/devices/nvidia.ts"
import { paced, phaseNamed, recovers, story } from "../support/faults.ts"
import { eventually, type Finished, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

const smi = (query: string): ReadonlyArray<string> =>
  execFileSync("nvidia-smi", [query, "--format=csv,noheader,nounits"], { encoding: "utf8" }).trim().split("\n")

/** MiB that all of the machine's programs have of its cards */
const usedMib = (): number => smi("--query-gpu=memory.used").reduce((sum, line) => sum + Number(line), 0)

const pidsOnIt = (): ReadonlyArray<number> => smi("--query-compute-apps=pid").map(Number)

/** The runtime is 320 MB: the first time it comes over the network. */
const limit = { limitMs: 500_000 }
const woken = async (env: Record<string, string> = {}): Promise<{ readonly on: Machine; readonly run: Finished }> => {
  const on = await machine({ env })
  const run = await on.rbee(["infer", "--no-cpu", "--temperature", "0", "hello"], limit)
  assert.strictEqual(run.code, 0, run.stderr)
  assert.match(run.stdout, /^Hello! I am minillama/)
  return { on, run }
}

describe.skipIf(findTool(process.env["PATH"] ?? "") === undefined)("a GPU of NVIDIA's", () => {
  it("is found, its runtime is installed by the hive, and it answers", async () => {
    const { on, run } = await woken()
    for (const line of [
      "queen: basic scheduler picked GPU0 on hive localhost",
      "queen: asked hive to prepare worker cuda-llm-worker-rbee",
      "queen: CUDA worker is awake"
    ])
      assert.include(run.stderr.split("\n"), line)
    const worker = on.processes().find(({ role }) => role === "worker")
    assert.include(pidsOnIt(), worker?.pid)
  }, 510_000)

  it("gives its memory back when everything is down", async () => {
    const { on } = await woken()
    const worker = on.processes().find(({ role }) => role === "worker")
    const during = usedMib()
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    assert.notInclude(pidsOnIt(), worker?.pid)
    // what a worker takes at least of a card of theirs
    await eventually(() => usedMib() <= during - 100, "the memory is back")
  }, 510_000)

  it("has a worker that is killed in mid-answer: its answer goes on with its own next token, on the GPU", async () => {
    const { on } = await woken(paced)
    const undisturbed = (await on.rbee([...story, "--no-cpu"])).stdout
    assert.isAbove(undisturbed.length, 200)
    await recovers(on, phaseNamed("in mid-answer"), "worker", "SIGKILL", undisturbed)
  }, 510_000)
})
