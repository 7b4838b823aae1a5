/** A prompt that cannot fit is refused by what the hives know of its model, before it is a job. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeWorld } from "../../support/queen/world.ts"

/** The queen, and a hive that runs and has the model. */
const withModel = (vocabulary: { readonly context?: number; readonly token_bytes?: number }) =>
  Effect.gen(function* () {
    const world = yield* makeWorld()
    yield* (yield* world.job()).ended
    world.hive.vocabulary = vocabulary
    return world
  })

const large = "a".repeat(200_000)
const overflow = {
  code: "INVALID_REQUEST",
  what: expect.stringContaining("the maximum context length is 512 tokens, and the prompt has 200000 bytes"),
  details: { prompt_bytes: 200_000, prompt_tokens: 12_500, token_bytes: 16, context: 512 }
}

describe("A prompt of more bytes than its model's context can stand for", () => {
  it.scoped("is refused as a job, and leaves none behind", () =>
    Effect.gen(function* () {
      const { api, stores } = yield* withModel({ context: 512, token_bytes: 16 })
      expect(yield* Effect.flip(api.submitJob({ model: "minillama", prompt: large }))).toMatchObject(overflow)
      expect(stores.journal.jobs.size).toBe(1)
      expect(yield* api.listJobs({})).toHaveLength(1)
    })
  )

  it.scoped("is refused as a chat completion, all its messages together", () =>
    Effect.gen(function* () {
      const { api, stores } = yield* withModel({ context: 512, token_bytes: 16 })
      const half = { role: "user", content: large.slice(100_000) }
      const messages = [half, { role: "assistant", content: "" }, half]
      expect(yield* Effect.flip(api.v1Chat({ model: "minillama", messages }))).toMatchObject(overflow)
      expect(stores.journal.jobs.size).toBe(1)
    })
  )

  it.scoped("counts its tools and their schemas, where the model may call them", () =>
    Effect.gen(function* () {
      const { job } = yield* withModel({ context: 512, token_bytes: 200 })
      const parameters = { type: "object", properties: { ["k".repeat(20_000)]: { description: "d".repeat(60_000) } } }
      const tools = [{ name: "f".repeat(200), description: "a".repeat(50_000), parameters }]
      const error = yield* Effect.flip(job({ prompt: "hello", tools }))
      expect(Number(error.details["prompt_bytes"])).toBeGreaterThan(130_000)
      expect((yield* (yield* job({ prompt: "hello", tools, tool_choice: "none" })).ended).event).toBe("done")
    })
  )

  it.scoped("counts bytes, not characters", () =>
    Effect.gen(function* () {
      const { job } = yield* withModel({ context: 512, token_bytes: 200 })
      expect((yield* (yield* job({ prompt: "a".repeat(70_000) })).ended).event).toBe("done")
      expect(yield* Effect.flip(job({ prompt: "€".repeat(70_000) }))).toMatchObject({
        details: { prompt_bytes: 210_000 }
      })
    })
  )
})

describe("A long prompt is left to the worker", () => {
  const served = (vocabulary: { readonly context?: number; readonly token_bytes?: number }) =>
    Effect.gen(function* () {
      const { job } = yield* withModel(vocabulary)
      expect((yield* (yield* job({ prompt: large })).ended).event).toBe("done")
    })

  it.scoped("where it may fit", () => served({ context: 12_501, token_bytes: 16 }))
  it.scoped("where nobody knows how long a token may be", () => served({ context: 512 }))
  it.scoped("where nobody knows the model", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* makeWorld()
      hive.vocabulary = { context: 512, token_bytes: 16 }
      expect((yield* (yield* job({ prompt: large })).ended).event).toBe("done")
    })
  )
  it.scoped("where the hive that has the model does not answer", () =>
    Effect.gen(function* () {
      const { api, hive } = yield* withModel({ context: 512, token_bytes: 16 })
      hive.isCutOff = true
      expect(yield* api.submitJob({ model: "minillama", prompt: large })).toHaveProperty("job_id")
      // a surface's call may be interrupted at any time, and so may what it waits for
      const messages = [{ role: "user", content: large }]
      expect(yield* api.v1Chat({ model: "minillama", messages, stream: true })).toHaveProperty("_tag", "Events")
    })
  )
})
