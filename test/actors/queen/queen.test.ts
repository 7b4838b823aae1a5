/** The queen's flow, step by step, over fake hives and workers: what each job hears, in order. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { rbeeError } from "../../../src/machines/errors.ts"
import { makeWorld } from "../../support/queen/world.ts"
import { objectsBetweenMarks } from "../../support/scripts.ts"
import { KindId } from "../../../src/machines/vocabulary/kind.ts"
import { JobId, DeviceId, cpuDevice } from "../../../src/machines/vocabulary/ids.ts"

const cold = [
  "queen: no hives found; adding local machine",
  "queen: waking the beehive at localhost:8600",
  "queen: first heartbeat from hive localhost; checking capabilities…",
  "queen: hive localhost has CPU; models: 0, workers: 0",
  "queen: basic scheduler picked CPU on hive localhost",
  "queen: asking hive if there's room on CPU…",
  "queen: asked hive to download model minillama",
  "queen: model minillama: provisioning started",
  "hive: model size = 3.3 MB; starting download",
  "hive: … 100% @ 410.2 MB/s …",
  "hive: model downloaded in 0.0 seconds",
  "queen: worker cpu-llm-worker-rbee already available",
  "hive: waking worker on :8601 with model=/models/minillama.gguf",
  "queen: CPU worker is awake",
  "queen: connection to worker established; starting inference",
  "queen: worker finished inference"
]
/** The runtime's line may come anywhere among those of the model. */
const settled = (lines: ReadonlyArray<string>) => {
  const runtime = lines.filter((line) => line.startsWith("queen: worker cpu-"))
  const rest = lines.filter((line) => !line.startsWith("queen: worker cpu-"))
  const at = rest.indexOf("hive: model downloaded in 0.0 seconds") + 1
  return [...rest.slice(0, at), ...runtime, ...rest.slice(at)]
}

const gpu = (id: DeviceId, name: string, vram_mb: number) =>
  ({ id, name, backend: "cuda", vram_mb, vram_free_mb: vram_mb }) as const

describe("The golden transcripts", () => {
  it.scoped("a cold job hears every step in order, and its tokens", () =>
    Effect.gen(function* () {
      const { job } = yield* makeWorld()
      const reader = yield* job()
      yield* reader.ended
      expect(settled(reader.lines())).toEqual([...cold, "queen: keeping hive and worker warm"])
      expect(reader.text()).toBe("hello world")
      expect(reader.events.at(-1)).toMatchObject({ event: "done", data: { tokens: 5, text_length: 11 } })
    })
  )

  it.scoped("a warm job hears the cached capabilities, the pick and its answer", () =>
    Effect.gen(function* () {
      const { job } = yield* makeWorld()
      yield* (yield* job()).ended
      const reader = yield* job()
      yield* reader.ended
      expect(reader.lines()).toEqual([
        "queen: using registered capabilities of hive 'localhost'",
        "queen: basic scheduler picked CPU on hive localhost",
        "queen: connection to worker established; starting inference",
        "queen: worker finished inference",
        "queen: keeping hive and worker warm"
      ])
    })
  )

  it.scoped("a cold session that woke the queen ends with the cascade, on /events", () =>
    Effect.gen(function* () {
      const { api, events, hive, job, queen } = yield* makeWorld()
      const session = { id: "s1", teardown: "cold", woke_queen: true } as const
      const reader = yield* job({ session })
      yield* reader.ended
      expect(settled(reader.lines())).toEqual(cold)
      expect(yield* api.shutdown({ cascade: true, session: "s1" })).toEqual({ queen: "ends", kept: [] })
      yield* queen.ended
      yield* events.saw("goodbye")
      expect(events.lines()).toEqual(["queen: shutting down workers…", "queen: shutting down hives…", "queen: goodbye"])
      expect(hive.calls.filter((call) => call === "stopWorker" || call === "shutdown")).toEqual([
        "stopWorker",
        "shutdown"
      ])
      expect(hive.running).toBe(false)
    })
  )
})

describe("Placing", () => {
  const gpus = [gpu(DeviceId.make("gpu0"), "RTX 3060", 12_000), gpu(DeviceId.make("gpu1"), "RTX 3090", 24_000)]

  it.scoped("the strongest GPU without room gives way to the next one", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.gpus = gpus
      hive.full.set("gpu1", 1000)
      const reader = yield* job()
      yield* reader.ended
      const lines = reader.lines()
      expect(lines).toContain("queen: hive localhost has CPU, GPU0 RTX 3060, GPU1 RTX 3090; models: 0, workers: 0")
      expect(lines.slice(4, 9)).toEqual([
        "queen: basic scheduler picked GPU1 on hive localhost",
        "queen: asking hive if there's room on GPU1…",
        "queen: insufficient VRAM on GPU1 for minillama; trying next candidate…",
        "queen: basic scheduler picked GPU0 on hive localhost",
        "queen: asking hive if there's room on GPU0…"
      ])
      expect(lines).toContain("queen: CUDA worker is awake")
      const { placement } = yield* api.getJob({ id: JobId.make(reader.id) })
      expect(placement).toMatchObject({
        device: DeviceId.make("gpu0"),
        losers: [{ device: DeviceId.make("gpu1") }, { device: cpuDevice }]
      })
    })
  )

  it.scoped("a hive that another queen has taken over is no place any more, and the job says whose it is", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      hive.gpus = gpus
      yield* (yield* job()).ended
      hive.stolen = true
      const refused = yield* job({ model: "HF:author/another" })
      expect((yield* refused.ended).data).toMatchObject({ code: "HIVE_OWNED", details: { status: 409 } })
      expect(hive.calls.filter((call) => call.startsWith("capacity")).length).toBeGreaterThan(2)
    })
  )

  it.scoped("no room anywhere ends with the amounts, and no place on the CPU where it is not allowed", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      hive.gpus = gpus
      hive.full.set("gpu1", 1000).set("gpu0", 500)
      const refused = yield* job({ allow_cpu: false })
      expect((yield* refused.ended).data).toMatchObject({
        code: "VRAM_EXHAUSTED",
        details: { needed_mb: 5000, available_mb: 1000, status: 507 }
      })
      expect(refused.lines().at(-1)).toMatch(
        /^queen: job failed: VRAM_EXHAUSTED: minillama needs 5000 MB; GPU1 has 1000 MB, GPU0 has 500 MB\. Stop workers/
      )
      const onCpu = yield* job()
      expect((yield* onCpu.ended).event).toBe("done")
      expect(onCpu.lines()).toContain("queen: basic scheduler picked CPU on hive localhost")
    })
  )

  it.scoped(
    "a device on which no worker boots is left with a line, and without another one it is the job's error",
    () =>
      Effect.gen(function* () {
        const { hive, job } = yield* makeWorld()
        hive.gpus = gpus.slice(0, 1)
        hive.broken.add("gpu0")
        const reader = yield* job()
        expect((yield* reader.ended).event).toBe("done")
        const lines = reader.lines()
        const at = lines.indexOf("queen: hive localhost GPU0 is degraded; rescheduling job")
        expect(lines[at - 1]).toBe("hive: worker w1 failed to boot (exit code 1); restarting (1/3)")
        expect(lines[at + 1]).toBe("queen: basic scheduler picked CPU on hive localhost")
        const nowhere = yield* job({ device: DeviceId.make("gpu0") })
        expect((yield* nowhere.ended).data).toMatchObject({
          code: "WORKER_START_FAILED",
          details: { attempts: 4, last_words: "no such device" }
        })
        expect(nowhere.lines().some((line) => line.includes("rescheduling"))).toBe(false)
      })
  )

  it.scoped(
    "a file that no device can load is tried once on each, is the job's error, and is refused at once after",
    () =>
      Effect.gen(function* () {
        const { hive, job } = yield* makeWorld()
        hive.gpus = gpus.slice(0, 1)
        hive.models.add("file:/models/bad.gguf")
        hive.deadly.add("file:/models/bad.gguf")
        const first = yield* job({ model: "file:/models/bad.gguf" })
        expect((yield* first.ended).data).toMatchObject({
          code: "MODEL_INVALID",
          details: { status: 400, quarantined: true, device: cpuDevice }
        })
        expect(first.lines()).toContain(
          "queen: file:/models/bad.gguf cannot be loaded on GPU0 of hive localhost; trying next candidate…"
        )
        expect(first.lines().some((line) => line.includes("degraded"))).toBe(false)
        const starts = hive.calls.filter((call) => call === "startWorker").length
        expect(starts).toBe(2)
        const second = yield* job({ model: "file:/models/bad.gguf" })
        expect((yield* second.ended).data).toMatchObject({ code: "MODEL_INVALID", details: { status: 400 } })
        expect(hive.calls.filter((call) => call === "startWorker")).toHaveLength(starts)
        const other = yield* job()
        expect((yield* other.ended).event).toBe("done")
      })
  )

  it.scoped("a runtime that cannot be installed takes its device out, and the CPU serves", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      hive.gpus = [{ ...gpu(DeviceId.make("gpu0"), "RX 7900", 24_000), backend: "vulkan" }]
      const reader = yield* job()
      expect((yield* reader.ended).event).toBe("done")
      const lines = reader.lines()
      expect(lines).toContain("queen: asked hive to prepare worker vulkan-llm-worker-rbee")
      expect(lines).toContain("queen: no worker could be started on GPU0 of hive localhost; rescheduling job")
      expect(lines).toContain("queen: worker cpu-llm-worker-rbee already available")
    })
  )

  it.scoped("a missing runtime is prepared first", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      hive.hasRuntime.clear()
      const reader = yield* job()
      yield* reader.ended
      const lines = reader.lines()
      const at = lines.indexOf("queen: asked hive to prepare worker cpu-llm-worker-rbee")
      expect(at).toBeGreaterThan(0)
      expect(lines.indexOf("queen: worker prepared and ready to deploy")).toBeGreaterThan(at)
    })
  )

  it.scoped("a device that is not there is refused with those that are", () =>
    Effect.gen(function* () {
      const { job } = yield* makeWorld()
      const reader = yield* job({ device: DeviceId.make("gpu7") })
      expect((yield* reader.ended).data).toMatchObject({
        code: "INVALID_REQUEST",
        message: "there is no device GPU7. There is: CPU"
      })
    })
  )
})

describe("The queue", () => {
  it.scoped("jobs beyond the slots wait in order, with their position, and one too many is refused", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld({
        settings: (settings) => ({ ...settings, queen: { ...settings.queen, queueMax: 2 } })
      })
      hive.slots = 1
      hive.script = () => ({ holdAt: 2 })
      const first = yield* job()
      yield* first.until(({ event }) => event === "token")
      const second = yield* job()
      yield* second.saw("job queued at position 1")
      const third = yield* job()
      yield* third.saw("job queued at position 2")
      const refused = yield* Effect.flip(job())
      expect(refused).toMatchObject({ code: "QUEUE_FULL", details: { retry_after_s: 1 } })
      expect((yield* api.getJob({ id: JobId.make(third.id) })).position).toBe(2)
      expect((yield* api.getJob({ id: JobId.make(second.id) })).state).toBe("queued")

      yield* api.cancelJob({ id: JobId.make(second.id) })
      expect((yield* api.getJob({ id: JobId.make(third.id) })).position).toBe(1)
      const [worker] = hive.workers.values()
      worker?.release()
      yield* first.ended
      yield* third.until(({ event }) => event === "token")
      expect((yield* api.getJob({ id: JobId.make(third.id) })).position).toBeUndefined()
      worker?.release()
      expect((yield* third.ended).event).toBe("done")
      expect(third.lines().filter((line) => line.includes("queued"))).toHaveLength(1)
    })
  )

  it.scoped("where it gets long and another device has room, another worker is started there", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.gpus = [gpu(DeviceId.make("gpu0"), "RTX 3060", 12_000), gpu(DeviceId.make("gpu1"), "RTX 3060", 12_000)]
      hive.slots = 1
      hive.script = () => ({ holdAt: 2 })
      const first = yield* job({ allow_cpu: false })
      yield* first.until(({ event }) => event === "token")
      // an answer is foreseen to take as long as two starts: the first waits a moment, with the second the line is long
      const second = yield* job({ allow_cpu: false })
      const third = yield* job({ allow_cpu: false })
      yield* second.until(({ event }) => event === "token")
      expect(hive.workers.size).toBe(2)
      const { placement } = yield* api.getJob({ id: JobId.make(second.id) })
      expect(placement).toMatchObject({
        device: DeviceId.make("gpu1"),
        losers: [
          { device: DeviceId.make("gpu0"), verdict: "the model is resident there already" },
          { device: cpuDevice }
        ]
      })
      // there is no third device: the next one has its place in the line
      expect(yield* api.getJob({ id: JobId.make(third.id) })).toMatchObject({ state: "queued", position: 1 })
      for (const worker of hive.workers.values()) worker.release()
      yield* third.until(({ event }) => event === "token")
      for (const worker of hive.workers.values()) worker.release()
      for (const reader of [first, second, third]) expect((yield* reader.ended).event).toBe("done")
    })
  )

  it.scoped("n slots decode n jobs together, started at the same moment on a cold machine", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      hive.script = () => ({ holdAt: 1 })
      const readers = yield* Effect.all([job(), job()], { concurrency: "unbounded" })
      for (const reader of readers) yield* reader.until(({ event }) => event === "token")
      expect(hive.workers.size).toBe(1)
      expect(hive.calls.filter((call) => call === "claim")).toHaveLength(1)
      const [worker] = hive.workers.values()
      worker?.release()
      for (const reader of readers) expect((yield* reader.ended).event).toBe("done")
    })
  )
})

describe("Cancelling", () => {
  it.scoped(
    "mid-stream: the worker stops, the slot is free, no further token; again 204; a job that ended is 409",
    () =>
      Effect.gen(function* () {
        const { api, hive, job } = yield* makeWorld()
        hive.slots = 1
        hive.script = () => ({ holdAt: 2 })
        const reader = yield* job()
        yield* reader.until(({ event, data }) => event === "token" && data["i"] === 1)
        yield* api.cancelJob({ id: JobId.make(reader.id) })
        expect((yield* reader.ended).event).toBe("cancelled")
        expect(reader.text()).toBe("hel")
        const [worker] = hive.workers.values()
        expect(worker?.cancelled).toHaveLength(1)
        yield* api.cancelJob({ id: JobId.make(reader.id) })
        expect((yield* api.getJob({ id: JobId.make(reader.id) })).state).toBe("cancelled")

        hive.script = () => ({})
        const next = yield* job()
        yield* next.ended
        expect(yield* Effect.flip(api.cancelJob({ id: JobId.make(next.id) }))).toMatchObject({ code: "CONFLICT" })
        expect(yield* Effect.flip(api.cancelJob({ id: JobId.make("job-none") }))).toMatchObject({
          code: "JOB_NOT_FOUND"
        })
      })
  )

  for (const [what, phase] of [
    ["download", "provisioning"],
    ["install", "provisioning"],
    ["load", "starting"]
  ] as const)
    it.scoped(`during the ${what}: the job ends at once, and the next one goes on from there`, () =>
      Effect.gen(function* () {
        const { api, hive, job } = yield* makeWorld()
        if (what === "install") hive.hasRuntime.clear()
        const hold = hive.hold(what)
        const reader = yield* job()
        yield* reader.until(({ event, data }) => event === "state" && data["to"] === phase)
        yield* api.cancelJob({ id: JobId.make(reader.id) })
        expect((yield* reader.ended).event).toBe("cancelled")
        yield* hold.release
        const next = yield* job()
        expect((yield* next.ended).event).toBe("done")
      })
    )

  it.scoped("while the hive wakes", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.hold("wake")
      const reader = yield* job()
      yield* reader.saw("waking the beehive at localhost:8600")
      yield* api.cancelJob({ id: JobId.make(reader.id) })
      expect((yield* reader.ended).event).toBe("cancelled")
    })
  )
})

describe("Failing over", () => {
  it.scoped.each([0, 3])("%s tokens in, the next worker is told in what form the answer was begun", (at) =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      const form = { dialect: objectsBetweenMarks, prompt: "<|assistant|>" }
      hive.script = () => ({ form, holdAt: at })
      const reader = yield* job()
      if (at > 0) yield* reader.until(({ event, data }) => event === "token" && data["i"] === at - 1)
      else yield* reader.saw("connection to worker established; starting inference")
      const [worker] = hive.workers.values()
      if (worker === undefined) throw new Error("no worker")
      yield* Effect.iterate(0, { while: () => worker.busy() === 0, body: () => Effect.as(Effect.yieldNow(), 0) })
      hive.script = () => ({})
      worker.crash()
      hive.restart(worker)
      expect((yield* reader.ended).data).toMatchObject({ message: { content: "hello world" } })
      expect(worker.asked.map((request) => request.form)).toEqual([undefined, form])
    })
  )

  it.scoped("a worker lost in mid-answer: one failover event and line, contiguous tokens, the same text", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.script = () => ({ holdAt: 3 })
      const reader = yield* job()
      yield* reader.until(({ event, data }) => event === "token" && data["i"] === 2)
      const [worker] = hive.workers.values()
      if (worker === undefined) throw new Error("no worker")
      hive.script = () => ({})
      worker.crash()
      hive.restart(worker)
      expect((yield* reader.ended).event).toBe("done")
      expect(reader.text()).toBe("hello world")
      expect(reader.events.flatMap(({ event, data }) => (event === "token" ? [data["i"]] : []))).toEqual([
        0, 1, 2, 3, 4
      ])
      expect(reader.events.filter(({ event }) => event === "failover").map(({ data }) => data)).toEqual([
        { tokens: 3, from: "localhost/cpu", to: "localhost/cpu" }
      ])
      expect(reader.lines().filter((line) => line.includes("worker lost"))).toEqual([
        "queen: worker lost after 3 tokens; resuming on CPU of hive localhost"
      ])
      expect(worker.asked.at(-1)?.resume).toEqual({ token_ids: [100, 101, 102], text: "hello" })
      expect(worker.asked.at(-1)).not.toHaveProperty("form")
      expect(worker.asked.map(({ epoch }) => epoch)).toEqual([1, 2])
      // no seed was asked for: the job has one of its own, the same for whoever continues it
      const seeds = worker.asked.map(({ seed }) => seed)
      expect(seeds[0]).toEqual(expect.any(Number))
      expect(seeds[1]).toBe(seeds[0])
      expect((yield* api.getJob({ id: JobId.make(reader.id) })).failovers).toBe(1)
    })
  )

  it.scoped("on another kind of device the answer is sampled anew, and the event says so, unless it is greedy", () =>
    Effect.gen(function* () {
      for (const [temperature, resampled] of [
        [0.8, true],
        [0, undefined]
      ] as const) {
        const { hive, job } = yield* makeWorld()
        hive.gpus = [
          { id: DeviceId.make("gpu0"), name: "RTX 3060", backend: "cuda", vram_mb: 12_000, vram_free_mb: 12_000 }
        ]
        hive.script = () => ({ holdAt: 3 })
        const reader = yield* job({ temperature })
        yield* reader.until(({ event, data }) => event === "token" && data["i"] === 2)
        const [worker] = hive.workers.values()
        hive.script = () => ({})
        hive.workers.clear()
        hive.full.set("gpu0", 100)
        worker?.crash()
        expect((yield* reader.ended).event).toBe("done")
        const failover = reader.events.find(({ event }) => event === "failover")
        expect(failover?.data).toEqual({
          tokens: 3,
          from: "localhost/gpu0",
          to: "localhost/cpu",
          // no worker of it has been there yet: who knows what it would compute
          continued: true,
          ...(resampled === undefined ? {} : { resampled })
        })
      }
    })
  )

  it.scoped("an engine that draws anew is resampled where the answer is drawn or held to a form, and says so", () =>
    Effect.gen(function* () {
      const format = { type: "json_schema", schema: { type: "string" } } as const
      for (const [asked, resampled] of [
        [{ temperature: 0.8 }, true],
        [{ temperature: 0, response_format: format }, true],
        [{ temperature: 0 }, undefined]
      ] as const) {
        const { hive, job } = yield* makeWorld()
        hive.script = () => ({ holdAt: 3 })
        const reader = yield* job({ ...asked, engine: KindId.make("llama-server") })
        yield* reader.until(({ event, data }) => event === "token" && data["i"] === 2)
        hive.script = () => ({})
        const [worker] = hive.workers.values()
        hive.workers.clear()
        worker?.crash()
        expect((yield* reader.ended).event).toBe("done")
        const failover = reader.events.find(({ event }) => event === "failover")
        expect(failover?.data["resampled"]).toBe(resampled)
      }
    })
  )

  it.scoped.each([
    ["a worker that is not exact", { exact: false }],
    ["a worker that has not found out yet", undefined]
  ] as const)("the answer of %s is continued: event, line, job and placement say so", ([, exactness]) =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.exactness = exactness
      hive.script = () => ({ holdAt: 3 })
      const reader = yield* job({ temperature: 0 })
      yield* reader.until(({ event, data }) => event === "token" && data["i"] === 2)
      const [worker] = hive.workers.values()
      hive.script = () => ({})
      worker?.crash()
      if (worker !== undefined) hive.restart(worker)
      expect((yield* reader.ended).event).toBe("done")
      expect(reader.events.filter(({ event }) => event === "failover").map(({ data }) => data)).toEqual([
        { tokens: 3, from: "localhost/cpu", to: "localhost/cpu", continued: true }
      ])
      expect(reader.lines().filter((line) => line.includes("later ones may be other"))).toHaveLength(1)
      const view = yield* api.getJob({ id: JobId.make(reader.id) })
      expect(view.continued).toBe(true)
      expect(view.placement?.exact).toBe(false)
    })
  )

  it.scoped("the answer of an exact worker is the undisturbed one, and nothing says otherwise", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.script = () => ({ holdAt: 3 })
      const reader = yield* job()
      yield* reader.until(({ event, data }) => event === "token" && data["i"] === 2)
      const [worker] = hive.workers.values()
      hive.script = () => ({})
      worker?.crash()
      if (worker !== undefined) hive.restart(worker)
      yield* reader.ended
      const view = yield* api.getJob({ id: JobId.make(reader.id) })
      expect(view.continued).toBeUndefined()
      expect(view.placement?.exact).toBe(true)
      expect(reader.lines().filter((line) => line.includes("may be other"))).toEqual([])
    })
  )

  it.scoped("a request under which two workers die without a token is poison, and is alone the second time", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      hive.script = (worker) => {
        if (worker.asked.length < 2)
          Effect.runFork(
            Effect.delay(
              Effect.sync(() => hive.restart(worker)),
              5
            )
          )
        return { error: rbeeError("WORKER_CRASHED", "dies of it") }
      }
      const reader = yield* job()
      expect((yield* reader.ended).data).toMatchObject({ code: "POISON_REQUEST", details: { deaths: 2, status: 400 } })
      const asked = [...hive.workers.values()].flatMap((worker) => worker.asked)
      expect(asked.map(({ alone }) => alone === true)).toEqual([false, true])
    })
  )

  it.scoped(
    "a request under which two workers die before they acknowledge it is poison too, and no device is left",
    () =>
      Effect.gen(function* () {
        const { hive, job } = yield* makeWorld()
        hive.script = (worker) => {
          if (worker.asked.length < 2)
            Effect.runFork(
              Effect.delay(
                Effect.sync(() => hive.restart(worker)),
                5
              )
            )
          return { diesUnheard: true }
        }
        const reader = yield* job()
        expect((yield* reader.ended).data).toMatchObject({
          code: "POISON_REQUEST",
          details: { deaths: 2, status: 400 }
        })
        const asked = [...hive.workers.values()].flatMap((worker) => worker.asked)
        expect(asked.map(({ alone }) => alone === true)).toEqual([false, true])
        expect(reader.lines().some((line) => line.includes("degraded"))).toBe(false)
      })
  )

  it.scoped("a worker that goes with its hive did not die of what it was asked, however often that is", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      let deaths = 0
      hive.script = () => {
        if (deaths === 3) return {}
        deaths++
        hive.kill()
        return { diesUnheard: true }
      }
      const reader = yield* job()
      yield* TestClock.adjust("1 minute")
      expect((yield* reader.ended).event).toBe("done")
      expect(deaths).toBe(3)
    })
  )

  it.scoped("a hive that dies takes its workers along; it is woken again and the job goes on", () =>
    Effect.gen(function* () {
      const { events, hive, job } = yield* makeWorld()
      hive.script = () => ({ holdAt: 2 })
      const reader = yield* job()
      yield* reader.until(({ event, data }) => event === "token" && data["i"] === 1)
      hive.script = () => ({})
      hive.kill()
      yield* reader.until(({ event, data }) => event === "state" && data["to"] === "degraded")
      yield* TestClock.adjust("12 seconds")
      expect((yield* reader.ended).event).toBe("done")
      expect(reader.text()).toBe("hello world")
      expect(reader.lines()).toContain("queen: waking the beehive at localhost:8600")
      expect(events.lines().filter((line) => line.includes("hive localhost lost"))).toHaveLength(1)
    })
  )
})
