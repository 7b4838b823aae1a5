import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { assign, setup } from "xstate"
import { machineActor } from "../../../src/actors/core/machine/machine-actor.ts"
import { supervisor } from "../../../src/actors/core/supervision/supervisor.ts"
import { ActorSystem } from "../../../src/actors/core/system.ts"

const machine = setup({
  types: { events: {} as { readonly type: "GO" }, context: {} as { readonly n: number } }
}).createMachine({ id: "m", context: { n: 0 }, on: { GO: { actions: assign({ n: ({ context }) => context.n + 1 }) } } })

const mortal = setup({ types: { events: {} as { readonly type: "DIE" } } }).createMachine({
  initial: "lives",
  states: { lives: { on: { DIE: "dead" } }, dead: { type: "final" } }
})

const tree = Effect.map(
  supervisor({
    path: "queen",
    children: [
      {
        id: "hives",
        shutdown: "infinity",
        start: supervisor({
          path: "queen/hives",
          children: [{ id: "localhost", start: machineActor({ path: "queen/hives/localhost", machine }) }]
        })
      },
      { id: "hives2", start: machineActor({ path: "queen/hives2", machine }) }
    ]
  }),
  ({ ref }) => ref
)

describe("the actor system", () => {
  it.scoped("finds the living by path, and only them", () =>
    Effect.gen(function* () {
      const system = yield* ActorSystem
      const scope = yield* Scope.make()
      yield* Scope.extend(tree, scope)
      const found = yield* Effect.flatten(system.lookup("queen/hives/localhost"))
      assert.strictEqual(found.kind, "machine")
      assert.strictEqual((yield* Effect.flatten(system.lookup("queen/hives"))).kind, "supervisor")
      assert.isTrue(Option.isNone(yield* system.lookup("queen/hives/elsewhere")))
      const paths = Effect.map(system.list("queen/hives"), (entries) => entries.map(({ path }) => path))
      assert.deepEqual(yield* paths, ["queen/hives", "queen/hives/localhost"])
      assert.strictEqual((yield* system.list()).length, 4)
      yield* Scope.close(scope, Exit.void)
      assert.deepEqual(yield* system.list(), [])
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.scoped("finds an actor by its chart too, with the types of that chart", () =>
    Effect.gen(function* () {
      const system = yield* ActorSystem
      yield* tree
      const ref = yield* Effect.flatten(system.find(machine, "queen/hives2"))
      yield* ref.tell({ type: "GO" })
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* ref.state).context.n, 1)
      const other = setup({}).createMachine({ id: "other" })
      assert.isTrue(Option.isNone(yield* system.find(other, "queen/hives2")))
      assert.isTrue(Option.isNone(yield* system.find(machine, "queen/hives")))
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.scoped("takes two living actors at one path for a defect", () =>
    Effect.gen(function* () {
      yield* machineActor({ path: "a", machine })
      const exit = yield* Effect.exit(machineActor({ path: "a", machine }))
      assert.isTrue(Exit.isFailure(exit))
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.scoped("shows an observer starts, events, snapshots and ends, in order, with the time of the clock", () =>
    Effect.gen(function* () {
      const system = yield* ActorSystem
      const watching = yield* Effect.fork(Stream.runCollect(Stream.take(system.observe, 4)))
      yield* TestClock.adjust("7 seconds")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { ref } = yield* machineActor({ path: "a", machine })
          yield* ref.tell({ type: "GO" })
          yield* TestClock.adjust(0)
        })
      )
      const seen = Chunk.toReadonlyArray(yield* Fiber.join(watching))
      assert.deepEqual(
        seen.map(({ type, path, atMs, seq }) => [type, path, atMs, seq]),
        [
          ["started", "a", 7_000, 0],
          ["event", "a", 7_000, 1],
          ["snapshot", "a", 7_000, 2],
          ["stopped", "a", 7_000, 3]
        ]
      )
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.scoped("tells nothing while nobody watches: the first who does begins at 0", () =>
    Effect.gen(function* () {
      const system = yield* ActorSystem
      const lives = Effect.scoped(
        Effect.gen(function* () {
          const { fiber, ref } = yield* machineActor({ path: "s/dies", machine: mortal })
          yield* supervisor({ path: "s", children: [{ id: "a", start: machineActor({ path: "s/a", machine }) }] })
          yield* ref.tell({ type: "DIE" })
          yield* Fiber.await(fiber)
        })
      )
      yield* lives
      assert.strictEqual(system.nextSeq(), 0)
      const leave = system.tap(() => {})
      yield* lives
      leave()
      assert.isAbove(system.nextSeq(), 0)
      const told = system.nextSeq()
      yield* lives
      assert.strictEqual(system.nextSeq(), told)
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.scoped("never waits for an observer: a slow one loses the oldest records, and sees so by their numbers", () =>
    Effect.gen(function* () {
      const system = yield* ActorSystem
      const { ref } = yield* machineActor({ path: "a", machine })
      const pull = yield* Stream.toPull(system.observe)
      yield* ref.tell({ type: "GO" })
      const first = yield* Effect.fork(pull)
      yield* TestClock.adjust(0)
      yield* ref.tell({ type: "GO" })
      yield* TestClock.adjust(0)
      yield* Fiber.join(first)
      yield* Effect.repeatN(ref.tell({ type: "GO" }), 4_999)
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* ref.state).context.n, 5_002)
      const seen = Chunk.toReadonlyArray(yield* pull)
      assert.isAtMost(seen.length, 1_024)
      assert.isAbove(seen[0]?.seq ?? 0, 1_000)
    }).pipe(Effect.provide(ActorSystem.layer))
  )
})
