/** What the workers of a hive keep of conversations, as their hive tells and deletes it. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Parked } from "../../../src/layers/parked/index.ts"
import { cpuDevice, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { makeWorld, settle, type World } from "../../support/hive-world.ts"

const HERS = "1111111111111111"
const queen = { id: "queen-1", name: "queen", epoch: 1, url: "fake://queen" }

/** a folder with a file of 5 MB for each of two accounts; `told` are the workers that had been told before */
const parked = (told: () => number) => {
  const cleared: Array<{ readonly scope: string | undefined; readonly told: number }> = []
  let tokens = 0
  const place: Parked["Type"] = {
    placeOf: (model) => ({ folder: "/parked", key: `key of ${model}`, maxBytes: 1 }),
    clear: (scope) => {
      cleared.push({ scope, told: told() })
      return Effect.succeed({ files: 1, bytes: 5e6 })
    },
    held: Effect.succeed({ files: 2, bytes: 10e6 }),
    restored: (more) => void (tokens += more),
    saved: () => ({ answers: 1, tokens })
  }
  return { cleared, place }
}

const withWorker = Effect.gen(function* () {
  const told: { by?: World } = {}
  const { cleared, place } = parked(() => told.by?.forgotten.length ?? 0)
  const world = (told.by = yield* makeWorld({}, { parked: place }))
  yield* world.hive.api.claim({ queen })
  yield* world.addModel("minillama")
  const asked = yield* Effect.fork(
    world.hive.api.startWorker({ model_ref: ModelRef.make("minillama"), device: cpuDevice })
  )
  yield* settle
  const [worker] = world.launched
  worker?.say({ t: "bound", port: 8601, url: "http://127.0.0.1:8601" })
  worker?.say({ t: "ready", backend: "CPU", context: 4096, slots: 4 })
  yield* Fiber.join(asked)
  return { ...world, cleared, worker }
})

describe("What workers keep of conversations", () => {
  it.scoped("has a place that the worker is told, of its model's own", () =>
    Effect.gen(function* () {
      const { worker } = yield* withWorker
      expect(worker?.plan.parking).toEqual({ folder: "/parked", key: "key of /models/minillama.gguf", maxBytes: 1 })
    })
  )

  it.scoped("is told with what it saved", () =>
    Effect.gen(function* () {
      const { hive, worker } = yield* withWorker
      worker?.say({ t: "restored", tokens: 300 })
      worker?.say({ t: "restored", tokens: 50 })
      yield* settle
      expect(yield* hive.api.parked({})).toEqual({ files: 2, mb: 10, answers: 1, tokens: 350 })
    })
  )

  it.scoped("is deleted after its workers were told to use nothing of it any more", () =>
    Effect.gen(function* () {
      const { cleared, forgotten, hive } = yield* withWorker
      expect(yield* hive.api.clearParked({ scope: HERS })).toEqual({ files: 1, mb: 5 })
      yield* hive.api.clearParked({})
      expect(forgotten).toEqual([HERS, undefined])
      expect(cleared).toEqual([
        { scope: HERS, told: 1 },
        { scope: undefined, told: 2 }
      ])
    })
  )
})
