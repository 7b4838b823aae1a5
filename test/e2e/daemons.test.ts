/** Queen and hive lifecycle on real processes. */
import { createServer } from "node:http"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const roles = (on: Machine) =>
  on
    .processes()
    .map(({ role }) => role)
    .filter((role) => role !== "other")
    .toSorted()

describe("queen and hive lifecycle", () => {
  it("goes through every start and stop, and says when there is nothing to do", async () => {
    const on = await machine()
    const stopped = await on.rbee(["queen", "stop"])
    assert.strictEqual(stopped.code, 0)
    assert.include(stopped.stdout + stopped.stderr, "not running")

    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
    assert.deepEqual(roles(on), ["queen"])
    const again = await on.rbee(["queen", "start"])
    assert.strictEqual(again.code, 0)
    assert.include(again.stdout + again.stderr, "already running")

    assert.strictEqual((await on.rbee(["hives", "start"])).code, 0)
    assert.deepEqual(roles(on), ["hive", "queen"])
    assert.strictEqual((await on.rbee(["hives", "stop"])).code, 0)
    assert.deepEqual(roles(on), ["queen"])

    assert.strictEqual((await on.rbee(["hives", "start"])).code, 0)
    assert.strictEqual((await on.rbee(["queen", "stop", "--cascade"])).code, 0)
    assert.deepEqual(roles(on), [])
  })

  it("wakes queen and hive together when a hive is started and nothing runs", async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(["hives", "start"])).code, 0)
    assert.deepEqual(roles(on), ["hive", "queen"])
    assert.strictEqual((await on.rbee(["down"])).code, 0)
    assert.deepEqual(on.processes(), [])
    assert.deepEqual(on.listening(), [])
  })

  it("survives three rapid rounds of up and down", async () => {
    const on = await machine()
    for (let round = 0; round < 3; round++) {
      assert.strictEqual((await on.rbee(["up"])).code, 0)
      assert.deepEqual(roles(on), ["hive", "queen"])
      assert.strictEqual((await on.rbee(["down"])).code, 0)
      assert.deepEqual(on.processes(), [])
    }
  })

  it("leaves the hive alive when the queen stops without cascade, and the next queen takes it back", async () => {
    const on = await machine()
    await on.rbee(["infer", "hello"])
    const hive = on.processes().find(({ role }) => role === "hive")?.pid
    assert.strictEqual((await on.rbee(["queen", "stop"])).code, 0)
    assert.include(roles(on), "hive")
    const next = await on.rbee(["infer", "hello"])
    assert.strictEqual(next.code, 0, next.stderr)
    assert.strictEqual(on.processes().find(({ role }) => role === "hive")?.pid, hive)
    assert.notInclude(next.stderr, "waking the beehive")
    assert.notInclude(next.stderr, "waking worker")
  })

  it("answers two cold infers at once with one queen, one hive and one worker", async () => {
    const on = await machine()
    const [one, two] = await Promise.all([on.rbee(["infer", "hello"]), on.rbee(["infer", "What are you?"])])
    assert.strictEqual(one.code, 0, one.stderr)
    assert.strictEqual(two.code, 0, two.stderr)
    assert.isNotEmpty(one.stdout)
    assert.isNotEmpty(two.stdout)
    assert.deepEqual(roles(on), ["hive", "queen", "worker"])
  })

  it("does not touch another session's stream when a cold session ends", async () => {
    const on = await machine({ env: { RBEE_WORKER_MAX_TOKENS_PER_S: "40" } })
    const long = on.start(["infer", "tell me a story", "--ignore-eos", "--max-tokens", "120"])
    await long.until((run) => run.stdout().length > 0)
    const cold = await on.rbee(["infer", "--cold", "hello"])
    assert.strictEqual(cold.code, 0, cold.stderr)
    assert.isFalse(long.stderr().includes("[DONE]"), "the cold session ended inside the other's answer")
    const done = await long.finished
    assert.strictEqual(done.code, 0, done.stderr)
    assert.include(done.stderr, "[DONE]")
    assert.deepEqual(roles(on), ["hive", "queen", "worker"])
  })

  it("does not take a stranger on its port for a queen, and names the port", async () => {
    const on = await machine()
    const stranger = createServer((_, answer) =>
      answer.writeHead(200, { "content-type": "application/json" }).end("{}")
    )
    await new Promise<void>((resolve) => stranger.listen(on.ports.queen, "127.0.0.1", resolve))
    try {
      const run = await on.rbee(["infer", "hello"])
      assert.strictEqual(run.code, 1)
      assert.include(run.stderr, String(on.ports.queen))
      assert.include(run.stderr, String(process.pid))
    } finally {
      await new Promise((resolve) => stranger.close(resolve))
    }
  })

  it("moves on by itself when a worker port is taken", async () => {
    const on = await machine()
    const stranger = createServer()
    await new Promise<void>((resolve) => stranger.listen(on.ports.worker, "127.0.0.1", resolve))
    try {
      const run = await on.rbee(["infer", "hello"])
      assert.strictEqual(run.code, 0, run.stderr)
      assert.include(run.stderr, `waking worker on :${on.ports.worker + 1} `)
    } finally {
      await new Promise((resolve) => stranger.close(resolve))
    }
  })

  it("says with exit code 3 that nothing runs", async () => {
    const on = await machine()
    for (const args of [
      ["status"],
      ["hives", "ls"],
      ["workers", "ls"],
      ["models", "ls"],
      ["jobs", "ls"],
      ["queen", "status"]
    ]) {
      const run = await on.rbee(args)
      assert.strictEqual(run.code, 3, `${args.join(" ")}: ${run.stderr}`)
      assert.include(run.stdout + run.stderr, "not running")
    }
  })

  it("unloads an idle worker, and starts it again without downloading", async () => {
    const on = await machine({ env: { RBEE_WORKER_IDLE_MS: "2000" } })
    await on.rbee(["infer", "hello"])
    assert.include(roles(on), "worker")
    await eventually(() => !roles(on).includes("worker"), "the idle worker is gone")
    const next = await on.rbee(["infer", "hello"])
    assert.strictEqual(next.code, 0, next.stderr)
    assert.include(next.stderr, "model minillama found in hive catalog")
    assert.include(next.stderr, "waking worker on")
    assert.notInclude(next.stderr, "starting download")
  })

  it("asks for stale capabilities again and prints their line alone", async () => {
    const on = await machine({ env: { RBEE_QUEEN_CAPABILITIES_MS: "1" } })
    await on.rbee(["infer", "hello"])
    const next = await on.rbee(["infer", "hello"])
    assert.strictEqual(next.code, 0, next.stderr)
    assert.include(next.stderr, "queen: hive localhost has CPU; models: 1, workers: 1")
    assert.notInclude(next.stderr, "first heartbeat")
    assert.notInclude(next.stderr, "using registered capabilities")
  })

  it("prefers a flag to the environment, that to the file, and that to the default", async () => {
    const on = await machine()
    writeFileSync(join(on.home, "config.toml"), "[queen]\nport = 1\n")
    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
    assert.deepEqual(on.listening(), [on.ports.queen])
  })

  it("names file, line and field of a broken config file", async () => {
    const on = await machine()
    writeFileSync(join(on.home, "config.toml"), '[worker]\nslots = "many"\n')
    const run = await on.rbee(["infer", "hello"])
    assert.strictEqual(run.code, 1)
    assert.include(run.stderr, "config.toml")
    assert.match(run.stderr, /line 2|:2/)
    assert.include(run.stderr, "slots")
    assert.deepEqual(on.processes(), [])
  })

  it("refuses to bind anything but loopback without a token, and says how", async () => {
    const on = await machine({ env: { RBEE_QUEEN_HOST: "0.0.0.0" } })
    const run = await on.rbee(["queen", "start"])
    assert.strictEqual(run.code, 1)
    assert.include(run.stderr, "RBEE_TOKEN")
    assert.deepEqual(on.processes(), [])
  })

  it("keeps logs that rbee logs shows, without any secret", async () => {
    const on = await machine({ env: { RBEE_TOKEN: "a-very-secret-token-0123456789" } })
    assert.strictEqual((await on.rbee(["infer", "hello"])).code, 0)
    for (const role of ["queen", "hive", "worker"]) {
      const logs = await on.rbee(["logs", role])
      assert.strictEqual(logs.code, 0, logs.stderr)
      assert.isNotEmpty(logs.stdout, role)
      assert.notInclude(logs.stdout, "a-very-secret-token")
    }
    for (const { pid } of on.processes()) {
      assert.notInclude(readFileSync(`/proc/${pid}/cmdline`, "utf8"), "a-very-secret-token")
    }
  })
})
