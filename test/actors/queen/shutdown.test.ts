/** The ends: of the queen, of sessions, of jobs at a deadline, of a queen that nobody uses. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { makeStores, makeWorld } from "../../support/queen/world.ts"
import { JobId, HiveId } from "../../../src/machines/vocabulary/ids.ts"

const cold = (id: string, woke_queen = false) => ({ id, teardown: "cold", woke_queen }) as const
const warm = (id: string) => ({ id, teardown: "warm", woke_queen: false }) as const

describe("Shutdown", () => {
  it.scoped("refuses new work, ends what waits at once, lets what runs finish, then workers, hives, goodbye", () =>
    Effect.gen(function* () {
      const { api, events, hive, job, queen } = yield* makeWorld()
      hive.slots = 1
      hive.script = () => ({ holdAt: 2 })
      const runs = yield* job()
      yield* runs.until(({ event }) => event === "token")
      const waits = yield* job()
      yield* waits.saw("job queued at position 1")
      expect(yield* api.shutdown({ cascade: true })).toEqual({ queen: "ends", kept: [] })
      expect((yield* waits.ended).data).toMatchObject({ code: "SHUTTING_DOWN", details: { status: 503 } })
      expect(yield* Effect.flip(job())).toMatchObject({ code: "SHUTTING_DOWN" })
      const [worker] = hive.workers.values()
      worker?.release()
      expect((yield* runs.ended).event).toBe("done")
      yield* queen.ended
      yield* events.saw("goodbye")
      expect(events.lines()).toEqual(["queen: shutting down workers…", "queen: shutting down hives…", "queen: goodbye"])
      expect(hive.calls.slice(-2)).toEqual(["stopWorker", "shutdown"])
    })
  )

  it.scoped("ends at 25 s what does not finish", () =>
    Effect.gen(function* () {
      const { api, hive, job, queen } = yield* makeWorld()
      hive.script = () => ({ holdAt: 2 })
      const runs = yield* job()
      yield* runs.until(({ event }) => event === "token")
      yield* api.shutdown({ cascade: false })
      yield* TestClock.adjust("24 seconds")
      expect(runs.events.findLast(({ event }) => event !== "progress")?.event).toBe("token")
      yield* TestClock.adjust("1 second")
      expect((yield* runs.ended).data).toMatchObject({ code: "SHUTTING_DOWN" })
      yield* queen.ended
      expect(hive.running).toBe(true)
      expect(hive.workers.size).toBe(1)
    })
  )

  it.scoped("says which hive it could not reach, and tries one again that was out of reach when it was stopped", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      const first = yield* makeWorld({ stores })
      const { hive } = stores
      yield* (yield* first.job()).ended
      hive.isCutOff = true
      yield* first.api.shutdown({ cascade: true })
      yield* first.queen.ended
      yield* first.events.saw("goodbye")
      expect(first.events.lines()).toContain(
        "queen: hive localhost cannot be reached; if it runs, it ends by itself when nobody uses it"
      )
      hive.isCutOff = false
      const second = yield* makeWorld({ stores })
      yield* (yield* second.job()).ended
      hive.isCutOff = true
      yield* Effect.flip(second.api.stopHive({ id: HiveId.make("localhost") }))
      hive.isCutOff = false
      yield* second.api.shutdown({ cascade: true })
      yield* second.queen.ended
      expect(hive.running).toBe(false)
    })
  )

  it.scoped("a queen that nobody uses ends by herself, without her hives; one with workers stays", () =>
    Effect.gen(function* () {
      const { hive, job, queen } = yield* makeWorld({
        settings: (settings) => ({ ...settings, queen: { ...settings.queen, idleMs: 20_000 } })
      })
      yield* (yield* job()).ended
      const ended = yield* Effect.fork(queen.ended)
      yield* TestClock.adjust("25 seconds")
      expect(yield* Fiber.poll(ended)).toMatchObject({ _tag: "None" })
      hive.workers.clear()
      yield* TestClock.adjust("25 seconds")
      yield* Fiber.join(ended)
      expect(hive.running).toBe(true)
    })
  )
})

it.scoped("A queen whose idle time is `never` stays, and shows no timer of it", () =>
  Effect.gen(function* () {
    const { api, job, queen } = yield* makeWorld({
      settings: (settings) => ({ ...settings, queen: { ...settings.queen, idleMs: Number.POSITIVE_INFINITY } })
    })
    yield* (yield* job()).ended
    const ended = yield* Effect.fork(queen.ended)
    yield* TestClock.adjust("20 minutes")
    expect(yield* Fiber.poll(ended)).toMatchObject({ _tag: "None" })
    expect(yield* api.health({})).toMatchObject({ status: "healthy" })
  })
)

describe("A cold session", () => {
  it.scoped("in a queen that was there before ends what it woke, quietly, before it is answered", () =>
    Effect.gen(function* () {
      const { api, events, hive, job } = yield* makeWorld()
      const reader = yield* job({ session: cold("s1") })
      yield* reader.ended
      expect(reader.lines().at(-1)).toBe("queen: worker finished inference")
      expect(yield* api.shutdown({ cascade: true, session: "s1" })).toEqual({
        queen: "stays",
        kept: [{ id: "queen", because: "it was here before" }]
      })
      expect(hive.running).toBe(false)
      expect(events.lines()).toEqual([])
      expect(yield* api.health({})).toMatchObject({ role: "queen", status: "healthy" })
    })
  )

  it.scoped("does not touch what another session's answer uses", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.script = (worker) => (worker.asked.length === 0 ? { holdAt: 2 } : {})
      const other = yield* job({ session: warm("s2") })
      yield* other.until(({ event }) => event === "token")
      hive.script = () => ({})
      yield* (yield* job({ session: cold("s1") })).ended
      expect(yield* api.shutdown({ cascade: true, session: "s1" })).toMatchObject({ queen: "stays" })
      const [worker] = hive.workers.values()
      worker?.release()
      expect((yield* other.ended).event).toBe("done")
      expect(hive.running).toBe(true)
    })
  )

  it.scoped("owns a queen and a hive that it woke, whoever used those before that ended in good order", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      const first = yield* makeWorld({ stores })
      yield* (yield* first.job({ session: warm("s1") })).ended
      yield* first.queen.shutdown(true)
      yield* first.queen.ended
      yield* first.crash
      const second = yield* makeWorld({ stores })
      yield* (yield* second.job({ session: cold("s2", true) })).ended
      expect(yield* second.api.shutdown({ cascade: true, session: "s2" })).toEqual({ queen: "ends", kept: [] })
      yield* second.queen.ended
      expect(stores.hive.running).toBe(false)
    })
  )

  it.scoped("is still known to the next queen after a crash, and ended by her when its keeper is gone", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      const first = yield* makeWorld({ stores })
      yield* (yield* first.job({ session: cold("s1", true) })).ended
      yield* first.crash
      const second = yield* makeWorld({ stores })
      yield* TestClock.adjust("10 seconds")
      yield* second.queen.ended
      expect(stores.hive.running).toBe(false)
    })
  )

  it.scoped("whose keeper is gone is ended ten seconds after its job", () =>
    Effect.gen(function* () {
      const { events, hive, job, queen } = yield* makeWorld()
      yield* (yield* job({ session: cold("s1", true) })).ended
      yield* TestClock.adjust("9 seconds")
      expect(hive.running).toBe(true)
      yield* TestClock.adjust("1 second")
      yield* queen.ended
      yield* events.saw("goodbye")
      expect(hive.running).toBe(false)
    })
  )
})

describe("A job", () => {
  it.scoped("ends at its deadline, wherever it is", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      hive.script = () => ({ holdAt: 2 })
      const reader = yield* job({ deadline: new Date(60_000).toISOString() })
      yield* reader.until(({ event }) => event === "token")
      yield* TestClock.adjust("60 seconds")
      expect((yield* reader.ended).data).toMatchObject({ code: "DEADLINE_EXCEEDED", details: { status: 504 } })
      expect([...hive.workers.values()][0]?.cancelled).toHaveLength(1)
    })
  )

  it.scoped("is refused where that can be judged without the model", () =>
    Effect.gen(function* () {
      const { job } = yield* makeWorld()
      for (const request of [
        { messages: [{ role: "user", content: "hi" }] as const },
        { prompt: undefined },
        { model: "nonsense" },
        { deadline: "tomorrow" },
        { device: "cpu", allow_cpu: false },
        { max_tokens: 0 }
      ])
        expect(yield* Effect.flip(job(request as never)), JSON.stringify(request)).toMatchObject({
          code: "INVALID_REQUEST"
        })
    })
  )

  it.scoped("given twice under one key is one job; another body under that key is refused", () =>
    Effect.gen(function* () {
      const { api } = yield* makeWorld()
      const body = { model: "minillama", prompt: "hello", idempotency_key: "k1" }
      const first = yield* api.submitJob(body)
      expect(yield* api.submitJob(body)).toEqual(first)
      expect(yield* Effect.flip(api.submitJob({ ...body, prompt: "other" }))).toMatchObject({ code: "CONFLICT" })
      expect(yield* api.listJobs({})).toHaveLength(1)
    })
  )

  it.scoped("is continued from its exact tokens by the next queen, after hers was killed", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      stores.hive.script = () => ({ holdAt: 3 })
      const first = yield* makeWorld({ stores })
      const reader = yield* first.job()
      yield* reader.until(({ event, data }) => event === "token" && data["i"] === 2)
      yield* first.crash
      stores.hive.script = () => ({})
      const second = yield* makeWorld({ stores })
      const again = yield* second.read(reader.id)
      expect((yield* again.ended).event).toBe("done")
      expect(again.text()).toBe("hello world")
      expect(again.events.filter(({ event }) => event === "failover")).toEqual([])
      expect(again.events.filter(({ event }) => event === "done")).toHaveLength(1)
      const [worker] = stores.hive.workers.values()
      expect(worker?.asked.map(({ epoch }) => epoch)).toEqual([1, 2])
    })
  )

  it.scoped("whose actor dies of a bug is ended with INTERNAL, says nothing of it, and leaves its slot", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.slots = 1
      yield* (yield* job()).ended
      const { workers } = hive
      hive.beating = false
      Object.defineProperty(hive, "workers", {
        configurable: true,
        get: () => {
          throw new Error("a secret of the bug")
        }
      })
      const reader = yield* job()
      expect((yield* reader.ended).data).toMatchObject({ code: "INTERNAL", details: { status: 500 } })
      expect(JSON.stringify(reader.events)).not.toContain("secret")
      expect((yield* api.getJob({ id: JobId.make(reader.id) })).state).toBe("failed")
      Object.defineProperty(hive, "workers", { value: workers })
      expect((yield* (yield* job()).ended).event).toBe("done")
    })
  )
})
