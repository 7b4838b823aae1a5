/** A real hive daemon over real worker processes. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { isDeepStrictEqual } from "node:util"
import * as Effect from "effect/Effect"
import { afterEach, describe, expect, it } from "vitest"
import { makeHttpClient } from "../../src/layers/transport/http/client/client.ts"
import { workerApi } from "../../src/protocol/worker.ts"
import { workerToken } from "../../src/layers/worker-connector/token.ts"
import type { WorkerBeat } from "../../src/machines/vocabulary/worker.ts"
import { hundredMillion, invalid, tiny } from "../support/gguf.ts"
import {
  eventsOf,
  type HiveProcess,
  lines,
  programs,
  provision,
  refused,
  run,
  startHive,
  startWorker
} from "../support/hive.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { JobId, WorkerId, DeviceId, cpuDevice, ModelRef } from "../../src/machines/vocabulary/ids.ts"

const machine = useMachines()
const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** The built programs with another worker. Inside the tree, where they find their packages. */
const withWorker = (source: string): string => {
  const folder = mkdtempSync(fileURLToPath(new URL("../../node_modules/.rbee-programs-", import.meta.url)))
  folders.push(folder)
  cpSync(programs, folder, { recursive: true })
  writeFileSync(join(folder, "worker.mjs"), source)
  writeFileSync(join(folder, "worker.js"), 'void import("./worker.mjs")')
  return folder
}

const workers = (hive: HiveProcess): Promise<ReadonlyArray<WorkerBeat>> => run(hive.api.listWorkers({}))
const only = async (hive: HiveProcess): Promise<WorkerBeat | undefined> => (await workers(hive))[0]
const pids = (here: Machine) => here.processes().filter(({ role }) => role === "worker")
const workerAt = (here: Machine, worker: WorkerBeat | undefined) =>
  makeHttpClient(workerApi, {
    baseUrl: worker?.url ?? "",
    token: workerToken(here.token(), worker?.instance ?? "")
  })

describe("A hive and its workers", () => {
  it("starts a worker that answers, tells its story, and lets others join it", async () => {
    const here = await machine()
    const hive = await startHive(here)
    await provision(hive, "minillama")
    const [first, second] = await Promise.all([startWorker(hive), startWorker(hive)])
    expect(second.id).toBe(first.id)
    expect(pids(here)).toHaveLength(1)
    for (const { events } of [first, second]) {
      expect(lines(events)).toEqual([
        `waking worker on :${first.port} with model=${join(hive.folder, "models", "minillama-q8_0.gguf")}`
      ])
      expect(events.at(-1)).toMatchObject({ event: "ready", data: { backend: "CPU", context: 512, slots: 4 } })
    }
    const answer = await run(
      workerAt(here, await only(hive)).infer({
        job_id: JobId.make("j"),
        epoch: 1,
        prompt: "hello",
        stream: false
      })
    )
    expect(answer).toMatchObject({ _tag: "Json", status: 200 })
    expect(await only(hive)).toMatchObject({
      id: first.id,
      device: cpuDevice,
      model: "minillama",
      port: first.port,
      slots: 4
    })
    expect(await only(hive)).not.toHaveProperty("asked")
    // set up otherwise: not this one; each is shared by those who ask for the same
    const wider = await startWorker(hive, { slots: 2, kv_type: "q8_0" })
    expect(wider.id).not.toBe(first.id)
    expect((await workers(hive)).find(({ id }) => id === wider.id)).toMatchObject({
      slots: 2,
      kv_type: "q8_0",
      asked: { slots: 2, kv_type: "q8_0" }
    })
    expect((await startWorker(hive, { kv_type: "q8_0" })).id).toBe(wider.id)
    expect((await startWorker(hive, { slots: 4, kv_type: "f16" })).id).toBe(first.id)
  })

  it("brings a worker back that was killed with -9: same id, new instance, and a story of its own", async () => {
    const here = await machine()
    const hive = await startHive(here)
    await provision(hive, "minillama")
    const { id, events } = await startWorker(hive)
    const before = events.at(-1)?.data["instance"]
    process.kill((await only(hive))?.pid ?? 0, "SIGKILL")
    await eventually(async () => {
      const found = await only(hive)
      return found?.state === "idle" && found.instance !== before
    }, "it is back")
    const again = await startWorker(hive)
    expect(again.id).toBe(id)
    expect(again.events.at(-1)).toMatchObject({ event: "ready" })
    expect(again.events.at(-1)?.data["instance"]).not.toBe(before)
    expect(lines(again.events)).toEqual([expect.stringContaining("waking worker on")])
    expect(pids(here)).toHaveLength(1)
  })

  it("kills a worker that hangs, and brings it back", async () => {
    const here = await machine()
    const hive = await startHive(here)
    await provision(hive, "minillama")
    await startWorker(hive)
    const pid = (await only(hive))?.pid ?? 0
    process.kill(pid, "SIGSTOP")
    await eventually(
      async () => {
        const found = await only(hive)
        return found?.state === "idle" && found.pid !== pid
      },
      "another process serves",
      20_000
    )
    expect(pids(here).map((each) => each.pid)).not.toContain(pid)
  })

  it("gives up a worker that never binds after its restarts, and lets its model rest, not the device, which is proven to work", async () => {
    const here = await machine()
    const broken = withWorker(`process.stderr.write("no can do\\n"); process.exit(9)`)
    const hive = await startHive(here, {}, broken)
    await provision(hive, "minillama")
    const error = await refused(
      hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make("minillama") })
    )
    expect(error).toMatchObject({
      code: "WORKER_START_FAILED",
      details: { attempts: 4, reason: "exit code 9", last_words: expect.stringContaining("no can do") }
    })
    expect(await workers(hive)).toEqual([])
    const next = await refused(
      hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make("minillama") })
    )
    expect(next).toMatchObject({ code: "WORKER_START_FAILED", details: { resting: true } })
    expect(
      await refused(hive.api.capacity({ device: DeviceId.make("cpu"), model: ModelRef.make("minillama") }))
    ).toMatchObject({
      code: "WORKER_START_FAILED"
    })
    const other = await tiny()
    await provision(hive, `file:${other}`)
    expect(
      await run(hive.api.capacity({ device: DeviceId.make("cpu"), model: ModelRef.make(`file:${other}`) }))
    ).toBeUndefined()
  })

  it("tells each failed boot while it tries on", async () => {
    const here = await machine()
    // dies twice before it binds, and then is the real worker
    const source = `
      import { appendFileSync, readFileSync } from "node:fs"
      const file = process.env.RBEE_HOME + "/boots"
      appendFileSync(file, "x")
      if (readFileSync(file, "utf8").length <= 2) process.kill(process.pid, "SIGKILL")
      else await import("./real-worker.js")`
    const folder = withWorker(source)
    cpSync(join(programs, "worker.js"), join(folder, "real-worker.js"))
    const hive = await startHive(here, {}, folder)
    await provision(hive, "minillama")
    const { id, events } = await startWorker(hive)
    expect(lines(events)).toEqual([
      `worker ${id} failed to boot (killed by SIGKILL); restarting (1/3)`,
      `worker ${id} failed to boot (killed by SIGKILL); restarting (2/3)`,
      expect.stringContaining("waking worker on")
    ])
  })

  it("shrinks context and slots once when the device runs out of memory", async () => {
    const here = await machine()
    const source = `
      import { appendFileSync, readFileSync } from "node:fs"
      const file = process.env.RBEE_HOME + "/boots"
      appendFileSync(file, "x")
      if (readFileSync(file, "utf8").length === 1) {
        process.stderr.write("ggml_backend: failed to allocate a buffer\\n")
        process.abort()
      }
      else await import("./real-worker.js")`
    const folder = withWorker(source)
    cpSync(join(programs, "worker.js"), join(folder, "real-worker.js"))
    const hive = await startHive(here, {}, folder)
    const path = await hundredMillion()
    await provision(hive, `file:${path}`)
    const { events } = await startWorker(hive, { model_ref: ModelRef.make(`file:${path}`) })
    expect(lines(events)).toEqual([
      expect.stringContaining("failed to boot (killed by SIGABRT); restarting (1/3)"),
      "context shrunk from 8192 to 4096 tokens to fit CPU",
      expect.stringContaining("waking worker on")
    ])
    expect(events.at(-1)?.data).toMatchObject({ context: 4096, slots: 2 })
  })

  it("tries a model that the engine refuses once more, and then no more, and blames no device for it", async () => {
    const hive = await startHive(await machine())
    const path = await invalid("unknown-architecture")
    expect((await provision(hive, `file:${path}`)).at(-1)?.event).toBe("ready")
    const { worker_id } = await run(
      hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make(`file:${path}`) })
    )
    const events = await eventsOf(hive.api.workerEvents({ id: worker_id }))
    expect(events.at(-1)).toMatchObject({ event: "failed", data: { code: "MODEL_INVALID", attempts: 2 } })
    expect(
      await refused(hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make(`file:${path}`) }))
    ).toMatchObject({
      code: "MODEL_INVALID",
      details: { quarantined: true, reason: expect.stringContaining("unknown model architecture") }
    })
    await provision(hive, "minillama")
    expect((await startWorker(hive)).events.at(-1)?.event).toBe("ready")
  })

  it("keeps a file that ends its workers off the device, over its own death, until it is told to try again", async () => {
    const here = await machine()
    // its first two boots die as an assertion of llama.cpp's would have them die, with the runtime there
    const source = `
      import { appendFileSync, readFileSync, writeSync } from "node:fs"
      const file = process.env.RBEE_HOME + "/boots"
      appendFileSync(file, "x")
      if (readFileSync(file, "utf8").length <= 2) {
        writeSync(3, '{"t":"bound","port":1,"url":"http://127.0.0.1:1"}\\n{"t":"loading","progress":0}\\n')
        process.stderr.write('/src/llama-model.cpp:7: GGML_ASSERT(n > 0) failed\\n')
        process.abort()
      } else await import("./real-worker.js")`
    const folder = withWorker(source)
    cpSync(join(programs, "worker.js"), join(folder, "real-worker.js"))
    const hive = await startHive(here, {}, folder)
    const model_ref = `file:${await tiny()}`
    const start = (on: HiveProcess) =>
      run(Effect.either(on.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make(model_ref) })))
    const quarantined = expect.objectContaining({
      code: "MODEL_INVALID",
      what: expect.stringMatching(/\(killed by SIGABRT: llama-model\.cpp:7: GGML_ASSERT\(n > 0\) failed\)$/)
    })
    await provision(hive, model_ref)
    await provision(hive, "minillama")
    await start(hive)
    await eventually(async () => isDeepStrictEqual(await workers(hive), []), "it was given up")
    expect(await start(hive)).toMatchObject({ _tag: "Left", left: quarantined })
    expect((await startWorker(hive)).events.at(-1)?.event).toBe("ready")
    hive.process.kill("SIGKILL")
    await hive.exit
    const next = await startHive(here, {}, folder)
    expect(await start(next)).toMatchObject({ _tag: "Left", left: quarantined })
    expect(await run(next.api.getModel({ ref: model_ref }))).toMatchObject({
      quarantined: [{ device: cpuDevice, reason: "killed by SIGABRT" }]
    })
    await run(next.api.retryModel({ ref: model_ref }))
    expect((await startWorker(next, { model_ref: ModelRef.make(model_ref) })).events.at(-1)?.event).toBe("ready")
  })

  it("unloads an idle worker, gives its memory back, and starts it again without a download", async () => {
    const here = await machine()
    const hive = await startHive(here, { RBEE_WORKER_IDLE_MS: "700" })
    await provision(hive, "minillama")
    const { port } = await startWorker(hive)
    await eventually(async () => (await workers(hive)).length === 0, "it unloaded")
    expect(pids(here)).toEqual([])
    expect(here.listening()).not.toContain(port)
    expect((await startWorker(hive)).events.at(-1)?.event).toBe("ready")
  })

  it("does not unload a worker that is pinned, and unpins one that is stopped by hand", async () => {
    const here = await machine()
    const hive = await startHive(here, { RBEE_WORKER_IDLE_MS: "300" })
    await provision(hive, "minillama")
    const { id } = await startWorker(hive, { pin: true })
    expect(await run(hive.api.getModel({ ref: "minillama" }))).toMatchObject({ pinned: true })
    const other = await tiny()
    await provision(hive, `file:${other}`)
    await startWorker(hive, { model_ref: ModelRef.make(`file:${other}`) })
    // the unpinned one goes, so the time has passed for both
    await eventually(async () => (await workers(hive)).length === 1, "the other unloaded")
    expect((await only(hive))?.id).toBe(id)
    await run(hive.api.stopWorker({ id: WorkerId.make(id) }))
    expect(await workers(hive)).toEqual([])
    expect(await run(hive.api.getModel({ ref: "minillama" }))).toMatchObject({ pinned: false })
  })

  it("refuses with the amounts what does not fit, books nothing for it, and says the same as its advice", async () => {
    const hive = await startHive(await machine())
    // 16 M tokens in 256 slots: more than any machine has
    const model_ref = `file:${await tiny({ context: 16_000_000 })}`
    await provision(hive, model_ref)
    const huge = { context: 16_000_000, slots: 256, device: cpuDevice }
    const error = await refused(hive.api.startWorker({ ...huge, model_ref: ModelRef.make(model_ref) }))
    expect(error).toMatchObject({ code: "VRAM_EXHAUSTED", details: { status: 409, device: cpuDevice } })
    const advice = await refused(hive.api.capacity({ ...huge, model: ModelRef.make(model_ref) }))
    expect(advice.details["needed_mb"]).toBe(error.details["needed_mb"])
    expect(await workers(hive)).toEqual([])
    expect(
      await run(hive.api.capacity({ device: DeviceId.make("cpu"), model: ModelRef.make(model_ref), context: 256 }))
    ).toBeUndefined()
    expect(
      await refused(hive.api.capacity({ device: DeviceId.make("gpu7"), model: ModelRef.make(model_ref) }))
    ).toMatchObject({
      code: "NOT_FOUND"
    })
    expect((await startWorker(hive, { model_ref: ModelRef.make(model_ref), context: 256 })).events.at(-1)?.event).toBe(
      "ready"
    )
  })

  it("says what it does not know", async () => {
    const hive = await startHive(await machine())
    expect(
      await refused(hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make("minillama") }))
    ).toMatchObject({
      code: "MODEL_NOT_FOUND"
    })
    expect(await refused(hive.api.stopWorker({ id: WorkerId.make("w9") }))).toMatchObject({ code: "WORKER_NOT_FOUND" })
    expect(await refused(hive.api.workerEvents({ id: "w9" }))).toMatchObject({ code: "WORKER_NOT_FOUND" })
    expect(await refused(hive.api.modelEvents({ id: "p9" }))).toMatchObject({ code: "NOT_FOUND" })
    expect(await run(hive.api.provisionWorker({ kind: "cpu-llm-worker-rbee" }))).toMatchObject({
      body: { available: true }
    })
  })
})
