/** Entries that are kept loaded. */
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { ClusterView } from "../../../src/actors/queen/cluster/cluster-view.ts"
import { keepLoaded } from "../../../src/actors/queen/models/kept-loaded.ts"
import { entriesOf, entryNamed, noEntries } from "../../../src/machines/entries/entries.ts"
import { dueAt } from "../../../src/machines/entries/kept.ts"
import { filled } from "../../../src/machines/entries/fill.ts"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import type { Fleet } from "../../../src/machines/policy/placement/fleet.ts"
import { HiveId, ModelRef, WorkerId } from "../../../src/machines/vocabulary/ids.ts"
import type { JobRequest } from "../../../src/machines/vocabulary/job.ts"
import { fleetOf, resident } from "../../support/fleet.ts"

const model = ModelRef.make("minillama")
const own = { coder: { ref: model, keep_loaded: true, slots: 2 }, other: { ref: model } }
const entriesNow = { ...noEntries, ...Either.getOrThrow(entriesOf(new Map(Object.entries(own)))) }
const pinned = (change: Partial<Parameters<Fleet["setResident"]>[0]> = {}) =>
  resident("w1", { slots: 2, free: 2, isPinned: true, ...change })

/** `load` fails with what `fails` gives; what is loaded is resident. */
const stage = (fails: (request: JobRequest) => RbeeError | undefined = () => undefined) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const view = new ClusterView(() => clock.unsafeCurrentTimeMillis())
    const fleet = fleetOf({ box: [8000] })
    Object.assign(view, { fleet })
    const asked: Array<JobRequest> = []
    const keeping = yield* keepLoaded({
      view,
      entries: Effect.succeed(entriesNow),
      settled: (request) => Effect.succeed({ ...filled(entryNamed(entriesNow, request.model), request), model }),
      load: (request) =>
        Effect.suspend(() => {
          asked.push(request)
          const error = fails(request)
          if (error !== undefined) return error
          fleet.setResident(pinned())
          return Effect.void
        })
    })
    /** so many seconds with a beat in each */
    const pass = (seconds: number) =>
      Effect.gen(function* () {
        for (let second = 0; second < seconds; second++) {
          view.hiveChanged(HiveId.make("localhost"))
          yield* TestClock.adjust(1000)
        }
      })
    return { asked, fleet, keeping, pass }
  })

describe("An entry that is kept loaded", () => {
  it.scoped("is loaded when a device is there, as it is set up, once", () =>
    Effect.gen(function* () {
      const { asked, keeping, pass } = yield* stage()
      expect(yield* keeping.kept).toMatchObject([{ name: "coder", state: "waiting" }])
      yield* pass(60)
      expect(asked).toMatchObject([{ model, max_tokens: 0, keep_warm: true, slots: 2 }])
      expect(yield* keeping.kept).toEqual([{ name: "coder", model_ref: model, state: "loaded" }])
    })
  )

  it.scoped("is loaded again when its worker is gone, and when one is there that is set up otherwise", () =>
    Effect.gen(function* () {
      const { asked, fleet, pass } = yield* stage()
      yield* pass(20)
      fleet.removeResident(WorkerId.make("w1"))
      yield* pass(20)
      expect(asked).toHaveLength(2)
      fleet.setResident(pinned({ slots: 1, free: 1, kv_type: "f16", isPinned: false }))
      yield* pass(20)
      expect(asked).toHaveLength(3)
    })
  )

  it.scoped("waits with the reason where it cannot be, and is tried again later and later", () =>
    Effect.gen(function* () {
      const { asked, fleet, keeping, pass } = yield* stage(() => rbeeError("VRAM_EXHAUSTED", "it needs 9 MB"))
      yield* pass(600)
      expect(asked.length).toBeGreaterThan(3)
      expect(asked.length).toBeLessThan(9)
      expect(yield* keeping.kept).toEqual([{ name: "coder", model_ref: model, state: "waiting", why: "it needs 9 MB" }])
      const before = asked.length
      // somebody has gone: that is worth another try
      fleet.setResident(resident("w9", { model: ModelRef.make("x") }))
      yield* pass(20)
      expect(asked).toHaveLength(before + 1)
    })
  )

  it.scoped("is left alone when somebody stops it, until it is asked", () =>
    Effect.gen(function* () {
      const { asked, fleet, keeping, pass } = yield* stage()
      // what was stopped before it was to be kept is no word about it
      keeping.letGo(model)
      yield* pass(10)
      keeping.letGo(model)
      fleet.removeResident(WorkerId.make("w1"))
      yield* pass(600)
      expect(asked).toHaveLength(1)
      expect((yield* keeping.kept)[0]?.why).toMatch(/stopped by hand/)
      fleet.setResident(pinned())
      yield* pass(5)
      fleet.removeResident(WorkerId.make("w1"))
      yield* pass(30)
      expect(asked).toHaveLength(2)
    })
  )

  it.scoped("is asked what it is for where it writes nothing", () =>
    Effect.gen(function* () {
      const { asked, pass } = yield* stage(({ embed }) =>
        embed === undefined ? rbeeError("MODEL_INVALID", "no chat", "", { purpose: "embeddings" }) : undefined
      )
      yield* pass(5)
      expect(asked.map(({ embed }) => embed)).toEqual([undefined, ["."]])
    })
  )

  it("is tried after 10 s, 20 s, 40 s, up to an hour; after 15 s at the latest where things have changed", () => {
    const after = (tries: number, around = "a") => dueAt({ tries, at: 0, why: "no", around }, "a")
    expect([1, 2, 3, 30].map((tries) => after(tries))).toEqual([10_000, 20_000, 40_000, 3_600_000])
    expect([1, 30].map((tries) => after(tries, "b"))).toEqual([10_000, 15_000])
    expect(dueAt(undefined, "a")).toBe(0)
  })
})
