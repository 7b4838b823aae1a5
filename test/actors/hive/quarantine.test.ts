/** Whom a hive charges with a failed start or a death, in virtual time, over workers that do as they are told. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { describe } from "vitest"
import type { Machine } from "../../../src/layers/devices/index.ts"
import { MemoryCatalog } from "../../../src/layers/hive-catalog/memory.ts"
import { readEvents } from "../../../src/protocol/sse.ts"
import type { ControlMessage } from "../../../src/machines/vocabulary/worker.ts"
import { type Launched, makeWorld, settle, type World } from "../../support/hive-world.ts"
import { DeviceId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const bound: ControlMessage = { t: "bound", port: 8601, url: "http://127.0.0.1:8601" }
/** the runtime is there: the file is next */
const begun: ControlMessage = { t: "loading", progress: 0 }
const ready: ControlMessage = { t: "ready", backend: "CPU", context: 4096, slots: 4 }
const refusedByEngine: ControlMessage = {
  t: "failed",
  code: "MODEL_INVALID",
  what: "the model file cannot be loaded (unknown architecture)",
  todo: "",
  by: "engine"
}
const [bad, worse, good] = ["file:/bad.gguf", "file:/worse.gguf", "file:/good.gguf"] as const
const assertion = "/home/x/llama.cpp/src/llama-model.cpp:7: GGML_ASSERT(n > 0) failed"

const withGpu: Machine = {
  cpu: { cores: 4, ramBytes: 16e9, ramFreeBytes: 15e9 },
  gpus: [{ id: DeviceId.make("gpu0"), name: "RTX 3060", backend: "cuda", vram_mb: 12_000, vram_free_mb: 12_000 }],
  driver: "580"
}

const world = Effect.tap(makeWorld(), (made) =>
  Effect.zipRight(made.addModel(bad), Effect.zipRight(made.addModel(worse), made.addModel(good)))
)
const start = (made: World, model_ref: string, device = "cpu") =>
  made.hive.api.startWorker({ device: DeviceId.make(device), model_ref: ModelRef.make(model_ref) })
const last = (made: World): Launched => {
  const found = made.launched.at(-1)
  if (found === undefined) throw new Error("nothing was launched")
  return found
}

/** One process of a worker gets as far as `said`, and ends. */
const end = (made: World, said: ReadonlyArray<ControlMessage>, status: Parameters<Launched["die"]>[0]) =>
  Effect.gen(function* () {
    yield* settle
    for (const message of said) last(made).say(message)
    yield* settle
    last(made).die(status)
    yield* settle
  })

/** Starts a model whose processes all end so, until its worker is given up; returns how many there were. */
const failing = (
  made: World,
  model: string,
  said: ReadonlyArray<ControlMessage>,
  status: Parameters<Launched["die"]>[0],
  device = "cpu"
) =>
  Effect.gen(function* () {
    const before = made.launched.length
    const asked = yield* Effect.fork(Effect.either(start(made, model, device)))
    for (let i = 0; i < 4; i++) {
      const count = made.launched.length
      yield* end(made, said, status)
      yield* TestClock.adjust(1000)
      yield* settle
      if (made.launched.length === count && i > 0) break
    }
    yield* Fiber.interrupt(asked)
    return made.launched.length - before
  })

const aborts = (made: World, model: string, device?: string) =>
  failing(made, model, [bound, begun], { code: undefined, signal: "SIGABRT" }, device)

const serves = (made: World, model: string, device?: string) =>
  Effect.gen(function* () {
    const asked = yield* Effect.fork(start(made, model, device))
    yield* settle
    for (const message of [bound, begun, ready]) last(made).say(message)
    return yield* Fiber.join(asked)
  })
const devices = (made: World) =>
  Effect.map(made.hive.api.capacity({ device: DeviceId.make("cpu"), model: ModelRef.make(good) }), () => "in service")

describe("A file that ends its worker while it is loaded", () => {
  it.scoped(
    "is tried twice, and then refused at once with its reason and its last words, to advice and start alike",
    () =>
      Effect.gen(function* () {
        const made = yield* world
        made.lastWords = `{"message":"listens","fiberId":"#0"}\n${assertion}`
        expect(yield* aborts(made, bad)).toBe(2)
        const why = {
          code: "MODEL_INVALID",
          status: 400,
          what: `model ${bad} cannot be loaded on CPU (killed by SIGABRT: llama-model.cpp:7: GGML_ASSERT(n > 0) failed)`,
          details: { quarantined: true, device: "cpu", last_words: "llama-model.cpp:7: GGML_ASSERT(n > 0) failed" }
        }
        expect(yield* Effect.flip(start(made, bad))).toMatchObject(why)
        expect(
          yield* Effect.flip(made.hive.api.capacity({ device: DeviceId.make("cpu"), model: ModelRef.make(bad) }))
        ).toMatchObject(why)
        expect(made.launched).toHaveLength(2)
      })
  )

  it.scoped("is told as that to who heard it wake, with its tries", () =>
    Effect.gen(function* () {
      const made = yield* world
      const asked = yield* Effect.fork(start(made, bad))
      yield* end(made, [bound, begun], { code: undefined, signal: "SIGSEGV" })
      const { worker_id } = yield* Fiber.join(asked)
      const told: Array<unknown> = []
      const feed = yield* made.hive.api.workerEvents({ id: worker_id })
      const reading = yield* Effect.fork(
        readEvents(feed, ({ data, event }) => void (event === "failed" && told.push(JSON.parse(data))))
      )
      yield* end(made, [bound, begun], { code: 139, signal: undefined })
      yield* Fiber.join(reading)
      expect(told).toMatchObject([{ code: "MODEL_INVALID", details: { quarantined: true, worker_id, device: "cpu" } }])
    })
  )

  it.scoped("leaves the device in service and resident workers alone, however many such files there are", () =>
    Effect.gen(function* () {
      const made = yield* world
      const { worker_id } = yield* serves(made, good)
      yield* aborts(made, bad)
      yield* aborts(made, worse)
      expect(yield* made.hive.api.listWorkers({})).toMatchObject([{ id: worker_id, state: "idle" }])
      expect((yield* serves(made, good)).worker_id).toBe(worker_id)
      expect(yield* devices(made)).toBe("in service")
    })
  )

  it.scoped("is tried again once the file is another one, or the user says so", () =>
    Effect.gen(function* () {
      const made = yield* world
      yield* aborts(made, bad)
      const shown = (yield* made.hive.api.listModels({})).find(({ model_ref }) => model_ref === bad)
      expect(shown?.quarantined).toMatchObject([{ device: "cpu", reason: "killed by SIGABRT", engine: "0" }])
      made.stamp = "2"
      expect((yield* made.hive.api.getModel({ ref: bad })).quarantined).toBeUndefined()
      yield* aborts(made, bad)
      expect(yield* Effect.flip(start(made, bad))).toMatchObject({ code: "MODEL_INVALID" })
      yield* made.hive.api.retryModel({ ref: bad })
      expect((yield* made.hive.api.getModel({ ref: bad })).quarantined).toBeUndefined()
      yield* serves(made, bad)
    })
  )

  it.effect("is tried again once the engine is another one, also by a later hive", () =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      const life = <A, E>(engine: string, use: (made: World) => Effect.Effect<A, E>) =>
        Effect.scoped(
          Effect.flatMap(makeWorld({}, { catalog, engine }), (made) => Effect.zipRight(made.addModel(bad), use(made)))
        )
      const told = (made: World) => Effect.flip(start(made, bad))
      yield* life("3.21.1", (made) => aborts(made, bad))
      expect(yield* life("3.21.1", told)).toMatchObject({ code: "MODEL_INVALID", details: { quarantined: true } })
      yield* life("3.22.0", (made) =>
        Effect.gen(function* () {
          expect((yield* made.hive.api.getModel({ ref: bad })).quarantined).toBeUndefined()
          expect(yield* aborts(made, bad)).toBe(2)
        })
      )
      // what is known of the later engine says nothing of the earlier one
      yield* life("3.21.1", (made) => serves(made, bad))
    })
  )

  it.scoped("is tried on the other device, where it serves, and stays where it was not", () =>
    Effect.gen(function* () {
      const made = yield* makeWorld({}, { look: Effect.succeed(withGpu) })
      yield* made.addModel(bad)
      yield* aborts(made, bad, "gpu0")
      expect(yield* Effect.flip(start(made, bad, "gpu0"))).toMatchObject({
        code: "MODEL_INVALID",
        details: { quarantined: true, device: "gpu0" }
      })
      yield* serves(made, bad, "cpu")
      expect((yield* made.hive.api.getModel({ ref: bad })).quarantined).toMatchObject([{ device: "gpu0" }])
      expect(yield* Effect.flip(start(made, bad, "gpu0"))).toMatchObject({ details: { quarantined: true } })
    })
  )

  it.scoped("is one that the engine refuses twice in a row, too", () =>
    Effect.gen(function* () {
      const made = yield* world
      expect(yield* failing(made, bad, [bound, begun, refusedByEngine], { code: 3 })).toBe(2)
      expect(yield* Effect.flip(start(made, bad))).toMatchObject({ details: { quarantined: true } })
    })
  )

  it.scoped("is none whose header explains it: that is told at once, and nothing is kept", () =>
    Effect.gen(function* () {
      const made = yield* world
      const { by: _, ...explained } = refusedByEngine
      expect(yield* failing(made, bad, [bound, begun, explained], { code: 3 })).toBe(1)
      yield* serves(made, bad)
    })
  )

  it.scoped.each([
    ["somebody kills it", { code: undefined, signal: "SIGKILL" }, "planted"],
    ["somebody ends it", { code: undefined, signal: "SIGTERM" }, "planted"],
    ["it has no memory", { code: undefined, signal: "SIGABRT" }, "CUDA error: out of memory"],
    ["it leaves", { code: 1, signal: undefined }, "planted"]
  ] as const)("is none where %s: that model rests for a minute, no other one does", ([, status, words]) =>
    Effect.gen(function* () {
      const made = yield* world
      made.lastWords = words
      expect(yield* failing(made, bad, [bound, begun], status)).toBe(4)
      expect(yield* Effect.flip(start(made, bad))).toMatchObject({
        code: "WORKER_START_FAILED",
        details: { resting: true }
      })
      expect((yield* made.hive.api.getModel({ ref: bad })).quarantined).toBeUndefined()
      yield* serves(made, good)
      yield* TestClock.adjust("1 minute")
      yield* serves(made, bad)
    })
  )

  it.scoped("is none that died once between other deaths", () =>
    Effect.gen(function* () {
      const made = yield* world
      yield* Effect.fork(Effect.either(start(made, bad)))
      for (const signal of ["SIGABRT", "SIGKILL", "SIGABRT"] as const) {
        yield* end(made, [bound, begun], { code: undefined, signal })
        yield* TestClock.adjust(1000)
      }
      yield* settle
      expect(made.launched).toHaveLength(4)
      for (const message of [bound, begun, ready]) last(made).say(message)
      yield* settle
      expect(yield* made.hive.api.listWorkers({})).toMatchObject([{ state: "idle" }])
    })
  )
})

describe("A device", () => {
  it.scoped("is out of service for five minutes where the bundled model fails on it too, and no file is to blame", () =>
    Effect.gen(function* () {
      const made = yield* world
      made.proof = "fails"
      yield* aborts(made, bad)
      expect(yield* Effect.flip(start(made, good))).toMatchObject({
        code: "WORKER_START_FAILED",
        details: { degraded: true }
      })
      yield* TestClock.adjust("5 minutes")
      expect((yield* made.hive.api.getModel({ ref: bad })).quarantined).toBeUndefined()
      yield* serves(made, bad)
    })
  )

  it.scoped("that cannot be proven is out of service once different files fail on it, and they are tried again", () =>
    Effect.gen(function* () {
      const made = yield* world
      made.proof = "unclear"
      yield* aborts(made, bad)
      expect(yield* devices(made)).toBe("in service")
      yield* aborts(made, worse)
      expect(yield* Effect.flip(start(made, good))).toMatchObject({ details: { degraded: true } })
      yield* TestClock.adjust("5 minutes")
      yield* serves(made, bad)
    })
  )

  it.scoped("that cannot be proven is believed in as long as models are loaded on it in between", () =>
    Effect.gen(function* () {
      const made = yield* world
      made.proof = "unclear"
      yield* aborts(made, bad)
      yield* serves(made, good)
      yield* aborts(made, worse)
      expect(yield* devices(made)).toBe("in service")
    })
  )
})

describe("An installation that is not whole", () => {
  it.scoped("is told for that start alone, and looked at again at the next", () =>
    Effect.gen(function* () {
      const made = yield* world
      made.lastWords = "Error: Cannot find module '/opt/rbee/dist/worker.js'"
      const asked = yield* Effect.fork(Effect.flip(start(made, good)))
      for (let i = 0; i < 4; i++) {
        yield* end(made, [], { code: 1 })
        yield* TestClock.adjust(1000)
      }
      expect(yield* Fiber.join(asked)).toMatchObject({ code: "BACKEND_UNAVAILABLE", status: 503 })
      yield* serves(made, good)
    })
  )

  it.scoped("is to blame where a process dies before its runtime is there, and never the file", () =>
    Effect.gen(function* () {
      const made = yield* world
      expect(yield* failing(made, bad, [bound], { code: undefined, signal: "SIGBUS" })).toBe(4)
      yield* serves(made, bad)
    })
  )
})
