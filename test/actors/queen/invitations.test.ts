/** Invitations of hives: for one name, once, within the hour. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { invitationMs, Invitations } from "../../../src/actors/queen/hives/elsewhere/invitations.ts"
import { Ids } from "../../../src/layers/ids/index.ts"
import { layerMemory, MemoryCatalog } from "../../../src/layers/queen-catalog/memory.ts"
import { HiveId } from "../../../src/machines/vocabulary/ids.ts"

const ids = Layer.succeed(Ids, { make: (prefix) => Effect.succeed(`${prefix}-1`) })
/** A queen's start over this store. */
const started = (store: MemoryCatalog) =>
  Effect.provide(Invitations, Layer.provide(Invitations.layer, Layer.provide(layerMemory(store), ids)))
const refused = { code: "FORBIDDEN", todo: expect.stringContaining("rbee hives invite attic") }

describe("An invitation", () => {
  it.effect("works until it is spent", () =>
    Effect.gen(function* () {
      const { check, issue, spend } = yield* started(new MemoryCatalog())
      const token = yield* issue(HiveId.make("attic"), undefined)
      yield* check(HiveId.make("attic"), token)
      yield* spend(HiveId.make("attic"))
      expect(yield* Effect.flip(check(HiveId.make("attic"), token))).toMatchObject(refused)
    })
  )

  it.effect("is for its name alone", () =>
    Effect.gen(function* () {
      const { check, issue } = yield* started(new MemoryCatalog())
      const token = yield* issue(HiveId.make("cellar"), undefined)
      yield* issue(HiveId.make("attic"), undefined)
      expect(yield* Effect.flip(check(HiveId.make("attic"), token))).toMatchObject(refused)
      expect(yield* Effect.flip(check(HiveId.make("attic-x"), `${token}x`))).toMatchObject({ code: "FORBIDDEN" })
    })
  )

  it.effect("ends after an hour, and outlives its queen until then", () =>
    Effect.gen(function* () {
      const store = new MemoryCatalog()
      const token = yield* (yield* started(store)).issue(HiveId.make("attic"), "http+direct://attic@10.0.0.7:8600")
      yield* TestClock.adjust(invitationMs - 1)
      const later = yield* started(store)
      expect(yield* later.check(HiveId.make("attic"), token)).toMatchObject({ at: "http+direct://attic@10.0.0.7:8600" })
      yield* TestClock.adjust(1)
      expect(yield* Effect.flip(later.check(HiveId.make("attic"), token))).toMatchObject(refused)
    })
  )

  it.effect("takes the place of an earlier one, and is kept by its digest", () =>
    Effect.gen(function* () {
      const store = new MemoryCatalog()
      const { check, issue } = yield* started(store)
      const before = yield* issue(HiveId.make("attic"), undefined)
      const token = yield* issue(HiveId.make("attic"), undefined)
      expect(yield* Effect.flip(check(HiveId.make("attic"), before))).toMatchObject(refused)
      yield* check(HiveId.make("attic"), token)
      expect(JSON.stringify([...store.settings])).not.toContain(token)
    })
  )
})
