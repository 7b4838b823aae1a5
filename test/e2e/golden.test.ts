/** The golden transcripts, on real processes: exactly the lines of docs/narration.md, in their order. */
import { assert, describe, it } from "vitest"
import { type Machine, narration } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

/** Numbers that depend on the machine, and the folder of the model, filled in. */
const masked = (lines: ReadonlyArray<string>, { home, ports }: Machine) =>
  lines.map((line) =>
    line
      .replace(`:${ports.queen} `, ":8500 ")
      .replace(`localhost:${ports.hive}`, "localhost:8600")
      .replace(`on :${ports.worker} `, "on :8601 ")
      .replace(/^(hive: … 100% @ )[\d.]+( MB\/s …)$/, "$1410.2$2")
      .replace(/^(hive: model downloaded in )\d+\.\d( seconds)$/, "$10.0$2")
      .replace(home, "…")
      .replace(/model=….*\/minillama-q8_0\.gguf$/, "model=…/minillama-q8_0.gguf")
  )

const before = [
  "bee-keeper: starting inference request for minillama",
  "bee-keeper: queen is asleep, waking queen…",
  "bee-keeper: launching queen on :8500 and waiting for health…",
  "bee-keeper: queen is awake and healthy",
  "bee-keeper: connected to queen via SSE",
  "queen: no hives found; adding local machine",
  "queen: waking the beehive at localhost:8600",
  "queen: first heartbeat from hive localhost; checking capabilities…",
  "queen: hive localhost has CPU; models: 0, workers: 0",
  "queen: basic scheduler picked CPU on hive localhost",
  "queen: asking hive if there's room on CPU…"
]
const model = [
  "queen: asked hive to download model minillama",
  "queen: model minillama: provisioning started",
  "hive: model size = 3.3 MB; starting download",
  "hive: … 100% @ 410.2 MB/s …",
  "hive: model downloaded in 0.0 seconds"
]
const runtime = ["queen: worker cpu-llm-worker-rbee already available"]
const after = [
  "hive: waking worker on :8601 with model=…/minillama-q8_0.gguf",
  "queen: CPU worker is awake",
  "queen: connection to worker established; starting inference",
  "[DONE]",
  "queen: worker finished inference"
]
const warm = [
  "bee-keeper: starting inference request for minillama",
  "bee-keeper: queen is awake and healthy",
  "bee-keeper: connected to queen via SSE",
  "queen: using registered capabilities of hive 'localhost'",
  "queen: basic scheduler picked CPU on hive localhost",
  "queen: connection to worker established; starting inference",
  "[DONE]",
  "queen: worker finished inference"
]
const cascade = ["queen: shutting down workers…", "queen: shutting down hives…", "queen: goodbye"]

/** Steps 6 and 7 run at once: their lines may interleave, each keeping its own order. */
const assertCold = (lines: ReadonlyArray<string>, ending: ReadonlyArray<string>) => {
  const middle = lines.slice(before.length, lines.length - after.length - ending.length)
  assert.deepEqual(lines.slice(0, before.length), before)
  assert.deepEqual(
    // told ten times a second: how often depends on the machine
    middle.filter((line) => !runtime.includes(line) && !/ \d?\d% @/.test(line)),
    model
  )
  assert.deepEqual(
    middle.filter((line) => runtime.includes(line)),
    runtime
  )
  assert.deepEqual(lines.slice(before.length + middle.length), [...after, ...ending])
}

describe("golden transcripts on real processes", () => {
  it("a cold infer wakes everything and prints the cold lines; a warm one prints the warm lines", async () => {
    const on = await machine()
    const first = await on.rbee(["infer", "hello", "--temperature", "0"])
    assert.strictEqual(first.code, 0, first.stderr)
    assert.match(first.stdout, /^Hello! I am minillama/)
    assertCold(masked(narration(first.stderr), on), ["queen: keeping hive and worker warm"])

    const second = await on.rbee(["infer", "hello", "--temperature", "0"])
    assert.strictEqual(second.code, 0, second.stderr)
    assert.strictEqual(second.stdout, first.stdout)
    assert.deepEqual(masked(narration(second.stderr), on), [...warm, "queen: keeping hive and worker warm"])

    const single = await on.rbee(["infer", "hello", "--temperature", "0", "--no-stream"])
    assert.strictEqual(single.stdout, first.stdout)
    assert.deepEqual(masked(narration(single.stderr), on), [...warm, "queen: keeping hive and worker warm"])

    const kept = await on.rbee(["infer", "hello", "--cold"])
    assert.deepEqual(masked(narration(kept.stderr), on), [
      ...warm,
      "bee-keeper: leaving queen running: it was here before"
    ])
    assert.deepEqual(on.processes().filter(({ role }) => role === "queen").length, 1)
  })

  it("a cold session that woke the queen ends with the cascade lines, no process and no open port", async () => {
    const on = await machine()
    const run = await on.rbee(["infer", "--cold", "hello"])
    assert.strictEqual(run.code, 0, run.stderr)
    assertCold(masked(narration(run.stderr), on), ["bee-keeper: asking queen to cascade shutdown", ...cascade])
    assert.deepEqual(on.processes(), [])
    assert.deepEqual(on.listening(), [])
  })
})
