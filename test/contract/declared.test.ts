/**
 * What the real daemons answer, against what their endpoints declare: statuses and bodies of answers, codes and
 * statuses of errors. Each endpoint is asked in all the ways that go wrong on the way to it, and then in those that are
 * its own.
 */
import { assert, describe, it } from "vitest"
import { hiveApi } from "../../src/protocol/hive.ts"
import { pagesApi } from "../../src/layers/pages/index.ts"
import { queenApi } from "../../src/protocol/queen/index.ts"
import { megabyte } from "../../src/protocol/wire/wire.ts"
import { workerApi } from "../../src/protocol/worker.ts"
import { workerToken } from "../../src/layers/worker-connector/token.ts"
import type { Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { type Daemon, daemonAt } from "./declared.ts"

const machine = useMachines()

/** A queen with a hive and a worker that has answered once. */
const up = async (): Promise<{
  readonly on: Machine
  readonly queen: Daemon
  readonly hive: Daemon
  readonly worker: Daemon
  readonly workerId: string
}> => {
  const on = await machine()
  const run = await on.rbee(["infer", "hello"])
  assert.strictEqual(run.code, 0, run.stderr)
  const token = on.token() ?? ""
  const queen = daemonAt({ ...queenApi, ...pagesApi }, on.queenUrl, token)
  const hive = daemonAt(hiveApi, `http://127.0.0.1:${on.ports.hive}`, token)
  const { body } = await hive.ask("listWorkers")
  const [worker] = body as ReadonlyArray<{ readonly id: string; readonly url: string; readonly instance: string }>
  if (worker === undefined) throw new Error("no worker")
  const { id, instance, url } = worker
  return { on, queen, hive, worker: daemonAt(workerApi, url, workerToken(token, instance) ?? ""), workerId: id }
}

/** Asked of an endpoint whatever it does: nothing of it reaches a handler, or names something that is not there. */
const anyhow = async (daemon: Daemon, name: string): Promise<void> => {
  const { maxBytes = megabyte, method } = daemon.api[name] ?? {}
  await daemon.ask(name, { token: undefined, body: {} })
  await daemon.ask(name, { token: "not-the-token-of-this-cluster", body: {} })
  await daemon.ask(name, { headers: { origin: "https://example.com" }, body: {} })
  await daemon.ask(name, { headers: { "x-request-deadline": "2001-01-01T00:00:00Z" }, body: {} })
  await daemon.ask(name, { headers: { "x-request-deadline": "tomorrow" }, body: {} })
  if (method !== "POST") return
  await daemon.ask(name, { body: "{" })
  await daemon.ask(name, { body: "[1]" })
  await daemon.ask(name, { body: { made: "up", pinned: 3, id: 7 } })
  await daemon.ask(name, { body: `"${"x".repeat(maxBytes)}"` })
}

/** They end what is asked, or wait for what is not here. */
const notUnasked = new Set(["shutdown", "cancelInfers"])

describe("what the daemons answer is what they declare", { timeout: 120_000 }, () => {
  it("however an endpoint is asked that goes wrong on the way to it", async () => {
    const { hive, queen, worker } = await up()
    for (const daemon of [queen, hive, worker]) {
      for (const name of Object.keys(daemon.api)) if (!notUnasked.has(name)) await anyhow(daemon, name)
      assert.deepEqual(daemon.breaches(), [])
      assert.includeMembers(daemon.codes(), [
        "INVALID_REQUEST",
        "INVALID_API_KEY",
        "MISSING_API_KEY",
        "FORBIDDEN_ORIGIN"
      ])
      assert.includeMembers(daemon.codes(), ["DEADLINE_EXCEEDED", "PAYLOAD_TOO_LARGE"])
    }
  })

  it("of things that are not there, and of those that are", async () => {
    const { hive, queen, worker, workerId } = await up()
    for (const daemon of [queen, hive, worker]) {
      for (const [name, { method }] of Object.entries(daemon.api)) {
        if (method === "GET") await daemon.ask(name, { params: { file: "app.js" } })
        if (method === "DELETE" && !notUnasked.has(name)) await daemon.ask(name)
      }
    }
    const [job] = (await queen.ask("listJobs")).body as ReadonlyArray<{ readonly job_id: string }>
    const id = job?.job_id ?? ""
    for (const name of ["getJob", "jobEvents", "cancelJob", "removeJob"]) await queen.ask(name, { params: { id } })
    await queen.ask("v1Model", { params: { ref: "minillama" } })
    await queen.ask("plan", { query: { model: "minillama" } })
    await queen.ask("plan", { query: { model: "nonsense" } })
    for (const device of ["cpu", "gpu7"])
      for (const model of ["minillama", "file:/nowhere.gguf"])
        await hive.ask("capacity", { query: { device, model, context: "99999" } })
    await hive.ask("getModel", { params: { ref: "minillama" } })
    await hive.ask("workerEvents", { params: { id: workerId } })
    for (const daemon of [queen, hive, worker]) assert.deepEqual(daemon.breaches(), [])
    assert.includeMembers(queen.codes(), ["JOB_NOT_FOUND", "CONFLICT", "HIVE_NOT_FOUND", "MODEL_NOT_FOUND"])
    assert.includeMembers(hive.codes(), ["NOT_FOUND", "WORKER_NOT_FOUND", "MODEL_NOT_FOUND"])
  })

  it("of what changes something, where it is refused and where it is done", async () => {
    const { hive, queen, worker, workerId } = await up()
    const infer = { job_id: "job-1", epoch: 3, prompt: "hello", max_tokens: 2 }
    await worker.ask("infer", { body: infer })
    await worker.ask("infer", { body: { ...infer, epoch: 1 } })
    await worker.ask("infer", { body: { ...infer, job_id: "job-2", stream: false } })
    await worker.ask("infer", { body: { ...infer, job_id: "job-3", prompt: "x ".repeat(5000) } })
    // it drains as long as that one runs
    await worker.ask("infer", { body: { ...infer, job_id: "job-4", max_tokens: 100_000, ignore_eos: true } })
    await worker.ask("shutdown", { body: {} })
    await worker.ask("infer", { body: infer })

    const prompt = { model: "minillama", prompt: "hello", max_tokens: 2 }
    const key = { "idempotency-key": "one" }
    await queen.ask("submitJob", { body: prompt, headers: key })
    await queen.ask("submitJob", { body: { ...prompt, max_tokens: 3 }, headers: key })
    await queen.ask("submitJob", { body: { ...prompt, model: "nonsense" } })
    const chat = { model: "minillama", max_tokens: 2, messages: [{ role: "user", content: "hello" }] }
    for (const own of [{}, { stream: true }, { n: 2 }, { model: "gpt-4o" }, { made: "up" }])
      await queen.ask("v1Chat", { body: { ...chat, ...own } })
    await queen.ask("v1Chat", { body: { ...chat, messages: [{ role: "user", content: "x ".repeat(5000) }] } })
    for (const own of [
      {},
      { stream: false },
      { messages: [] },
      { model: "gpt-4o" },
      { made: "up" },
      { logprobs: true }
    ])
      await queen.ask("ollamaChat", { body: { ...chat, ...own } })
    for (const own of [{}, { stream: false }, { raw: true }, { suffix: "x" }])
      await queen.ask("ollamaGenerate", { body: { model: "minillama", prompt: "hello", ...own } })
    const text = { model: "minillama", prompt: "hello", max_tokens: 2 }
    for (const own of [{}, { stream: true }, { suffix: "x" }, { prompt: [] }, { model: "nonsense" }])
      await queen.ask("v1Completions", { body: { ...text, ...own } })
    for (const model of ["minillama", "nonsense", "file:/nowhere.gguf"]) {
      await queen.ask("v1Tokenize", { body: { model, content: "hello" } })
      await queen.ask("v1Detokenize", { body: { model, tokens: [1, 1e6] } })
      await queen.ask("v1Props", { query: { model } })
      await queen.ask("ollamaShow", { body: { model } })
      await queen.ask("ollamaPull", { body: { model, stream: false } })
    }
    await queen.ask("ollamaPull", { body: { model: "minillama" } })
    await queen.ask("ollamaCopy", { body: { source: "a", destination: "b" } })
    const elsewhere = { host: "127.0.0.1", port: 9, user: "nobody", hive_port: 9 }
    await queen.ask("addHive", { body: { id: "far", ssh: elsewhere } })
    await queen.ask("addHive", { body: { id: "near" } })
    await queen.ask("inviteHive", { params: { id: "new" }, body: {} })
    await queen.ask("joinHive", { params: { id: "x" }, body: { secret: "a".repeat(32), port: 9, queen: "http://a" } })
    for (const name of ["checkHive", "installHive", "uninstallHive", "startHive", "stopHive"])
      for (const id of ["localhost", "nowhere"]) await queen.ask(name, { params: { id } })
    await queen.ask("startHive", { params: { id: "localhost" } })
    await queen.ask("unlockKey", { body: { file: "/nowhere", passphrase: "x" } })
    for (const model_ref of ["minillama", "nonsense", "file:/nowhere.gguf"])
      await queen.ask("pullModel", { body: { model_ref } })
    for (const ref of ["minillama", "file:/nowhere.gguf"]) {
      await queen.ask("pinModel", { params: { ref }, body: { pinned: false } })
      await queen.ask("retryModel", { params: { ref } })
    }
    await queen.ask("scanModels", { body: { folders: ["/nowhere"] } })
    await queen.ask("collectModels", { body: { max_mb: 1, dry_run: true } })
    await queen.ask("ticket", { body: {} })
    await queen.ask("heartbeat", { body: {} })

    const claim = { id: "queen-x", name: "x", epoch: 1, url: "http://127.0.0.1:9" }
    await hive.ask("claim", { body: { queen: claim } })
    await hive.ask("provisionModel", { body: { model_ref: "minillama" } })
    await hive.ask("scanModels", { body: { folders: ["/nowhere"] } })
    await hive.ask("provisionWorker", { body: { kind: "cpu-llm-worker-rbee" } })
    await hive.ask("provisionWorker", { body: { kind: "vulkan-llm-worker-rbee", device: "gpu7" } })
    for (const device of ["cpu", "gpu7"])
      for (const model_ref of ["minillama", "file:/nowhere.gguf"])
        await hive.ask("startWorker", { body: { device, model_ref } })

    for (const id of ["nothere", workerId]) await queen.ask("stopWorker", { params: { id } })
    await queen.ask("removeModel", { params: { ref: "minillama" } })
    await queen.ask("shutdown", { query: { session: "nobody" } })
    await hive.ask("shutdown", { body: {} })
    await queen.ask("shutdown", { query: { cascade: "true" } })
    for (const daemon of [queen, hive, worker]) assert.deepEqual(daemon.breaches(), [])
    assert.includeMembers(queen.codes(), ["CONFLICT", "MODEL_NOT_FOUND", "UNSUPPORTED_PARAMETER", "SSH_UNREACHABLE"])
    assert.includeMembers(hive.codes(), ["HIVE_OWNED", "MODEL_NOT_FOUND"])
    assert.includeMembers(worker.codes(), ["CONFLICT", "SHUTTING_DOWN"])
  })
})
