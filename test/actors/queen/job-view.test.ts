/** What a job is refused for before it begins, and what its page says while it lives and after. */
import { assert, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { checkJobRequest } from "../../../src/actors/queen/jobs/jobs.ts"
import type { JobRequest } from "../../../src/machines/vocabulary/job.ts"
import { DeviceId, JobId } from "../../../src/machines/vocabulary/ids.ts"
import { Call } from "../../../src/protocol/endpoint.ts"
import { type Caller, holder, local } from "../../../src/protocol/rights.ts"
import { makeWorld } from "../../support/queen/world.ts"

const prompt = "hello"

const refusalOf = (request: Partial<JobRequest>) => {
  const checked = checkJobRequest({ model: "minillama", ...request })
  return Either.isLeft(checked) ? [checked.left.code, checked.left.details["field"]] : undefined
}

describe("A request is refused", () => {
  it.each<[string, Partial<JobRequest>, string]>([
    ["without a prompt and without messages", {}, "prompt"],
    ["with both of them", { prompt, messages: [{ role: "user", content: "hello" }] }, "prompt"],
    ["raw and without a text", { raw: true, messages: [{ role: "user", content: "hello" }] }, "raw"],
    ["of tokens that are not raw", { tokens: [1] }, "raw"],
    ["of tokens with a suffix", { tokens: [1], raw: true, suffix: "}" }, "suffix"],
    ["of tokens and a text", { tokens: [1], prompt, raw: true }, "prompt"],
    ["raw and to keep to a schema", { prompt, raw: true, response_format: { type: "json_object" } }, "response_format"],
    ["raw and to think", { prompt, raw: true, reasoning: { effort: "low" } }, "reasoning"],
    ["raw and with tools", { prompt, raw: true, tools: [{ name: "f" }] }, "tools"],
    ["with a suffix that follows a chat", { prompt, suffix: "}" }, "suffix"],
    ["with a deadline that is no time", { prompt, deadline: "tomorrow" }, "deadline"],
    [
      "that asks for the CPU and allows none, however it is spelt",
      { prompt, device: DeviceId.make("CPU"), allow_cpu: false },
      "allow_cpu"
    ]
  ])("%s, by the name of the field", (_, request, field) => {
    assert.deepStrictEqual(refusalOf(request), ["INVALID_REQUEST", field])
  })

  it.each<[string, Partial<JobRequest>]>([
    ["messages in place of a prompt", { messages: [{ role: "user", content: "hi" }] }],
    ["a deadline that is a time", { prompt, deadline: "2026-01-31T12:00:00Z" }],
    ["the CPU where nothing is said against it", { prompt, device: DeviceId.make("cpu") }],
    ["the CPU where it is allowed", { prompt, device: DeviceId.make("cpu"), allow_cpu: true }],
    ["a raw text without tools and thoughts", { prompt, raw: true, tools: [], reasoning: "off" }],
    ["tokens that are read as they are", { tokens: [1, 2], raw: true }],
    ["a middle with nothing before it", { prompt: "", raw: true, suffix: "}" }],
    ["a GPU where the CPU is not allowed", { prompt, device: DeviceId.make("gpu0"), allow_cpu: false }]
  ])("not for %s", (_, request) => {
    assert.isUndefined(refusalOf(request))
  })
})

describe("The page of a job", () => {
  it.scoped(
    "says of one that is done where it ran, on which worker, and what it used; not that it waits or failed",
    () =>
      Effect.gen(function* () {
        const { api, hive, job } = yield* makeWorld()
        const reader = yield* job()
        yield* reader.ended
        const [worker] = hive.workers.values()
        const view = yield* api.getJob({ id: JobId.make(reader.id) })
        expect(view).toMatchObject({
          job_id: reader.id,
          model: "minillama",
          state: "done",
          tokens: 5,
          failovers: 0,
          finish_reason: "stop",
          usage: { prompt_tokens: 3, completion_tokens: 5 },
          placement: { hive: "localhost", device: "cpu", worker: worker?.id }
        })
        for (const name of ["position", "error", "continued"]) assert.notProperty(view, name)
      })
  )

  it.scoped("says whom it is charged to", () =>
    Effect.gen(function* () {
      const { api, job } = yield* makeWorld()
      const chargedTo = (caller: Caller) =>
        Effect.gen(function* () {
          const reader = yield* job().pipe(
            Effect.provideService(Call, { correlationId: undefined, deadline: undefined, caller })
          )
          yield* reader.ended
          return (yield* api.getJob({ id: JobId.make(reader.id) })).key
        })
      assert.deepStrictEqual(yield* Effect.forEach([local, holder], chargedTo), ["local", "admin"])
    })
  )

  it.scoped("says while it runs how far it is, and of what it used nothing yet", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.script = () => ({ holdAt: 3 })
      const reader = yield* job()
      yield* reader.until(({ event, data }) => event === "token" && data["i"] === 2)
      const view = yield* api.getJob({ id: JobId.make(reader.id) })
      expect(view).toMatchObject({ state: "streaming", tokens: 3 })
      for (const name of ["usage", "finish_reason", "error", "position"]) assert.notProperty(view, name)
    })
  )

  it.scoped("says of one that failed why, with the amounts, and not the status a hive answered with", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.gpus = [
        { id: DeviceId.make("gpu0"), name: "RTX 3060", backend: "cuda", vram_mb: 12_000, vram_free_mb: 12_000 }
      ]
      hive.full.set("gpu0", 500)
      const reader = yield* job({ allow_cpu: false })
      yield* reader.ended
      const view = yield* api.getJob({ id: JobId.make(reader.id) })
      expect(view).toMatchObject({
        state: "failed",
        error: { code: "VRAM_EXHAUSTED", details: { needed_mb: 5000, available_mb: 500, status: 507 } }
      })
      assert.notProperty(view, "usage")
    })
  )

  it.scoped("says whose end came first: to cancel what is done is a conflict, by its name and state", () =>
    Effect.gen(function* () {
      const { api, job } = yield* makeWorld()
      const reader = yield* job()
      yield* reader.ended
      expect(yield* Effect.flip(api.cancelJob({ id: JobId.make(reader.id) }))).toMatchObject({
        code: "CONFLICT",
        details: { job_id: reader.id, state: "done" }
      })
    })
  )
})

describe("A full queue", () => {
  it.scoped("refuses with how many may wait and when to come again, and keeps nothing of whom it refused", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld({
        settings: (settings) => ({ ...settings, queen: { ...settings.queen, queueMax: 1 } })
      })
      hive.slots = 1
      hive.script = () => ({ holdAt: 2 })
      const first = yield* job()
      yield* first.until(({ event }) => event === "token")
      const second = yield* job()
      yield* second.saw("job queued at position 1")
      expect(yield* Effect.flip(job())).toMatchObject({
        code: "QUEUE_FULL",
        details: { queue_max: 1, retry_after_s: 1 }
      })
      const jobs = yield* api.listJobs({})
      expect(jobs.map(({ job_id }) => job_id).toSorted()).toEqual([first.id, second.id].toSorted())
    })
  )
})
