/** What a hive reads in the record of a kind of worker, of one that is not llama.cpp. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { describe } from "vitest"
import { Kinds } from "../../../src/layers/kinds/index.ts"
import { workerKinds } from "../../../src/machines/kinds/index.ts"
import { makeWorld, settle } from "../../support/hive-world.ts"
import { scriptKind } from "../../support/script-kind.ts"
import { DeviceId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const [play, model] = ["file:/play.script", "file:/model.gguf"] as const

const world = Effect.gen(function* () {
  const made = yield* makeWorld()
  yield* made.addModel(play)
  yield* made.addModel(model)
  const start = (model_ref: string) =>
    Effect.gen(function* () {
      const asked = yield* Effect.fork(
        Effect.either(made.hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make(model_ref) }))
      )
      yield* settle
      const launched = made.launched.at(-1)
      if (launched === undefined) return yield* Effect.dieMessage("nothing was launched")
      return { asked, launched }
    })
  return { ...made, start, world: made }
}).pipe(Effect.provideService(Kinds, [...workerKinds, scriptKind]))

describe("A hive with two kinds of workers", () => {
  it.scoped("plans each model's worker for the kind that loads its file", () =>
    Effect.gen(function* () {
      const { start } = yield* world
      expect((yield* start(play)).launched.plan.kind).toBe("script")
      expect((yield* start(model)).launched.plan.kind).toBe("llama")
    })
  )

  it.scoped("books what the kind's own estimate says", () =>
    Effect.gen(function* () {
      const { leases, start } = yield* world
      const { context = 0, slots } = (yield* start(play)).launched.plan
      expect((yield* leases).map(({ bytes }) => bytes)).toEqual([1e6 + 1000 * context * slots])
    })
  )

  it.scoped("takes the last words of a worker for want of memory where they are its kind's", () =>
    Effect.gen(function* () {
      const made = yield* world
      yield* made.start(play)
      const shapes: Array<number> = []
      for (const words of ["failed to allocate", "the stage is full"]) {
        made.world.lastWords = words
        const process = made.launched.at(-1)
        process?.say({ t: "loading", progress: 0 })
        yield* settle
        process?.die({ signal: "SIGABRT" })
        yield* settle
        yield* TestClock.adjust(1000)
        yield* settle
        shapes.push(made.launched.at(-1)?.plan.slots ?? 0)
      }
      expect(shapes).toEqual([4, 2])
    })
  )

  it.scoped("prepares a runtime by its name, and refuses one that no kind has with all names that there are", () =>
    Effect.gen(function* () {
      const { hive } = yield* world
      expect(yield* hive.api.provisionWorker({ kind: "cpu-script-worker" })).toMatchObject({
        body: { available: true }
      })
      const refused = yield* Effect.flip(hive.api.provisionWorker({ kind: "gpu-script-worker" }))
      expect(refused).toMatchObject({ code: "INVALID_REQUEST", what: "there is no worker gpu-script-worker here" })
      expect(refused.details["kinds"]).toContain("cpu-script-worker")
      expect(refused.details["kinds"]).toContain("cuda-llm-worker-rbee")
    })
  )
})
