import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { begin, lastOf, makeReader, readAll, request, startWorker, textOf, tokensOf } from "./harness.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"

/** paced, so that virtual time decides how far an answer is */
const paced = { tokens: 1000, tokensPerS: 10 }
const json = (reply: unknown): { readonly status: number; readonly body: Record<string, unknown> } =>
  reply as { status: number; body: Record<string, unknown> } // every `reply` of a worker is JSON
const turn = Effect.promise(() => new Promise<void>((resolve) => void setImmediate(resolve)))
const readyBody = (worker: { api: { ready: (input: object) => Effect.Effect<unknown, unknown> } }) =>
  Effect.map(worker.api.ready({}), json)

describe("loading", () => {
  it.scoped("is told with progress, answers 503 meanwhile, and ends with ready", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ loadMs: 4000, context: 512 }, { context: 256 })
      yield* TestClock.adjust("1 second")
      expect(yield* readyBody(worker)).toEqual({
        _tag: "Json",
        status: 503,
        body: { state: "loading", progress: 0.25 }
      })
      const refused = yield* Effect.flip(begin(worker))
      expect([refused.code, refused.status]).toEqual(["ALL_SLOTS_BUSY", 503])
      yield* TestClock.adjust("3 seconds")
      yield* worker.ready
      expect(worker.said.filter(({ t }) => t !== "beat")).toEqual([
        // its runtime is there
        { t: "loading", progress: 0 },
        { t: "loading", progress: 0.25 },
        { t: "loading", progress: 0.5 },
        { t: "loading", progress: 0.75 },
        { t: "loading", progress: 1 },
        { t: "ready", backend: "CPU", context: 256, slots: 2, exact: true, bits: "scripted" }
      ])
      expect(yield* readyBody(worker)).toEqual({
        _tag: "Json",
        status: 200,
        body: { state: "idle", slots: 2, busy: 0 }
      })
    })
  )

  it.scoped("tells at most four times a second how far it is", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ loadMs: 400 })
      yield* TestClock.adjust("400 millis")
      yield* worker.ready
      expect(worker.said.filter(({ t }) => t === "loading")).toEqual([
        // its runtime is there
        { t: "loading", progress: 0 },
        { t: "loading", progress: 0.25 },
        { t: "loading", progress: 1 }
      ])
    })
  )
})

describe("an answer", () => {
  it.scopedLive("streams every token with index, text and id, and ends with done and its usage", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ tokens: 100 })
      yield* worker.ready
      const reader = yield* readAll(yield* begin(worker, { max_tokens: 50 }))
      const tokens = tokensOf(reader)
      expect(tokens.map(({ i }) => i)).toEqual(Array.from({ length: 50 }, (_, i) => i))
      expect(tokens[2]).toEqual({ i: 2, t: " bee2", k: 3 })
      expect(lastOf(reader)).toEqual({
        event: "done",
        data: {
          tokens: 50,
          finish_reason: "length",
          usage: { prompt_tokens: 2, completion_tokens: 50, cached_tokens: 0 }
        }
      })
      expect(reader.events.length).toBe(52)
      expect(reader.events[0]).toEqual({ event: "prompt", data: '{"tokens":2}' })
    })
  )

  it.scopedLive("is written once an event-loop turn, not once a token", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ tokens: 1000, burst: 100 })
      yield* worker.ready
      const reader = yield* readAll(yield* begin(worker))
      expect(tokensOf(reader).length).toBe(1001)
      expect(reader.writes).toBeLessThanOrEqual(12)
    })
  )

  it.scoped("is decoded at once, and replayed from its first token to a reader who comes late or comes back", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const id = yield* begin(worker, { max_tokens: 60 })
      yield* TestClock.adjust("3 seconds")
      const first = makeReader()
      const left = yield* Effect.fork(readAll(id, first))
      yield* TestClock.adjust("1 second")
      yield* turn
      expect(tokensOf(first).length).toBe(40)
      yield* Fiber.interrupt(left)
      yield* TestClock.adjust("500 millis")
      yield* turn
      expect(tokensOf(first).length).toBe(40)
      const again = makeReader()
      const reading = yield* Effect.fork(readAll(id, again))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(reading)
      expect(tokensOf(again).map(({ i }) => i)).toEqual(Array.from({ length: 60 }, (_, i) => i))
      expect(lastOf(again).event).toBe("done")
      expect(tokensOf(again).slice(0, 40)).toEqual(tokensOf(first))
    })
  )

  it.scoped("that nobody reads for ten seconds is stopped, and its slot is free", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const id = yield* begin(worker)
      const reader = makeReader()
      const reading = yield* Effect.fork(readAll(id, reader))
      // as long as somebody reads it goes on
      yield* TestClock.adjust("12 seconds")
      expect((yield* readyBody(worker)).body["busy"]).toBe(1)
      yield* Fiber.interrupt(reading)
      yield* TestClock.adjust("8 seconds")
      expect((yield* readyBody(worker)).body["busy"]).toBe(1)
      yield* TestClock.adjust("2 seconds")
      expect((yield* readyBody(worker)).body["busy"]).toBe(0)
      const after = yield* readAll(id)
      expect(lastOf(after)).toEqual({ event: "cancelled", data: {} })
      expect(tokensOf(after).length).toBeLessThanOrEqual(220)
    })
  )

  it.scoped("with a slow reader is decoded at full pace, and another reader is not slowed", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const id = yield* begin(worker, { max_tokens: 50 })
      const slow = makeReader(true)
      const fast = makeReader()
      const slowly = yield* Effect.fork(readAll(id, slow))
      const quickly = yield* Effect.fork(readAll(id, fast))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(quickly)
      expect(tokensOf(fast).length).toBe(50)
      // one write was taken, the rest waits
      expect(slow.writes).toBe(1)
      slow.slow = false
      slow.resume()
      yield* Fiber.join(slowly)
      expect(tokensOf(slow)).toEqual(tokensOf(fast))
      expect(slow.writes).toBe(2)
    })
  )

  it.scopedLive("as a whole has the text of the stream", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ tokens: 40 })
      yield* worker.ready
      const reader = yield* readAll(yield* begin(worker))
      const whole = json(yield* worker.api.infer(request({ job_id: JobId.make("job-2"), stream: false })))
      expect(whole.status).toBe(200)
      expect(whole.body).toEqual({
        text: textOf(reader),
        tokens: 41,
        finish_reason: "stop",
        usage: { prompt_tokens: 2, completion_tokens: 41, cached_tokens: expect.any(Number) }
      })
    })
  )

  it.scoped("as a whole ends with its caller", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const call = yield* Effect.fork(worker.api.infer(request({ stream: false })))
      yield* TestClock.adjust("12 seconds")
      expect((yield* readyBody(worker)).body["busy"]).toBe(1)
      yield* Fiber.interrupt(call)
      expect((yield* readyBody(worker)).body["busy"]).toBe(0)
    })
  )

  it.scopedLive("continues from what another worker gave, with its indexes and no text twice", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ tokens: 30 })
      yield* worker.ready
      const whole = yield* readAll(yield* begin(worker))
      const had = tokensOf(whole).slice(0, 11)
      const resume = { token_ids: had.map(({ k }) => k), text: had.map(({ t }) => t).join("") }
      const rest = yield* readAll(yield* begin(worker, { job_id: JobId.make("job-2"), resume }))
      expect(tokensOf(rest)).toEqual(tokensOf(whole).slice(11))
      expect(lastOf(rest).data).toMatchObject({ tokens: 20 })
    })
  )

  it.scopedLive("whose prompt is too long ends with INVALID_REQUEST, both lengths and status 400", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ context: 8 })
      yield* worker.ready
      const prompt = Array.from({ length: 20 }, () => "word").join(" ")
      const reader = yield* readAll(yield* begin(worker, { prompt }))
      expect(lastOf(reader)).toMatchObject({
        event: "error",
        data: { code: "INVALID_REQUEST", details: { prompt_tokens: 20, context: 8, status: 400 } }
      })
      const whole = yield* Effect.flip(
        worker.api.infer(request({ prompt, stream: false, job_id: JobId.make("job-2") }))
      )
      expect([whole.code, whole.status]).toEqual(["INVALID_REQUEST", 400])
    })
  )

  it.scoped("is that of the same request while it is decoded, and after its end another one is", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const one = yield* begin(worker, { max_tokens: 5 })
      expect((yield* begin(worker, { max_tokens: 5 })).id).toBe(one.id)
      yield* TestClock.adjust("20 seconds")
      expect(lastOf(yield* readAll(one)).event).toBe("done")
      expect((yield* begin(worker, { max_tokens: 5 })).id).not.toBe(one.id)
    })
  )

  it.scopedLive("on which the engine has a bug ends with INTERNAL, its slot is free, and the worker lives", () =>
    Effect.gen(function* () {
      let calls = 0
      const worker = yield* startWorker({ tokens: 50 }, {}, (model) => ({
        ...model,
        generate: (asked) => (calls++ === 0 ? Effect.dieMessage("a secret of the engine") : model.generate(asked))
      }))
      yield* worker.ready
      const reader = yield* readAll(yield* begin(worker))
      expect(lastOf(reader)).toMatchObject({ event: "error", data: { code: "INTERNAL" } })
      expect(reader.events.at(-1)?.data).not.toContain("secret")
      expect(yield* readyBody(worker)).toMatchObject({ status: 200, body: { state: "idle", busy: 0 } })
      const next = yield* readAll(yield* begin(worker, { job_id: JobId.make("job-2"), max_tokens: 10 }))
      expect(lastOf(next).event).toBe("done")
    })
  )

  it.scopedLive("needs exactly one of prompt and messages", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({})
      yield* worker.ready
      const both = yield* Effect.flip(worker.api.infer(request({ messages: [{ role: "user", content: "hi" }] })))
      const neither = yield* Effect.flip(worker.api.infer({ job_id: JobId.make("job-1"), epoch: 1 }))
      expect([both.code, neither.code]).toEqual(["INVALID_REQUEST", "INVALID_REQUEST"])
    })
  )
})

describe("slots", () => {
  it.scoped("are refused when all are busy, and free at once after a cancel, which is idempotent", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const first = yield* begin(worker, { job_id: JobId.make("job-1") })
      yield* begin(worker, { job_id: JobId.make("job-2") })
      const full = yield* Effect.flip(begin(worker, { job_id: JobId.make("job-3") }))
      expect([full.code, full.status, full.details["slots"]]).toEqual(["ALL_SLOTS_BUSY", 503, 2])
      yield* TestClock.adjust("1 second")
      yield* worker.api.cancelInfer({ id: first.id })
      const reader = yield* readAll(first)
      expect(lastOf(reader).event).toBe("cancelled")
      expect(tokensOf(reader).length).toBe(10)
      yield* begin(worker, { job_id: JobId.make("job-3") })
      yield* worker.api.cancelInfer({ id: first.id })
      yield* worker.api.cancelInfer({ id: "never-heard-of" })
    })
  )

  it.scoped("are never given away twice by requests that come together", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced, { slots: 3 })
      yield* worker.ready
      const tries = yield* Effect.forEach(
        Array.from({ length: 12 }, (_, index) => JobId.make(`job-${index}`)),
        (job_id) => Effect.either(begin(worker, { job_id })),
        { concurrency: "unbounded" }
      )
      expect(tries.filter(({ _tag }) => _tag === "Right").length).toBe(3)
      expect((yield* readyBody(worker)).body).toEqual({ state: "busy", slots: 3, busy: 3 })
    })
  )
})

describe("epochs", () => {
  it.scoped("fence: a higher one ends the older answer, a lower one is refused, for good", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced, { slots: 1 })
      yield* worker.ready
      const old = yield* begin(worker, { epoch: 4 })
      yield* TestClock.adjust("1 second")
      // the only slot is the older epoch's own
      const next = yield* begin(worker, { epoch: 5, max_tokens: 10 })
      expect(lastOf(yield* readAll(old)).event).toBe("cancelled")
      const late = yield* Effect.flip(begin(worker, { epoch: 4 }))
      expect([late.code, late.status]).toEqual(["CONFLICT", 409])
      yield* TestClock.adjust("1 second")
      expect(lastOf(yield* readAll(next)).event).toBe("done")
      expect((yield* Effect.flip(begin(worker, { epoch: 4 }))).code).toBe("CONFLICT")
    })
  )

  it.scoped("are all given back when the hive says that nobody can read them, and serve the next reader", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const ids = [yield* begin(worker, { job_id: JobId.make("a") }), yield* begin(worker, { job_id: JobId.make("b") })]
      yield* worker.api.cancelInfers({})
      expect(yield* readyBody(worker)).toMatchObject({ body: { busy: 0 } })
      for (const id of ids) expect(lastOf(yield* readAll(id)).event).toBe("cancelled")
      yield* begin(worker, { job_id: JobId.make("a"), epoch: 2 })
      expect(yield* readyBody(worker)).toMatchObject({ body: { busy: 1 } })
    })
  )

  it.scoped("of a request that a worker died of are told to the hive before the next beat", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      yield* begin(worker, { alone: true })
      expect(worker.said.at(-1)).toMatchObject({ t: "beat", infers: [{ job_id: "job-1", epoch: 1, alone: true }] })
    })
  )

  it.scoped("make a repeated request the same answer", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const ids = yield* Effect.all([begin(worker), begin(worker)], { concurrency: "unbounded" })
      expect(ids[0].id).toBe(ids[1].id)
      expect((yield* readyBody(worker)).body["busy"]).toBe(1)
    })
  )
})

describe("beats", () => {
  it.scoped("come every second from the start, with the work that moves", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ ...paced, loadMs: 2000 })
      yield* TestClock.adjust("1 second")
      expect(worker.said.filter(({ t }) => t === "beat")).toEqual([
        { t: "beat", busy: 0, tokens_out: 0, progress: 2, infers: [] }
      ])
      yield* TestClock.adjust("1 second")
      yield* worker.ready
      yield* begin(worker, { resume: { token_ids: [1, 2, 3], text: "" }, epoch: 7 })
      yield* TestClock.adjust("2 seconds")
      const beats = worker.said.flatMap((message) => (message.t === "beat" ? [message] : []))
      expect(beats.length).toBe(4)
      expect(beats[3]).toMatchObject({ busy: 1, tokens_out: 20, infers: [{ job_id: "job-1", epoch: 7, next: 23 }] })
      expect(beats[3]?.progress).toBeGreaterThan(beats[2]?.progress ?? Number.POSITIVE_INFINITY)
    })
  )
})

describe("shutdown", () => {
  it.scoped("refuses new work, lets what runs finish, and then ends", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const id = yield* begin(worker, { max_tokens: 20 })
      yield* worker.api.shutdown({ deadline_ms: 60_000 })
      const refused = yield* Effect.flip(begin(worker, { job_id: JobId.make("job-2") }))
      expect([refused.code, refused.status]).toEqual(["SHUTTING_DOWN", 503])
      expect(yield* readyBody(worker)).toMatchObject({ status: 503, body: { state: "draining", busy: 1 } })
      yield* TestClock.adjust("2 seconds")
      yield* worker.ended
      expect(lastOf(yield* readAll(id)).event).toBe("done")
    })
  )

  it.scoped("ends what is left at the deadline with SHUTTING_DOWN, and a shorter deadline counts", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(paced)
      yield* worker.ready
      const id = yield* begin(worker)
      const reading = yield* Effect.fork(readAll(id))
      yield* worker.api.shutdown({ deadline_ms: 60_000 })
      yield* worker.api.shutdown({ deadline_ms: 2000 })
      yield* TestClock.adjust("2 seconds")
      yield* worker.ended
      const reader = yield* Fiber.join(reading)
      expect(lastOf(reader)).toMatchObject({ event: "error", data: { code: "SHUTTING_DOWN" } })
    })
  )

  it.scoped("while the model loads gives up loading", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ loadMs: 60_000 })
      yield* TestClock.adjust("1 second")
      yield* worker.api.shutdown({})
      yield* worker.ended
      expect(worker.said.some(({ t }) => t === "ready")).toBe(false)
    })
  )
})
