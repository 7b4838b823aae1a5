/** Jobs of several models on a machine with room for one: one line for all, in the order in which they came. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import { makeWorld } from "../../support/queen/world.ts"

const crowded = Effect.gen(function* () {
  const world = yield* makeWorld()
  const { api, hive, job } = world
  hive.room = 1
  hive.slots = 1
  hive.script = () => ({ holdAt: 2 })
  const first = yield* job()
  yield* first.until(({ event }) => event === "token")
  const second = yield* job({ model: "file:/m/a.gguf" })
  yield* second.saw("job queued at position 1")
  yield* TestClock.adjust("100 millis")
  const third = yield* job({ model: "file:/m/b.gguf" })
  yield* third.saw("job queued at position 2")
  const positions = Effect.forEach([second, third], ({ id }) =>
    Effect.map(api.getJob({ id: JobId.make(id) }), ({ position }) => position)
  )
  return { ...world, first, second, third, positions }
})

describe("Jobs of other models that wait for room", () => {
  it.scoped("stand in one line, and their pages say where", () =>
    Effect.gen(function* () {
      const { positions } = yield* crowded
      assert.deepStrictEqual(yield* positions, [1, 2])
    })
  )

  it.scoped("move up when one before them is given up", () =>
    Effect.gen(function* () {
      const { api, positions, second } = yield* crowded
      yield* api.cancelJob({ id: JobId.make(second.id) })
      // what has moved up looks for a place first, and finds none
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* positions, [undefined, 1])
    })
  )

  it.scoped("come in turn as the room is left: the one that waited longest goes first", () =>
    Effect.gen(function* () {
      const { first, hive, positions, second, third } = yield* crowded
      hive.script = () => ({})
      for (const worker of hive.workers.values()) worker.release()
      yield* first.ended
      const ends: Array<string> = []
      yield* Effect.fork(Effect.tap(second.ended, () => ends.push("second")))
      yield* Effect.fork(Effect.tap(third.ended, () => ends.push("third")))
      yield* Effect.iterate(0, {
        while: (seconds) => ends.length < 2 && seconds < 120,
        body: (seconds) => Effect.as(TestClock.adjust("1 second"), seconds + 1)
      })
      assert.deepStrictEqual(ends, ["second", "third"])
      assert.deepStrictEqual(yield* positions, [undefined, undefined])
    })
  )
})
