/** A hive whose machine may be put to sleep. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { cpuDevice, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { type Launched, makeWorld, settle, type World } from "../../support/hive-world.ts"

const queen = { id: "queen-1", name: "queen", epoch: 1, url: "fake://queen" }
const ready: ReadonlyArray<Parameters<Launched["say"]>[0]> = [
  { t: "bound", port: 8601, url: "http://127.0.0.1:8601" },
  { t: "ready", backend: "CPU", context: 4096, slots: 4 }
]
const started = ({ hive }: World) => hive.api.startWorker({ model_ref: ModelRef.make("minillama"), device: cpuDevice })
const claimed = ({ hive }: World) => hive.api.claim({ queen, sleep_after_s: 60 })

describe("A hive that is asked to let its machine sleep", () => {
  it.scoped("refuses before its time, and says when it was of use", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      yield* claimed(world)
      yield* TestClock.adjust("59 seconds")
      expect(yield* Effect.flip(world.hive.api.suspend({ idle_ms: 60_000 }))).toMatchObject({
        code: "CONFLICT",
        what: "hive localhost was of use 59 s ago"
      })
      expect(world.suspends).toBe(0)
    })
  )

  it.scoped("refuses while a worker loads", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      yield* claimed(world)
      yield* world.addModel("minillama")
      yield* Effect.fork(started(world))
      yield* settle
      yield* TestClock.adjust("5 seconds")
      expect(yield* Effect.flip(world.hive.api.suspend({ idle_ms: 4000 }))).toMatchObject({ code: "CONFLICT" })
    })
  )

  it.scoped("ends its workers before, and itself after", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const { hive, launched } = world
      yield* claimed(world)
      yield* world.addModel("minillama")
      const asked = yield* Effect.fork(started(world))
      yield* settle
      for (const message of ready) launched[0]?.say(message)
      yield* Fiber.join(asked)
      yield* settle
      yield* TestClock.adjust("5 seconds")
      const ending = yield* Effect.fork(hive.ended)
      yield* hive.api.suspend({ idle_ms: 4000 })
      expect(world.suspends).toBe(1)
      expect(launched.map(({ ended }) => ended())).toEqual([true])
      expect(yield* world.leases).toEqual([])
      expect(yield* Effect.flip(started(world))).toMatchObject({ code: "SHUTTING_DOWN" })
      // asked again in its last moment it is still ending, and takes nothing in
      expect(yield* Effect.flip(hive.api.suspend({ idle_ms: 0 }))).toMatchObject({ code: "SHUTTING_DOWN" })
      expect(yield* Effect.flip(started(world))).toMatchObject({ code: "SHUTTING_DOWN" })
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(ending)).toBe("asleep")
    })
  )

  it.scoped("goes on as before where its machine does not sleep, and says why", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const { hive } = world
      yield* claimed(world)
      yield* TestClock.adjust("5 seconds")
      world.suspending = "fails"
      expect(yield* Effect.flip(hive.api.suspend({ idle_ms: 4000 }))).toMatchObject({ code: "INTERNAL" })
      yield* claimed(world)
    })
  )

  it.scoped(
    "does not end by itself while its queen is there, who would say so; without her its machine sleeps with it",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld({ idleMs: 10_000 })
        yield* world.hive.listening("http://127.0.0.1:8600")
        yield* claimed(world)
        const ending = yield* Effect.fork(world.hive.ended)
        yield* TestClock.adjust("30 seconds")
        expect(yield* Fiber.poll(ending)).toMatchObject({ _tag: "None" })
        world.queen = "is out of reach"
        yield* TestClock.adjust("45 seconds")
        expect(yield* Fiber.poll(ending)).toMatchObject({ _tag: "None" })
        yield* TestClock.adjust("40 seconds")
        expect(yield* Fiber.join(ending)).toBe("idle")
        expect(world.suspends).toBe(1)
      })
  )
})
