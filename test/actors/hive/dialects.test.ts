/** How a model writes is learned once: by its first worker, or for who asks. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { MemoryCatalog } from "../../../src/layers/hive-catalog/memory.ts"
import type { Found, Runtimes } from "../../../src/layers/runtimes/index.ts"
import { contentOnly } from "../../../src/machines/dialect/dialect.ts"
import { DeviceId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import type { ControlMessage } from "../../../src/machines/vocabulary/worker.ts"
import { makeWorld, settle } from "../../support/hive-world.ts"
import { objectsBetweenMarks as dialect } from "../../support/scripts.ts"

const ref = ModelRef.make("file:/good.gguf")
const learned = { template: "a hash", dialect }
const ready: ReadonlyArray<ControlMessage> = [
  { t: "bound", port: 8601, url: "http://127.0.0.1:8601" },
  { t: "loading", progress: 0 },
  { t: "ready", backend: "CPU", context: 512, slots: 4 }
]

/** A hive with this catalog, whose runtimes learn as told; `asked` are the files that they were asked about. */
const hiveWith = (catalog: MemoryCatalog, found?: Found) =>
  Effect.gen(function* () {
    const asked: Array<string> = []
    const runtimes: Runtimes["Type"] = {
      find: () => Effect.succeed({ version: "0", folder: undefined }),
      install: () => Effect.never,
      prove: () => Effect.succeed("works" as const),
      learn: (_, file) => Effect.sync(() => (asked.push(file), found)),
      read: () => Effect.succeed(undefined),
      sweep: Effect.void
    }
    const made = yield* makeWorld({}, { catalog, runtimes })
    if (!catalog.models.has(ref)) yield* made.addModel(ref)
    return { ...made, asked }
  })

/** The plan of a worker that becomes ready, and then says this. */
const worker = (catalog: MemoryCatalog, ...said: ReadonlyArray<ControlMessage>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const made = yield* hiveWith(catalog)
      const starting = yield* Effect.fork(made.hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ref }))
      yield* settle
      const [process] = made.launched
      for (const message of [...ready, ...said]) process?.say(message)
      yield* Fiber.join(starting)
      yield* settle
      return process?.plan
    })
  )

const shown = (catalog: MemoryCatalog, found?: Found) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { asked, hive } = yield* hiveWith(catalog, found)
      return { model: yield* hive.api.getModel({ ref, learn: true }), asked }
    })
  )

describe("How a model writes", () => {
  it.effect("is told to the model's next worker, also by the next hive", () =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      expect((yield* worker(catalog, { t: "dialect", ...learned }))?.learned).toBeUndefined()
      expect((yield* worker(catalog))?.learned).toEqual(learned)
    })
  )

  it.effect("is learned anew by another version", () =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      yield* worker(catalog, { t: "dialect", ...learned })
      for (const [key, row] of catalog.dialects) catalog.dialects.set(key, { ...row, version: "before" })
      expect((yield* worker(catalog))?.learned).toBeUndefined()
    })
  )

  it.effect("is shown as a worker told it, and to nobody who does not ask", () =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      yield* worker(catalog, { t: "dialect", ...learned })
      const { asked, model } = yield* shown(catalog)
      expect([model.dialect, asked]).toEqual([dialect, []])
      const plain = yield* Effect.scoped(Effect.flatMap(hiveWith(catalog), ({ hive }) => hive.api.getModel({ ref })))
      expect(plain.dialect).toBeUndefined()
    })
  )

  it.effect("is learned once for who asks about a model that was never loaded", () =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      const first = yield* shown(catalog, learned)
      expect([first.model.dialect, first.asked]).toEqual([dialect, ["/models/file:/good.gguf.gguf"]])
      const second = yield* shown(catalog, learned)
      expect([second.model.dialect, second.asked]).toEqual([dialect, []])
      expect((yield* worker(catalog))?.learned).toEqual(learned)
    })
  )

  it.effect("is not kept where it could not be learned, and why is shown", () =>
    Effect.gen(function* () {
      const catalog = new MemoryCatalog()
      const failed = { template: undefined, dialect: contentOnly("10 s are over") }
      expect((yield* shown(catalog, failed)).model.dialect?.why).toBe("10 s are over")
      expect((yield* shown(catalog, learned)).model.dialect).toEqual(dialect)
    })
  )

  it.effect("is nothing where a model has no template", () =>
    Effect.gen(function* () {
      expect((yield* shown(new MemoryCatalog())).model.dialect).toBeUndefined()
    })
  )
})
