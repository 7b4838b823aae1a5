/** What the self-test of a worker found outlives the worker and its hive. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { describe } from "vitest"
import { MemoryCatalog } from "../../../src/layers/hive-catalog/memory.ts"
import { type ControlMessage, type ExactWish, WorkerBeat } from "../../../src/machines/vocabulary/worker.ts"
import { fastValidator } from "../../../src/machines/formats/json/fast-validate.ts"
import { readEvents } from "../../../src/protocol/sse.ts"
import { makeWorld, settle } from "../../support/hive-world.ts"
import { DeviceId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const said: ReadonlyArray<ControlMessage> = [
  { t: "bound", port: 8601, url: "http://127.0.0.1:8601" },
  { t: "loading", progress: 0 },
  { t: "ready", backend: "CPU", context: 512, slots: 4 }
]
const found = { exact: true, bits: "0123456789abcdef", threads: 3 }

/** A hive with this catalog starts a worker, which finds out; returns what the worker was told that is known. */
const life = (catalog: MemoryCatalog, { context = 512, engine = "0", exact = "auto" as ExactWish, stamp = "1" } = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const made = yield* makeWorld({}, { catalog, engine, exact })
      made.stamp = stamp
      yield* made.addModel("file:/good.gguf")
      const asked = yield* Effect.fork(
        made.hive.api.startWorker({
          device: DeviceId.make("cpu"),
          model_ref: ModelRef.make("file:/good.gguf"),
          context
        })
      )
      yield* settle
      const [process] = made.launched
      for (const message of [...said, { t: "exact" as const, ...found }]) process?.say(message)
      yield* Fiber.join(asked)
      yield* settle
      return process?.plan.exactness
    })
  )

describe("What a self-test found", () => {
  it.effect("is told to the next worker of the same with its number of threads, also by the next hive", () =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      expect(yield* life(catalog)).toBeUndefined()
      expect(yield* life(catalog)).toEqual(found)
    })
  )

  it.effect.each([{ stamp: "2" }, { engine: "1" }])(
    "is forgotten where the file or the engine is another: %o",
    (other) =>
      Effect.gen(function* () {
        const catalog = new MemoryCatalog()
        yield* life(catalog)
        expect(yield* life(catalog, other)).toBeUndefined()
        expect(yield* life(catalog)).toBeUndefined()
      })
  )

  it.scoped("goes with the beats as the queen knows it, so that they are sent as they stand", () =>
    Effect.gen(function* () {
      const made = yield* makeWorld({}, {})
      yield* made.addModel("file:/good.gguf")
      const asked = yield* Effect.fork(
        made.hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make("file:/good.gguf") })
      )
      yield* settle
      for (const message of [...said, { t: "exact" as const, ...found }]) made.launched[0]?.say(message)
      yield* Fiber.join(asked)
      yield* settle
      const workers = yield* made.hive.api.listWorkers({})
      expect(workers).toMatchObject([{ exact: true, bits: found.bits }])
      expect(fastValidator(Schema.Array(WorkerBeat).ast)?.(workers)).toBe(true)
    })
  )

  it.effect("is not that of another context, and both are kept", () =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      yield* life(catalog)
      expect(yield* life(catalog, { context: 256 })).toBeUndefined()
      expect(yield* life(catalog, { context: 256 })).toEqual(found)
      expect(yield* life(catalog)).toEqual(found)
    })
  )
})

/** What a worker that says this of itself has its hive say. */
const lines = (ready: object, exact: ExactWish) =>
  Effect.scoped(
    Effect.gen(function* () {
      const made = yield* makeWorld({}, { exact })
      yield* made.addModel("file:/good.gguf")
      const asked = yield* Effect.fork(
        made.hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make("file:/good.gguf") })
      )
      yield* settle
      for (const message of said) made.launched[0]?.say(message.t === "ready" ? { ...message, ...ready } : message)
      const { worker_id } = yield* Fiber.join(asked)
      const actions: Array<string> = []
      yield* readEvents(yield* made.hive.api.workerEvents({ id: worker_id }), ({ data, event }) => {
        if (event === "narration") actions.push(JSON.parse(data).human)
      })
      const [worker] = yield* made.hive.api.listWorkers({})
      return { actions: actions.join("\n"), how: worker?.exact_how }
    })
  )

describe("A worker that is to be exact", () => {
  it.effect("and cannot be is named before it serves", () =>
    Effect.gen(function* () {
      const { actions, how } = yield* lines({ exact: false, exact_how: "gpu" }, "always")
      expect(actions).toContain("the worker is not exact, as worker.exact asks for: a GPU computes")
      expect(how).toBe("gpu")
      const found = yield* lines({ exact: false, exact_how: "differs" }, "always")
      expect(found.actions).toContain("its test found other numbers")
    })
  )

  it.effect("where that costs little is not, without a word but in the list", () =>
    Effect.gen(function* () {
      const { actions, how } = yield* lines({ exact: false, exact_how: "dear" }, "auto")
      expect(actions).not.toContain("not exact")
      expect(how).toBe("dear")
      expect((yield* lines({ exact: true, bits: "1", exact_how: "ones" }, "always")).actions).not.toContain("not exact")
    })
  )

  it.effect("in another way than before finds out anew", () =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      yield* life(catalog, { exact: "always" })
      expect(yield* life(catalog, { exact: "off" })).toBeUndefined()
      expect(yield* life(catalog, { exact: "always" })).toEqual(found)
    })
  )
})
