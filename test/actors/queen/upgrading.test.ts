/** Hives of other machines after `rbee upgrade`: brought to the version of the queen to whom the older one handed over. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Remotes } from "../../../src/layers/remote/index.ts"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import { mismatchOfInstalled } from "../../../src/machines/policy/version.ts"
import { HiveId } from "../../../src/machines/vocabulary/ids.ts"
import { makeStores, makeWorld } from "../../support/queen/world.ts"

const id = HiveId.make("attic")
const ours = "0.1.0"

/** A machine that has another version until this one is put there; then its hive does not answer. */
const farMachine = (theirs: string) => {
  const stores = makeStores()
  const calls: Array<string> = []
  let there = theirs
  const unused = Effect.suspend(() => rbeeError("INVALID_REQUEST", "not asked for here"))
  const remotes: Remotes = {
    check: () => unused,
    uninstall: () => unused,
    logs: () => unused,
    unlock: () => Effect.succeed(false),
    install: (remote, tell) =>
      Effect.sync(() => {
        calls.push(`install on ${remote.place.host}`)
        tell("unpacking")
        there = ours
        return { version: ours, changed: true }
      })
  }
  stores.wakeFar = (hive) =>
    Effect.suspend((): Effect.Effect<never, RbeeError> => {
      calls.push("wake")
      const mismatch = mismatchOfInstalled({ hive: HiveId.make(hive), theirs: there, ours, remote: true })
      return mismatch ?? rbeeError("INVALID_REQUEST", "it has no network")
    })
  const world = (isSuccessor: boolean) =>
    makeWorld({ stores, remotes, isSuccessor, settings: (settings) => ({ ...settings, version: ours }) })
  const added = stores.catalog.hives
  added.set(id, { id, ssh: { host: "attic.lan", hive_port: 8600 }, addedAt: 1 })
  return { calls, stores, world }
}

describe("A hive of another machine", () => {
  it.scoped("that is older gets the version of the queen who succeeded an older one, before it is woken", () =>
    Effect.gen(function* () {
      const { calls, world } = farMachine("0.0.9")
      const { api, events } = yield* world(true)
      expect(yield* Effect.flip(api.startHive({ id }))).toMatchObject({
        message: expect.stringContaining("no network")
      })
      expect(calls).toEqual(["wake", "install on attic.lan", "wake"])
      yield* events.saw("hive attic: has rbee 0.0.9, and gets 0.1.0")
      yield* events.saw("hive attic: unpacking")
    })
  )

  it.scoped("follows also under the queens after her", () =>
    Effect.gen(function* () {
      const { calls, world } = farMachine("0.0.9")
      yield* (yield* world(true)).crash
      const { api } = yield* world(false)
      yield* Effect.flip(api.startHive({ id }))
      expect(calls).toEqual(["wake", "install on attic.lan", "wake"])
    })
  )

  it.scoped("is left as it is where nobody upgraded, and where it is the newer one", () =>
    Effect.gen(function* () {
      for (const [theirs, isSuccessor] of [
        ["0.0.9", false],
        ["0.2.0", true]
      ] as const) {
        const { calls, world } = farMachine(theirs)
        const { api } = yield* world(isSuccessor)
        expect(yield* Effect.flip(api.startHive({ id }))).toMatchObject({ code: "VERSION_MISMATCH" })
        expect(calls).toEqual(["wake"])
      }
    })
  )
})
