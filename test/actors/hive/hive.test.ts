/** The hive in this process, in virtual time, over workers that do as they are told. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { describe } from "vitest"
import { Call } from "../../../src/protocol/endpoint.ts"
import { MemoryCatalog } from "../../../src/layers/hive-catalog/memory.ts"
import { readEvents } from "../../../src/protocol/sse.ts"
import { type Launched, makeWorld, settle, type World } from "../../support/hive-world.ts"
import { DeviceId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const ready: ReadonlyArray<Parameters<Launched["say"]>[0]> = [
  { t: "bound", port: 8601, url: "http://127.0.0.1:8601" },
  { t: "ready", backend: "CPU", context: 4096, slots: 4 }
]
const start = (world: World) =>
  world.hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make("minillama") })
const states = (world: World) =>
  Effect.map(world.hive.api.listWorkers({}), (workers) => workers.map(({ state }) => state))
const last = (world: World): Launched => {
  const found = world.launched.at(-1)
  if (found === undefined) throw new Error("nothing was launched")
  return found
}
const withModel = Effect.tap(makeWorld(), (world) => world.addModel("minillama"))

const healthy = Effect.gen(function* () {
  const world = yield* withModel
  const asked = yield* Effect.fork(start(world))
  yield* settle
  for (const message of ready) last(world).say(message)
  const { worker_id } = yield* Fiber.join(asked)
  yield* settle
  return { world, worker_id }
})

describe("The hive", () => {
  it.scoped("answers a start at the first bind, before the load", () =>
    Effect.gen(function* () {
      const world = yield* withModel
      const asked = yield* Effect.fork(start(world))
      yield* settle
      expect(yield* Fiber.poll(asked)).toMatchObject({ _tag: "None" })
      last(world).say({ t: "bound", port: 8601, url: "u" })
      expect(yield* Fiber.join(asked)).toMatchObject({ port: 8601 })
      yield* settle
      expect(yield* states(world)).toEqual(["loading"])
    })
  )

  it.scoped("books what its workers may take, and gives it back when they are gone", () =>
    Effect.gen(function* () {
      const { world, worker_id } = yield* healthy
      expect((yield* world.leases).map(({ device, owner }) => [device, owner])).toEqual([["cpu", worker_id]])
      last(world).say({ t: "failed", code: "MODEL_INVALID", what: "no", todo: "" })
      last(world).die()
      yield* settle
      expect(yield* world.leases).toEqual([])
      expect(yield* states(world)).toEqual([])
    })
  )

  it.scoped(
    "gives a model the context that fits beside the workers that are there, and the whole one once they are gone",
    () =>
      Effect.gen(function* () {
        // 1 GB of weights, and 128 KiB a token: four whole contexts of 4096 are 2.1 GB
        const cpu = { cores: 4, ramBytes: 6.5e9, ramFreeBytes: 6.5e9 }
        const world = yield* makeWorld(
          {},
          { facts: { kvElementsPerToken: 65_536 }, look: Effect.succeed({ cpu, gpus: [], driver: undefined }) }
        )
        const begun = (name: string) =>
          Effect.gen(function* () {
            yield* world.addModel(name)
            const asked = { device: DeviceId.make("cpu"), model_ref: ModelRef.make(name) }
            const starting = yield* Effect.fork(world.hive.api.startWorker(asked))
            yield* settle
            for (const message of ready) last(world).say(message)
            yield* Fiber.join(starting)
            yield* settle
            const { context, slots } = last(world).plan
            return (context ?? 0) * slots
          })
        const first = yield* begun("file:/first.gguf")
        expect(first).toBe(4 * 4096)
        const second = yield* begun("file:/second.gguf")
        expect(second).toBeGreaterThan(0)
        expect(second).toBeLessThan(first)
        const booked = (yield* world.leases).reduce((sum, { bytes }) => sum + bytes, 0)
        expect(booked).toBeLessThan(cpu.ramBytes)
        for (const { die, say } of world.launched) {
          say({ t: "failed", code: "MODEL_INVALID", what: "no", todo: "" })
          die()
        }
        yield* settle
        expect(yield* begun("file:/third.gguf")).toBe(4 * 4096)
      })
  )

  it.scoped("keeps the booking while a worker is restarted, with the backoff of the policy", () =>
    Effect.gen(function* () {
      const { world } = yield* healthy
      last(world).die({ signal: "SIGKILL" })
      yield* settle
      expect(world.launched.length).toBe(2)
      last(world).die()
      yield* settle
      expect(yield* states(world)).toEqual(["degraded"])
      yield* TestClock.adjust(499)
      expect(world.launched.length).toBe(2)
      yield* TestClock.adjust(1)
      yield* settle
      expect(world.launched.length).toBe(3)
      expect((yield* world.leases).length).toBe(1)
    })
  )

  it.scoped(
    "takes a device out of service for five minutes when its restarts are spent and the bundled model fails there too",
    () =>
      Effect.gen(function* () {
        const world = yield* withModel
        world.proof = "fails"
        const asked = yield* Effect.fork(Effect.flip(start(world)))
        for (let i = 0; i < 4; i++) {
          yield* settle
          last(world).die()
          yield* TestClock.adjust(1000)
        }
        expect(yield* Fiber.join(asked)).toMatchObject({
          code: "WORKER_START_FAILED",
          details: { attempts: 4, last_words: "planted words" }
        })
        expect(yield* Effect.flip(start(world))).toMatchObject({ details: { degraded: true } })
        yield* TestClock.adjust("5 minutes")
        const again = yield* Effect.fork(start(world))
        yield* settle
        last(world).say({ t: "bound", port: 1, url: "u" })
        yield* Fiber.join(again)
      })
  )

  it.scoped("ends a silent worker and starts another", () =>
    Effect.gen(function* () {
      const { world } = yield* healthy
      const silent = last(world)
      for (let i = 0; i < 10; i++) yield* Effect.zipRight(TestClock.adjust("1 second"), settle)
      expect(silent.ended()).toBe(true)
      expect(world.launched.length).toBe(2)
    })
  )

  it.scoped("tells each reader of a worker's events the same story from the beginning", () =>
    Effect.gen(function* () {
      const world = yield* withModel
      const asked = yield* Effect.fork(start(world))
      yield* settle
      last(world).die({ signal: "SIGSEGV" })
      yield* settle
      last(world).say({ t: "bound", port: 8601, url: "u" })
      const { worker_id } = yield* Fiber.join(asked)
      const stories: Array<Array<string>> = []
      const read = Effect.gen(function* () {
        const story: Array<string> = []
        stories.push(story)
        const feed = yield* world.hive.api.workerEvents({ id: worker_id })
        yield* readEvents(feed, ({ event, data }) => {
          const { human } = JSON.parse(data)
          story.push(human ?? event)
        })
      })
      const early = yield* Effect.fork(read)
      yield* settle
      last(world).say({ t: "ready", backend: "CPU", context: 4096, slots: 4 })
      yield* Fiber.join(early)
      yield* read
      expect(stories[0]).toEqual([
        `worker ${worker_id} failed to boot (killed by SIGSEGV); restarting (1/3)`,
        "waking worker on :8601 with model=/models/minillama.gguf",
        "ready"
      ])
      expect(stories[1]).toEqual(stories[0])
    })
  )

  it.scoped("tells a reader who knows a worker's last life of the next one, whole", () =>
    Effect.gen(function* () {
      const { world, worker_id } = yield* healthy
      const read = (last_event_id?: string) =>
        Effect.gen(function* () {
          const story: Array<{ readonly id: string | undefined; readonly event: string }> = []
          const input = { id: worker_id, ...(last_event_id === undefined ? {} : { last_event_id }) }
          yield* readEvents(yield* world.hive.api.workerEvents(input), ({ id, event }) => story.push({ id, event }))
          return story
        })
      const first = (yield* read()).at(-1)
      last(world).die({ signal: "SIGKILL" })
      yield* settle
      for (const message of ready) last(world).say(message)
      yield* settle
      expect((yield* read(first?.id)).map(({ event }) => event)).toEqual(["narration", "ready"])
    })
  )

  it.scoped("lives on when a worker's actor keeps dying of a bug: who waited hears it, nothing stays booked", () =>
    Effect.gen(function* () {
      const world = yield* withModel
      world.launching = "is a bug"
      const asked = yield* Effect.fork(Effect.either(start(world)))
      yield* TestClock.adjust("1 minute")
      yield* settle
      expect(yield* Fiber.join(asked)).toMatchObject({ _tag: "Left" })
      expect(yield* world.leases).toEqual([])
      world.launching = "works"
      yield* TestClock.adjust("1 minute")
      const again = yield* Effect.fork(start(world))
      yield* settle
      last(world).say({ t: "bound", port: 1, url: "u" })
      yield* Fiber.join(again)
    })
  )

  it.scoped("goes on with a start whose caller has left, so that the next one finds it", () =>
    Effect.gen(function* () {
      const world = yield* withModel
      const impatient = yield* Effect.fork(start(world))
      yield* settle
      yield* Fiber.interrupt(impatient)
      const patient = yield* Effect.fork(start(world))
      yield* settle
      expect(world.launched.length).toBe(1)
      last(world).say({ t: "bound", port: 8601, url: "u" })
      yield* Fiber.join(patient)
    })
  )

  it.scoped("refuses new work once it is told to end, and ends when its workers are gone", () =>
    Effect.gen(function* () {
      const { world } = yield* healthy
      const ended = yield* Effect.fork(world.hive.ended)
      yield* world.hive.api.shutdown({ deadline_ms: 0 })
      expect(last(world).ended()).toBe(true)
      expect(yield* Effect.flip(start(world))).toMatchObject({ code: "SHUTTING_DOWN" })
      expect(yield* Fiber.join(ended)).toBe("shutdown")
      expect(yield* world.leases).toEqual([])
    })
  )

  it.scoped("ends the answers that its queen cannot read any more, before she takes it for lost", () =>
    Effect.gen(function* () {
      const { world } = yield* healthy
      let progress = 0
      const second = Effect.suspend(() => {
        last(world).say({ t: "beat", busy: 1, tokens_out: ++progress, progress, infers: [] })
        return Effect.zipRight(TestClock.adjust("1 second"), settle)
      })
      const seconds = (n: number) => Effect.repeatN(second, n - 1)
      yield* world.hive.listening("http://127.0.0.1:8600")
      yield* world.hive.api.claim({ queen: { id: "q1", name: "queen", epoch: 1, url: "http://127.0.0.1:8500" } })
      yield* seconds(20)
      expect(world.cancelled).toEqual([])
      world.queen = "is out of reach"
      yield* seconds(7)
      expect(world.cancelled).toEqual([])
      yield* seconds(2)
      expect(new Set(world.cancelled)).toEqual(new Set(["http://127.0.0.1:8601"]))
      expect(world.launched.length).toBe(1)
    })
  )

  it.scoped("does what its owner asks in her newest start, and refuses everybody else who says to be a queen", () =>
    Effect.gen(function* () {
      const { world } = yield* healthy
      const claim = (id: string, epoch: number) =>
        world.hive.api.claim({ queen: { id, name: id, epoch, url: "http://127.0.0.1:8500" } })
      const as = (id: string, epoch: number) =>
        Effect.either(
          Effect.provideService(world.hive.api.listWorkers({}), Call, {
            correlationId: undefined,
            deadline: undefined,
            queen: { id, epoch }
          })
        )
      yield* claim("q1", 2)
      expect(yield* as("q1", 2)).toMatchObject({ _tag: "Right" })
      expect(yield* as("q1", 1)).toMatchObject({
        _tag: "Left",
        left: { code: "HIVE_OWNED", details: { owner: { id: "q1", epoch: 2 } } }
      })
      expect(yield* as("q2", 9)).toMatchObject({ _tag: "Left", left: { code: "HIVE_OWNED" } })
      expect(yield* Effect.either(world.hive.api.listWorkers({}))).toMatchObject({ _tag: "Right" })
    })
  )
})

describe("A hive that has an owner on file", () => {
  const owner = { id: "q1", name: "queen", epoch: 1, url: "http://127.0.0.1:8500" }
  /** whose queen says nothing; is it there still after two minutes? */
  const isThere = (isWoken: boolean, isClaimed: boolean) =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      catalog.owner = owner
      const world = yield* makeWorld({}, { catalog, isWoken })
      world.queen = "is out of reach"
      if (isClaimed) yield* world.hive.api.claim({ queen: owner })
      const ended = yield* Effect.fork(world.hive.ended)
      yield* TestClock.adjust("2 minutes")
      return Option.isNone(yield* Fiber.poll(ended))
    })

  it.scoped(
    "ends after a minute where it was woken and no queen has claimed it: she died, or forgot it meanwhile",
    () =>
      Effect.gen(function* () {
        expect(yield* isThere(true, false)).toBe(false)
      })
  )

  it.scoped("waits its time for her where she had claimed it, or where somebody started it by hand", () =>
    Effect.gen(function* () {
      expect(yield* isThere(true, true)).toBe(true)
      expect(yield* isThere(false, false)).toBe(true)
    })
  )

  it.scoped("stays with her where she woke it to stay, and half an hour without her", () =>
    Effect.gen(function* () {
      const beats = { heartbeatMs: 60_000, lateMs: 120_000, lostMs: 180_000 }
      const world = yield* makeWorld({ idleMs: Number.POSITIVE_INFINITY, ...beats }, { isWoken: true })
      yield* world.hive.listening("http://127.0.0.1:8600")
      yield* world.hive.api.claim({ queen: owner })
      const ended = yield* Effect.fork(world.hive.ended)
      yield* TestClock.adjust("6 minutes")
      expect(Option.isNone(yield* Fiber.poll(ended))).toBe(true)
      world.queen = "is out of reach"
      yield* TestClock.adjust("28 minutes")
      expect(Option.isNone(yield* Fiber.poll(ended))).toBe(true)
      yield* TestClock.adjust("6 minutes")
      expect(yield* Fiber.join(ended)).toBe("idle")
    })
  )
})
