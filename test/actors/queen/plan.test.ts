/** Where a job would go, asked without one: the same decision, and why not elsewhere. */
import { assert, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { DeviceId } from "../../../src/machines/vocabulary/ids.ts"
import { makeWorld } from "../../support/queen/world.ts"

const gpu = {
  id: DeviceId.make("gpu0"),
  name: "RTX 3060",
  backend: "cuda",
  vram_mb: 12_000,
  vram_free_mb: 12_000
} as const
const model = "minillama"
const other = "file:/m/other.gguf"

describe("A plan", () => {
  it.scoped("is asleep where no hive is awake, and nothing is woken for it", () =>
    Effect.gen(function* () {
      const { api, hive } = yield* makeWorld()
      expect(yield* api.plan({ model })).toEqual({ model, waiting: 0, outcome: "asleep" })
      assert.isFalse(hive.running)
    })
  )

  it.scoped("names the worker that is there and has a slot free, and starts none", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      yield* (yield* job()).ended
      const [worker] = hive.workers.values()
      const asked = hive.calls.length
      const plan = yield* api.plan({ model })
      expect(plan).toMatchObject({
        model,
        outcome: "resident",
        placement: { hive: "localhost", device: "cpu", worker: worker?.id }
      })
      assert.strictEqual(hive.calls.length, asked)
    })
  )

  it.scoped(
    "is a queue, with what is in the way, where all slots are taken and there is room for no other worker",
    () =>
      Effect.gen(function* () {
        const { api, hive, job } = yield* makeWorld()
        hive.slots = 1
        hive.script = () => ({ holdAt: 2 })
        const first = yield* job()
        yield* first.until(({ event }) => event === "token")
        const second = yield* job()
        yield* second.saw("job queued at position 1")
        const plan = yield* api.plan({ model })
        expect(plan).toMatchObject({ outcome: "queue", waiting: 1 })
        assert.isNotEmpty(plan.losers)
        assert.notProperty(plan, "placement")
      })
  )

  it.scoped("is a start on the strongest device with room, and says which that is", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.gpus = [gpu]
      yield* (yield* job({ device: DeviceId.make("cpu") })).ended
      expect(yield* api.plan({ model: other })).toMatchObject({
        model: other,
        outcome: "start",
        placement: { hive: "localhost", device: "gpu0" }
      })
      expect(yield* api.plan({ model: other, device: DeviceId.make("cpu") })).toMatchObject({
        outcome: "start",
        placement: { device: "cpu" }
      })
      assert.notInclude(hive.calls.join(" "), "provisionModel provisionModel")
      assert.strictEqual(hive.workers.size, 1)
    })
  )

  it.scoped("without room anywhere is the job's own error, with its amounts, and who lost", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.gpus = [gpu]
      yield* (yield* job({ device: DeviceId.make("cpu") })).ended
      hive.full.set("gpu0", 500)
      const plan = yield* api.plan({ model: other, allow_cpu: false })
      expect(plan).toMatchObject({
        outcome: "no_place",
        error: { code: "VRAM_EXHAUSTED", details: { needed_mb: 5000, available_mb: 500 } }
      })
      assert.include(plan.error?.message, "GPU0 has 500 MB")
      assert.isArray(plan.losers)
    })
  )

  it.scoped("for a device that is not there names it and those that are", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.gpus = [gpu]
      yield* (yield* job()).ended
      const { error, outcome } = yield* api.plan({ model, device: DeviceId.make("gpu7") })
      assert.strictEqual(outcome, "no_place")
      expect(error).toMatchObject({ code: "INVALID_REQUEST", details: { device: "gpu7" } })
      for (const name of ["GPU7", "GPU0", "CPU"]) assert.include(error?.message, name)
    })
  )

  it.scoped("where only the CPU is left and is not allowed says what there is, and how to allow it", () =>
    Effect.gen(function* () {
      const { api, job } = yield* makeWorld()
      yield* (yield* job()).ended
      const { error, outcome } = yield* api.plan({ model, allow_cpu: false })
      assert.strictEqual(outcome, "no_place")
      assert.strictEqual(error?.code, "BACKEND_UNAVAILABLE")
      assert.include(error?.message, "there is CPU")
      assert.include(error?.message, "--no-cpu")
    })
  )
})
