/** The models of a cluster under a queen: what her operator's calls ask of which hive. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readEvents } from "../../../src/protocol/sse.ts"
import { modelDetails } from "../../../src/main/cli/views.ts"
import { modelsTable } from "../../../src/main/cli/finding/models-table.ts"
import { makeStores, makeWorld } from "../../support/queen/world.ts"
import { JobId, HiveId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const pulled = (model_ref: string) =>
  Effect.gen(function* () {
    const world = yield* makeWorld()
    const { events, hive, provision_id } = yield* world.api.pullModel({ model_ref })
    expect(events).toBe(`/hives/${hive}/provisions/${provision_id}/events`)
    const seen: Array<string> = []
    const feed = yield* world.api.pullEvents({ hive, id: provision_id })
    yield* Effect.raceFirst(
      readEvents(feed, ({ event }) => void seen.push(event)),
      Effect.repeat(Effect.yieldNow(), { until: () => seen.includes("ready") })
    )
    return world
  })

describe("Models of the cluster", () => {
  it.scoped("a pull wakes a hive, and is read to its end through the queen", () =>
    Effect.gen(function* () {
      const { api, hive } = yield* pulled("hf:acme/tiny:q8_0")
      expect(hive.running).toBe(true)
      expect(yield* api.listModels({})).toMatchObject([{ model_ref: "HF:acme/tiny:Q8_0", hive: "localhost" }])
    })
  )

  it.scoped("are pinned, unpinned and removed wherever they are, by any spelling of their reference", () =>
    Effect.gen(function* () {
      const { api } = yield* pulled("HF:acme/tiny:Q8_0")
      yield* api.pinModel({ ref: "hf:acme/tiny:q8_0", pinned: true })
      expect(yield* api.listModels({})).toMatchObject([{ pinned: true }])
      expect(yield* api.collectModels({ max_mb: 0, last_copies: true })).toMatchObject({
        removed: [],
        kept: [{ because: "it is pinned" }]
      })
      yield* api.pinModel({ ref: "hf:acme/tiny:q8_0", pinned: false, hive: HiveId.make("localhost") })
      yield* api.removeModel({ ref: "hf:acme/tiny:q8_0" })
      expect(yield* api.listModels({})).toEqual([])
      expect(yield* Effect.flip(api.removeModel({ ref: "HF:acme/tiny:Q8_0" }))).toMatchObject({
        code: "MODEL_NOT_FOUND"
      })
    })
  )

  it.scoped("of the hub are not fetched twice because their name is written in another case", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* pulled("HF:Acme/Tiny:Q8_0")
      expect(yield* api.pullModel({ model_ref: "hf:acme/tiny:q8_0" })).toMatchObject({
        model_ref: "HF:Acme/Tiny:Q8_0"
      })
      const { ended } = yield* job({ model: "hf.co/acme/TINY:Q8_0" })
      expect((yield* ended).event).toBe("done")
      expect([...hive.models]).toEqual(["HF:Acme/Tiny:Q8_0"])
      expect([...hive.workers.values()].map(({ model }) => model)).toEqual(["HF:Acme/Tiny:Q8_0"])
    })
  )

  it.scoped("are asked for, planned and shown by the name of their file or repository", () =>
    Effect.gen(function* () {
      const { api, job } = yield* pulled("HF:acme/tiny-GGUF:Q8_0")
      expect(yield* api.plan({ model: "tiny" })).toMatchObject({ model: "HF:acme/tiny-GGUF:Q8_0" })
      expect(yield* api.v1Model({ ref: "Tiny-Q8_0" })).toMatchObject({ id: "HF:acme/tiny-GGUF:Q8_0" })
      const { ended, id } = yield* job({ model: "tiny:q8_0" })
      expect((yield* ended).event).toBe("done")
      expect(yield* api.getJob({ id: JobId.make(id) })).toMatchObject({ model: "HF:acme/tiny-GGUF:Q8_0" })
    })
  )

  it.scoped("that several fit are refused with their references, and what nobody has as before", () =>
    Effect.gen(function* () {
      const { api, hive } = yield* pulled("HF:acme/tiny:Q8_0")
      hive.models.add("HF:acme/tiny:Q4_0")
      expect(yield* Effect.flip(api.submitJob({ model: "tiny", prompt: "x" }))).toMatchObject({
        code: "INVALID_REQUEST",
        what: "several models are called so: HF:acme/tiny:Q8_0, HF:acme/tiny:Q4_0"
      })
      expect(yield* Effect.flip(api.submitJob({ model: "gpt-4", prompt: "x" }))).toMatchObject({
        code: "INVALID_REQUEST"
      })
    })
  )

  it.scoped("of the queen's own machine are known by name while its hive sleeps", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      stores.onDisk.push({
        model_ref: ModelRef.make("HF:Acme/Tiny:Q8_0"),
        hive: HiveId.make("localhost"),
        file: "/cache/tiny-Q8_0.gguf",
        bytes: 3_300_000,
        pinned: false,
        owned: true,
        in_use: false
      })
      const { api, job } = yield* makeWorld({ stores })
      expect(yield* api.listModels({})).toEqual(stores.onDisk)
      expect(yield* api.showModel({ ref: "tiny" })).toEqual(stores.onDisk)
      expect(yield* Effect.flip(api.removeModel({ ref: "tiny" }))).toMatchObject({
        message: expect.stringContaining("rbee hives start localhost")
      })
      expect((yield* api.collectModels({ max_mb: 0, last_copies: true })).removed).toEqual([])
      for (const model of ["tiny-q8_0", "hf:acme/tiny:Q8_0"]) {
        yield* (yield* job({ model })).ended
      }
      expect([...stores.hive.models]).toEqual(["HF:Acme/Tiny:Q8_0"])
    })
  )

  it.scoped("give way to a size, and to a dry run only in words", () =>
    Effect.gen(function* () {
      const { api } = yield* pulled("HF:acme/tiny:Q8_0")
      const plan = yield* api.collectModels({ max_mb: 0, last_copies: true, dry_run: true })
      expect(plan.removed).toEqual([{ model_ref: "HF:acme/tiny:Q8_0", hive: "localhost", bytes: 3_300_000 }])
      expect(yield* api.listModels({})).toHaveLength(1)
      expect(yield* api.collectModels({ max_mb: 0 })).toMatchObject({
        kept: [{ because: "it is the last copy in the cluster" }]
      })
      expect(yield* api.collectModels({ max_mb: 0, last_copies: true })).toEqual(plan)
      expect(yield* api.listModels({})).toEqual([])
    })
  )

  it.scoped(
    "two that make room at the same time do it one after the other: the second finds done what the first did",
    () =>
      Effect.gen(function* () {
        const { api } = yield* pulled("HF:acme/tiny:Q8_0")
        const collect = api.collectModels({ max_mb: 0, last_copies: true })
        const [first, second] = yield* Effect.all([collect, collect], { concurrency: "unbounded" })
        expect(first).toMatchObject({ removed: [{ model_ref: "HF:acme/tiny:Q8_0" }], kept: [] })
        expect(second).toEqual({ removed: [], kept: [] })
      })
  )

  it.scoped(
    "that no device could load are listed with where they are not tried, until they are to be tried again",
    () =>
      Effect.gen(function* () {
        const model = "HF:acme/tiny:Q8_0"
        const { api, hive, job } = yield* pulled(model)
        expect(modelsTable(yield* api.listModels({}))).not.toContain("NOT ON")
        hive.deadly.add(model)
        expect((yield* (yield* job({ model })).ended).data).toMatchObject({ code: "MODEL_INVALID" })
        const [head, row] = modelsTable(yield* api.listModels({})).split("\n")
        expect(head).toMatch(/ NOT ON +FILE$/)
        expect(row).toMatch(/ CPU +\/models\/HF:acme\/tiny:Q8_0\.gguf$/)
        const [shown] = yield* api.listModels({})
        if (shown === undefined) return yield* Effect.dieMessage("no model")
        expect(modelDetails(shown)).toMatch(/^not on CPU: +.+ \(engine .+; `rbee models retry` tries it again\)$/m)
        hive.deadly.delete(model)
        const starts = () => hive.calls.filter((call) => call === "startWorker").length
        const before = starts()
        expect((yield* (yield* job({ model })).ended).data).toMatchObject({ code: "MODEL_INVALID" })
        expect(starts()).toBe(before)
        yield* api.retryModel({ ref: "acme/TINY:q8_0" })
        expect(modelsTable(yield* api.listModels({}))).not.toContain("NOT ON")
        expect((yield* (yield* job({ model })).ended).event).toBe("done")
      })
  )

  it.scoped("what is no reference, and a hive that does not run, are refused", () =>
    Effect.gen(function* () {
      const { api } = yield* makeWorld()
      expect(yield* Effect.flip(api.pullModel({ model_ref: "HF:../x" }))).toMatchObject({ code: "INVALID_REQUEST" })
      expect(yield* Effect.flip(api.pullModel({ model_ref: "minillama", hive: HiveId.make("attic") }))).toMatchObject({
        code: "HIVE_NOT_FOUND"
      })
    })
  )
})
