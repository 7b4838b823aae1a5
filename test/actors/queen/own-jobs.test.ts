/** Whose a job is, and who may see it, cancel it, or come by it with a key. */
import { assert, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { keyOf, mayAsk, onlyOwn, ownerOf, sees } from "../../../src/actors/queen/log/own-jobs.ts"
import { scopeOf } from "../../../src/layers/keys/index.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import { Call } from "../../../src/protocol/endpoint.ts"
import { accountOf, type Caller, holder, local } from "../../../src/protocol/rights.ts"
import { makeWorld } from "../../support/queen/world.ts"

const anna: Caller = { name: "anna", may: new Set(["open", "infer"]) }
const watcher: Caller = { name: "watcher", may: new Set(["open", "observe"]) }
const session = { session: { id: "s", teardown: "cold", woke_queen: false } } as const
const plain = { model: "minillama", prompt: "hello" } as const

const as = (caller: Caller | undefined) =>
  Effect.provideService(Call, { correlationId: undefined, deadline: undefined, caller })

describe("A job", () => {
  it("belongs to the name that asked, unless that may see everybody's or is this very process", () => {
    assert.deepStrictEqual([anna, local, holder, undefined].map(ownerOf), [
      { owner: "anna" },
      { owner: "local" },
      {},
      {}
    ])
  })

  it("is seen by its owner and by who may observe, and by no other name", () => {
    const whoSees = (owner: string | undefined) =>
      [anna, local, watcher, holder, undefined].map((who) => sees(who, { owner }))
    assert.deepStrictEqual(whoSees("anna"), [true, false, true, true, true])
    assert.deepStrictEqual(whoSees(undefined), [false, false, true, true, true])
  })

  it.effect("of another name is not there: the same failure as of one that never was", () =>
    Effect.gen(function* () {
      const log = Effect.succeed({ facts: () => ({ owner: "anna" }) })
      assert.deepStrictEqual((yield* onlyOwn("job-1", log).pipe(as(anna))).facts(), { owner: "anna" })
      expect(yield* Effect.flip(onlyOwn("job-1", log).pipe(as(local)))).toMatchObject({
        code: "JOB_NOT_FOUND",
        what: "there is no job job-1"
      })
    })
  )

  it.scoped("is listed for its owner, told to nobody else, and cancelled by nobody else", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      hive.script = () => ({ holdAt: 1 })
      const reader = yield* job().pipe(as(anna))
      yield* reader.until(({ event }) => event === "token")
      const id = JobId.make(reader.id)
      const listedFor = (caller: Caller | undefined) =>
        Effect.map(api.listJobs({}).pipe(as(caller)), (jobs) => jobs.length)
      assert.deepStrictEqual(yield* Effect.forEach([anna, local, watcher, undefined], listedFor), [1, 0, 1, 1])
      expect(yield* Effect.flip(api.getJob({ id }).pipe(as(local)))).toMatchObject({ code: "JOB_NOT_FOUND" })
      expect(yield* Effect.flip(api.cancelJob({ id }).pipe(as(local)))).toMatchObject({ code: "JOB_NOT_FOUND" })
      yield* api.cancelJob({ id }).pipe(as(anna))
      assert.strictEqual((yield* reader.ended).event, "cancelled")
    })
  )
})

describe("Removing a job", () => {
  it.scoped("is for one that has ended: nothing is left of it, nor of what hives keep for who asked", () =>
    Effect.gen(function* () {
      const { api, hive, job, queen } = yield* makeWorld()
      hive.script = () => ({ holdAt: 1 })
      const reader = yield* job().pipe(as(anna))
      yield* reader.until(({ event }) => event === "token")
      const id = JobId.make(reader.id)
      const removed = api.removeJob({ id })
      expect(yield* Effect.flip(removed.pipe(as(anna)))).toMatchObject({ code: "CONFLICT" })
      yield* api.cancelJob({ id }).pipe(as(anna))
      expect(yield* Effect.flip(removed.pipe(as(local)))).toMatchObject({ code: "JOB_NOT_FOUND" })
      assert.deepStrictEqual(hive.cleared, [])
      assert.deepStrictEqual(yield* removed.pipe(as(anna)), { not_asked: [] })
      assert.deepStrictEqual(hive.cleared, [scopeOf(accountOf(anna), queen.id)])
      expect(yield* Effect.flip(api.getJob({ id }).pipe(as(anna)))).toMatchObject({ code: "JOB_NOT_FOUND" })
      expect(yield* Effect.flip(removed.pipe(as(anna)))).toMatchObject({ code: "JOB_NOT_FOUND" })
      assert.deepStrictEqual(yield* api.listJobs({}).pipe(as(undefined)), [])
    })
  )
})

describe("Removing a job of a hive that does not run", () => {
  it.scoped("names the hive, which keeps what it has", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      const reader = yield* job()
      yield* reader.ended
      hive.kill()
      const { not_asked } = yield* api.removeJob({ id: JobId.make(reader.id) })
      assert.deepStrictEqual(not_asked.map(String), ["localhost"])
      assert.deepStrictEqual(hive.cleared, [])
    })
  )
})

describe("A key", () => {
  it("is one name's own, and everybody's who may see all jobs; without one there is none", () => {
    assert.deepStrictEqual(
      [anna, holder, undefined].map((who) => keyOf(who, "k")),
      ["anna\nk", "k", "k"]
    )
    assert.deepStrictEqual(
      [anna, holder, undefined].map((who) => keyOf(who, undefined)),
      [undefined, undefined, undefined]
    )
  })
})

describe("A session", () => {
  it.effect("is for who may manage, since it ends what it woke; the refusal names the field", () =>
    Effect.gen(function* () {
      for (const who of [holder, undefined]) yield* mayAsk(who, { ...plain, ...session })
      yield* mayAsk(anna, plain)
      expect(yield* Effect.flip(mayAsk(anna, { ...plain, ...session }))).toMatchObject({
        code: "FORBIDDEN",
        details: { field: "session" }
      })
    })
  )
})
