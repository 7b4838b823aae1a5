/** What fits a device, and how fast it is expected to be. */
import { assert, describe, it } from "vitest"
import type { ModelFacts } from "../../../src/machines/formats/gguf/gguf.ts"
import { llama } from "../../../src/machines/kinds/llama/llama.ts"
import { fitting, type Room, roomsOf } from "../../../src/machines/policy/memory/devices-fit.ts"
import { expectedPace, latestPace, type Paced, pacesOf } from "../../../src/machines/policy/pace.ts"
import type { JobView } from "../../../src/machines/vocabulary/job.ts"
import { DeviceId, HiveId, JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

/** a model of 7 thousand million parameters in four bits */
const facts: ModelFacts = {
  fileBytes: 4e9,
  architecture: "llama",
  parameters: 7e9,
  trainedContext: 131_072,
  quantization: "Q4_K_M",
  kvElementsPerToken: 65_536,
  headLengths: [128],
  stateBytes: 0,
  embedding: 4096,
  feedForward: 14_336,
  heads: 32,
  layers: 32,
  vocabulary: 128_000,
  template: true,
  merges: 0
}
const room = (totalMb: number, freeMb = totalMb): Room => ({
  device: DeviceId.make("gpu0"),
  name: "RTX 1",
  backend: "cuda",
  totalBytes: totalMb * 1e6,
  freeBytes: freeMb * 1e6
})
const wishes = { context: undefined, slots: 4, kvType: "f16" } as const

describe("what fits a device", () => {
  it("is the worker that a hive would start there: context gives way before it is refused", () => {
    const large = fitting(llama, facts, room(80_000), wishes)
    assert.include(large, { fits: "yes", context: 32_768, slots: 4, context_max: 131_072 })
    const small = fitting(llama, facts, room(6500), wishes)
    assert.strictEqual(small.fits, "yes")
    assert.isBelow(small.context * small.slots, large.context * large.slots)
    assert.isAtMost(small.memory_mb, small.available_mb)
    assert.isBelow(small.context_max, 131_072)
  })

  it("tells what fits when others make room, and what never does, with the amounts", () => {
    assert.strictEqual(fitting(llama, facts, room(80_000, 1000), wishes).fits, "if_unloaded")
    const none = fitting(llama, facts, room(2000), wishes)
    assert.include(none, { fits: "no", context_max: 0, available_mb: 1800 })
    assert.isAbove(none.memory_mb, 4000)
  })

  it("keeps the context that was asked for, as far as the model was trained", () => {
    assert.strictEqual(fitting(llama, facts, room(6500), { ...wishes, context: 100_000 }).fits, "no")
    assert.strictEqual(fitting(llama, facts, room(900_000), { ...wishes, context: 500_000 }).context, 131_072)
  })

  it("a declared GPU is served by the CPU, and what the configuration keeps from us is no room", () => {
    const gpu = {
      id: DeviceId.make("gpu0"),
      name: "RTX 1",
      backend: "cuda",
      vram_mb: 12_000,
      vram_free_mb: 9000
    } as const
    const rooms = roomsOf({
      cpu: { cores: 8, ram_mb: 32_000, ram_free_mb: 20_000 },
      gpus: [
        { ...gpu, leave_mb: 2000 },
        { ...gpu, id: DeviceId.make("gpu1"), declared: true }
      ]
    })
    assert.deepStrictEqual(
      rooms.map(({ backend, device, totalBytes }) => [device, backend, totalBytes]),
      [
        ["gpu0", "cuda", 10e9],
        ["gpu1", "cpu", 12e9],
        ["cpu", "cpu", 32e9]
      ]
    )
  })
})

describe("how fast it is expected to be", () => {
  const place = { hive: "attic", device: "gpu0" }
  const paced = (bytes: number, rate: number): Paced => ({ ...place, model: "a", bytes, rate })

  it("follows from what the device did with the model of the nearest size: every token reads the whole model", () => {
    assert.strictEqual(expectedPace([paced(4e9, 50), paced(1e9, 90)], place, 8e9), 25)
    assert.strictEqual(expectedPace([paced(4e9, 50), paced(4e9, 40)], place, 4e9), 50)
  })

  it("is not known of a device that has not answered, or only with models of quite another size", () => {
    assert.isUndefined(expectedPace([paced(4e9, 50)], { ...place, device: "cpu" }, 4e9))
    assert.isUndefined(expectedPace([paced(4e9, 50)], { ...place, hive: "cellar" }, 4e9))
    assert.isUndefined(expectedPace([paced(3e6, 200)], place, 4e9))
    assert.isUndefined(expectedPace([], place, 4e9))
  })

  it("counts answers that were decoded in one go, to an end, of models that are known", () => {
    const job: JobView = {
      job_id: JobId.make("job-1"),
      model: ModelRef.make("a"),
      state: "done",
      tokens: 101,
      failovers: 0,
      created_at: 0,
      placement: { hive: HiveId.make("attic"), device: DeviceId.make("gpu0"), losers: [] },
      timings: { first_token_ms: 500, total_ms: 2500 }
    }
    const of = (...jobs: ReadonlyArray<Partial<JobView>>) =>
      pacesOf(
        jobs.map((other) => ({ ...job, ...other })),
        new Map([["a", 4e9]])
      ).map(({ rate }) => rate)
    assert.deepStrictEqual(of({}), [50])
    const others = [
      { state: "failed" },
      { failovers: 1 },
      { tokens: 2 },
      { model: ModelRef.make("b") },
      { timings: {} },
      // read at once: it was decoded before anybody listened
      { tokens: 60, timings: { first_token_ms: 500, total_ms: 502 } }
    ] as const
    assert.deepStrictEqual(of(...others), [])
  })

  it("was, of what is loaded, what the latest of its model's answers there says", () => {
    const job = (created_at: number, total_ms: number, more: Partial<JobView> = {}): JobView => ({
      job_id: JobId.make(`job-${created_at}`),
      model: ModelRef.make("a"),
      state: "done",
      tokens: 101,
      failovers: 0,
      created_at,
      placement: { hive: HiveId.make("attic"), device: DeviceId.make("gpu0"), losers: [] },
      timings: { first_token_ms: 0, total_ms },
      ...more
    })
    const jobs = [
      job(1, 1000),
      job(3, 2000),
      job(4, 500, { state: "failed" }),
      job(5, 1, { model: ModelRef.make("b") })
    ]
    assert.strictEqual(latestPace(jobs, { ...place, model: "a" }), 50)
    assert.isUndefined(latestPace(jobs, { ...place, device: "cpu", model: "a" }))
  })
})
