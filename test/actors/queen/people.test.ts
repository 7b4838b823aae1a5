/** Keys of people: what each may, what it has left, and what its jobs cost, whatever happens to them. */
import { assert, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Struct from "effect/Struct"
import * as TestClock from "effect/TestClock"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import { KeyName, type KeyRequest, type KeyView } from "../../../src/machines/vocabulary/people/key.ts"
import { Call } from "../../../src/protocol/endpoint.ts"
import { keyCaller, local } from "../../../src/protocol/rights.ts"
import { makeStores, makeWorld, type QueenWorld } from "../../support/queen/world.ts"

const ada = KeyName.make("ada")

const as = (key: KeyView) =>
  Effect.provideService(Call, { correlationId: undefined, deadline: undefined, caller: keyCaller(key) })

const keyIn = ({ api }: QueenWorld, request: Partial<KeyRequest> = {}): Effect.Effect<KeyView> =>
  Effect.orDie(Effect.map(api.addKey({ name: ada, ...request }), (made) => Struct.omit(made, "key")))

const usedBy = ({ api }: QueenWorld, key: KeyView) =>
  Effect.map(api.usage({}).pipe(as(key)), ({ keys }) => {
    assert.deepStrictEqual(
      keys.map((one) => one.key),
      [key.name]
    )
    return keys[0]
  })

describe("A key", () => {
  it.scoped("is told once, and kept by its digest alone", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      const { api } = yield* makeWorld({ stores })
      const made = yield* api.addKey({ name: ada, tokens_per_day: 10 })
      assert.match(made.key, /^rbk_[0-9a-f]{64}$/)
      assert.notInclude(JSON.stringify([yield* api.listKeys({}), ...stores.catalog.keys.values()]), made.key)
      expect(yield* api.listKeys({})).toMatchObject([{ name: "ada", scopes: ["infer"], weight: 1, tokens_per_day: 10 }])
      expect(yield* Effect.flip(api.addKey({ name: ada }))).toMatchObject({ code: "CONFLICT" })
      for (const name of ["local", "admin", "Token"])
        expect(yield* Effect.flip(api.addKey({ name: KeyName.make(name) }))).toMatchObject({ code: "INVALID_REQUEST" })
    })
  )

  it.scoped("gives nobody a right that it has not itself", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const key = yield* keyIn(world, { scopes: ["manage"] })
      const add = (scopes: NonNullable<KeyRequest["scopes"]>) =>
        world.api.addKey({ name: KeyName.make("ben"), scopes }).pipe(as(key))
      expect(yield* Effect.flip(add(["manage", "observe"]))).toMatchObject({ code: "FORBIDDEN" })
      expect(yield* add(["manage"])).toMatchObject({ created_by: "key ada" })
    })
  )

  it.scoped("asks the models that it may, by whatever name, and no others", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const key = yield* keyIn(world, { models: ["minillama"] })
      yield* (yield* world.job().pipe(as(key))).ended
      expect(yield* Effect.flip(world.job({ model: "HF:author/other" }).pipe(as(key)))).toMatchObject({
        code: "FORBIDDEN",
        details: { field: "model", models: ["minillama"] }
      })
    })
  )

  it.scoped("is shown the models that it may ask, over each client's interface", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      world.hive.models.add("HF:author/other")
      yield* (yield* world.job()).ended
      const key = yield* keyIn(world, { models: ["HF:author/other"] })
      const { ollamaTags, v1Models } = world.api
      const list = Effect.map(v1Models({}), ({ data }) => data.map(({ id }) => id))
      const tags = Effect.map(ollamaTags({}), ({ models }) => models.map(({ name }) => name))
      const all = yield* Effect.all([list, tags])
      expect(all.map((names) => names.length)).toEqual([2, 2])
      const own = yield* Effect.all([list, tags]).pipe(as(key))
      expect(own.map((names) => names.length)).toEqual([1, 1])
      expect(own[0]).toEqual(["HF:author/other"])
    })
  )

  it.scoped("has as many jobs at once as it may, and hears how many those are", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const key = yield* keyIn(world, { concurrent: 1 })
      world.hive.script = () => ({ holdAt: 1 })
      const running = yield* world.job().pipe(as(key))
      expect(yield* Effect.flip(world.job().pipe(as(key)))).toMatchObject({
        code: "LIMIT_REACHED",
        status: 429,
        details: { limit: "concurrent", max: 1, used: 1, left: 0, retry_after_s: 1 }
      })
      // of others it is no matter
      yield* world
        .job()
        .pipe(Effect.provideService(Call, { correlationId: undefined, deadline: undefined, caller: local }))
      yield* world.api.cancelJob({ id: JobId.make(running.id) }).pipe(as(key))
      yield* world.job().pipe(as(key))
    })
  )

  it.scoped("fills the line for itself alone: another one is taken in, to an equal part of it", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld({
        settings: (settings) => ({ ...settings, queen: { ...settings.queen, queueMax: 4 } })
      })
      const greedy = yield* keyIn(world)
      const ben = yield* keyIn(world, { name: KeyName.make("ben") })
      world.hive.script = () => ({ holdAt: 1 })
      const askAll = (key: KeyView) =>
        Effect.iterate(0, {
          while: (taken) => taken < 20,
          body: (taken) => Effect.as(world.job().pipe(as(key), Effect.zipLeft(TestClock.adjust("1 second"))), taken + 1)
        }).pipe(Effect.flip)
      const waiting = (key: KeyView) =>
        Effect.map(
          world.api.listJobs({}).pipe(as(key)),
          (jobs) => jobs.filter(({ position }) => position !== undefined).length
        )
      expect(yield* askAll(greedy)).toMatchObject({ code: "QUEUE_FULL" })
      expect(yield* askAll(ben)).toMatchObject({ code: "QUEUE_FULL" })
      // two of the former are back in it: the latter had the slots instead
      expect([yield* waiting(greedy), yield* waiting(ben)]).toEqual([4 + 2, 2])
    })
  )

  it.scoped("finishes the answer by which it has used its tokens, and has others with the queen's next day", () =>
    Effect.gen(function* () {
      // before anything runs by it
      yield* TestClock.setTime(new Date(2026, 5, 1, 23, 59, 30).getTime())
      const world = yield* makeWorld()
      const key = yield* keyIn(world, { tokens_per_day: 6 })
      assert.strictEqual((yield* (yield* world.job().pipe(as(key))).ended).event, "done")
      // 3 of the prompt, 5 of the answer
      expect(yield* Effect.flip(world.job().pipe(as(key)))).toMatchObject({
        code: "LIMIT_REACHED",
        details: { limit: "tokens_per_day", max: 6, used: 8, left: 0, retry_after_s: 30 }
      })
      expect(yield* usedBy(world, key)).toMatchObject({ tokens_per_day: { max: 6, left: 0 } })
      yield* TestClock.setTime(new Date(2026, 5, 2).getTime())
      assert.strictEqual((yield* (yield* world.job().pipe(as(key))).ended).event, "done")
      expect(yield* usedBy(world, key)).toMatchObject({
        days: [
          { day: "2026-06-02", jobs: 1, prompt_tokens: 3, completion_tokens: 5 },
          { day: "2026-06-01", jobs: 1, prompt_tokens: 3, completion_tokens: 5 }
        ]
      })
    })
  )

  it.scoped("gets the same job for the same Idempotency-Key, also when it has none left", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const key = yield* keyIn(world, { tokens_per_day: 1 })
      const request = { model: "minillama", prompt: "hello", idempotency_key: "one" } as const
      const { job_id } = yield* world.api.submitJob(request).pipe(as(key))
      yield* (yield* world.read(job_id)).ended
      assert.strictEqual((yield* world.api.submitJob(request).pipe(as(key))).job_id, job_id)
      const other = { ...request, idempotency_key: "two" }
      expect(yield* Effect.flip(world.api.submitJob(other).pipe(as(key)))).toMatchObject({ code: "LIMIT_REACHED" })
      assert.lengthOf(yield* world.api.listJobs({}), 1)
    })
  )

  it.scoped("that is revoked is told to what it has under way, which ends, and to nobody else's", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const key = yield* keyIn(world)
      world.hive.script = () => ({ holdAt: 1 })
      const own = yield* world.job().pipe(as(key))
      const others = yield* world.job()
      yield* own.until(({ event }) => event === "token")
      assert.deepStrictEqual(yield* world.api.revokeKey({ name: ada }), { name: ada, ended: 1 })
      expect(yield* own.ended).toMatchObject({ event: "error", data: { code: "INVALID_API_KEY" } })
      expect(yield* Effect.flip(world.api.revokeKey({ name: ada }))).toMatchObject({ code: "NOT_FOUND" })
      assert.isUndefined(others.events.find(({ event }) => event === "error"))
      // what hives keep of its conversations is deleted, and of nobody else's
      const [first] = [...world.hive.workers.values()].flatMap(({ asked }) => asked)
      assert.isDefined(first?.scope)
      assert.deepStrictEqual(world.hive.cleared, [first?.scope])
      // a new key of that name goes on with what the old one has used
      expect(yield* usedBy(world, yield* keyIn(world))).toMatchObject({ days: [{ jobs: 1, completion_tokens: 1 }] })
    })
  )
})

describe("What a job costs", () => {
  it.scoped("is counted while it runs, and once at its end", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const key = yield* keyIn(world)
      world.hive.script = () => ({ holdAt: 2 })
      const reader = yield* world.job().pipe(as(key))
      yield* reader.until(({ data, event }) => event === "token" && data["i"] === 1)
      expect(yield* usedBy(world, key)).toMatchObject({ running: 1, days: [{ jobs: 1, completion_tokens: 2 }] })
      yield* world.api.cancelJob({ id: JobId.make(reader.id) }).pipe(as(key))
      expect(yield* usedBy(world, key)).toMatchObject({ running: 0, days: [{ jobs: 1, completion_tokens: 2 }] })
    })
  )

  it.scoped("is that of an undisturbed one where its worker died in the middle", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld()
      const key = yield* keyIn(world)
      world.hive.script = () => ({ holdAt: 3 })
      const reader = yield* world.job().pipe(as(key))
      yield* reader.until(({ data, event }) => event === "token" && data["i"] === 2)
      const [worker] = world.hive.workers.values()
      if (worker === undefined) throw new Error("no worker")
      world.hive.script = () => ({})
      worker.crash()
      world.hive.restart(worker)
      assert.strictEqual((yield* reader.ended).event, "done")
      expect(yield* usedBy(world, key)).toMatchObject({
        days: [{ jobs: 1, prompt_tokens: 3, completion_tokens: 5 }]
      })
    })
  )

  it.scoped.each([{ stream: true }, { stream: false }])(
    "is that of an undisturbed one where its queen died: %o",
    ({ stream }) =>
      Effect.gen(function* () {
        const stores = makeStores()
        const first = yield* makeWorld({ stores })
        const key = yield* keyIn(first)
        stores.hive.script = () => ({ holdAt: 3 })
        const reader = yield* first.job({ stream }).pipe(as(key))
        yield* reader.until(({ data }) => data["human"] === "connection to worker established; starting inference")
        if (stream) yield* reader.until(({ data, event }) => event === "token" && data["i"] === 2)
        yield* first.crash
        stores.hive.script = () => ({})
        const next = yield* makeWorld({ stores })
        yield* (yield* next.read(reader.id)).ended
        expect(yield* usedBy(next, key)).toMatchObject({
          running: 0,
          days: [{ jobs: 1, prompt_tokens: 3, completion_tokens: 5 }]
        })
        // and stays so when the jobs themselves are forgotten
        stores.journal.jobs.clear()
        expect(yield* usedBy(yield* makeWorld({ stores }), key)).toMatchObject({ days: [{ completion_tokens: 5 }] })
      })
  )
})

describe("What operators did", () => {
  it.scoped("is told newest first, with who it was and how it ended, and no secret among it", () =>
    Effect.gen(function* () {
      const stores = makeStores()
      const world = yield* makeWorld({ stores })
      const key = yield* keyIn(world, { scopes: ["manage"] })
      yield* Effect.flip(world.api.revokeKey({ name: KeyName.make("nobody") })).pipe(as(key))
      yield* Effect.exit(world.api.unlockKey({ file: "/home/me/.ssh/id", passphrase: "hunter2" }))
      yield* world.api.listKeys({})
      expect((yield* world.api.audit({})).map((entry) => Struct.omit(entry, "at"))).toEqual([
        { id: 3, who: "token", what: "unlockKey", outcome: expect.any(String) },
        { id: 2, who: "key ada", what: "revokeKey", about: "nobody", outcome: "NOT_FOUND" },
        { id: 1, who: "token", what: "addKey", about: "ada", outcome: "ok" }
      ])
      assert.notInclude(JSON.stringify(stores.catalog.audit), "hunter2")
      assert.lengthOf(yield* world.api.audit({ limit: 1 }), 1)
    })
  )
})
