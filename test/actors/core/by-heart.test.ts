/** An actor that begins in the middle, and asks its chart when something else happens than what is known beforehand. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { assign, emit, setup } from "xstate"
import type { ByHeart } from "../../../src/actors/core/machine/by-heart.ts"
import { machineActor } from "../../../src/actors/core/machine/machine-actor.ts"
import { ActorSystem, type Observation } from "../../../src/actors/core/system.ts"
import { activity } from "../../../src/machines/activity.ts"

/** how often the chart was asked whether a loaf is done */
let asked = 0

const oven = setup({
  types: {
    context: {} as { readonly flour: number },
    events: {} as { readonly type: "STOP" },
    emitted: {} as { readonly type: "ring" } | { readonly type: "smoke" },
    output: {} as number
  },
  actors: { knead: activity<number>(), bake: activity<"brown" | "black", number>() },
  guards: { isBrown: (_, colour: "brown" | "black") => (asked++, colour === "brown") }
}).createMachine({
  id: "oven",
  context: { flour: 0 },
  initial: "kneading",
  output: ({ context }) => context.flour,
  on: { STOP: ".cold" },
  states: {
    kneading: {
      invoke: { src: "knead", onDone: { target: "baking", actions: assign({ flour: ({ event }) => event.output }) } }
    },
    baking: {
      invoke: {
        src: "bake",
        input: ({ context }) => context.flour,
        onDone: [
          { guard: { type: "isBrown", params: ({ event }) => event.output }, target: "ready" },
          { target: "cold", actions: emit({ type: "smoke" }) }
        ],
        onError: "cold"
      }
    },
    ready: { type: "final", entry: emit({ type: "ring" }) },
    cold: { type: "final" }
  }
})

const byHeart: ByHeart<typeof oven> = {
  past: [{ activity: "knead", output: 7 }],
  now: { activity: "bake", input: 7 },
  end: (colour) => (colour === "brown" ? { commands: [{ type: "ring" }], output: 7 } : undefined)
}

const baking = (known: ByHeart<typeof oven> | undefined, bake: Effect.Effect<"brown" | "black", string>) =>
  Effect.gen(function* () {
    asked = 0
    const heard: Array<string> = []
    let flour = 0
    const actor = yield* machineActor({
      path: "oven",
      machine: oven,
      byHeart: known,
      perform: ({ type }) => Effect.sync(() => void heard.push(type)),
      activities: {
        knead: () => Effect.succeed(7),
        bake: (of) =>
          Effect.zipRight(
            Effect.sync(() => (flour = of)),
            bake
          )
      }
    })
    return { actor, heard, flour: () => flour }
  })

const observed = (known: ByHeart<typeof oven> | undefined) =>
  Effect.gen(function* () {
    const seen: Array<Observation> = []
    const leave = (yield* ActorSystem).tap((one) => void seen.push(one))
    const { actor } = yield* baking(known, Effect.succeed("brown"))
    yield* Fiber.join(actor.fiber)
    leave()
    return seen.map((one) => [
      one.type,
      "event" in one ? one.event : "",
      "snapshot" in one ? JSON.stringify(one.snapshot) : ""
    ])
  }).pipe(Effect.scoped, Effect.provide(ActorSystem.layer))

describe("An actor that knows its way by heart", () => {
  it.scoped("does and gives what its chart would, and does not ask it", () =>
    Effect.gen(function* () {
      const { actor, flour, heard } = yield* baking(byHeart, Effect.succeed("brown"))
      assert.strictEqual(yield* Fiber.join(actor.fiber), 7)
      assert.deepEqual(heard, ["ring"])
      assert.strictEqual(flour(), 7)
      assert.strictEqual(asked, 0)
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.scoped("asks its chart where its activity gives something else, or fails", () =>
    Effect.gen(function* () {
      const black = yield* Effect.scoped(
        Effect.flatMap(baking(byHeart, Effect.succeed("black")), ({ actor, heard }) =>
          Effect.as(Fiber.join(actor.fiber), heard)
        )
      )
      assert.deepEqual(black, ["smoke"])
      const { actor, heard } = yield* baking(byHeart, Effect.fail("no gas"))
      assert.strictEqual(yield* Fiber.join(actor.fiber), 7)
      assert.deepEqual(heard, [])
      assert.isTrue((yield* actor.ref.state).matches("cold"))
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.scoped("asks its chart where an event comes first, which ends what runs", () =>
    Effect.gen(function* () {
      const stopped = yield* Deferred.make<void>()
      const bake = Effect.onInterrupt(Effect.never, () => Deferred.succeed(stopped, undefined))
      const { actor, heard } = yield* baking(byHeart, bake)
      yield* actor.ref.tell({ type: "STOP" })
      yield* Deferred.await(stopped)
      assert.strictEqual(yield* Fiber.join(actor.fiber), 7)
      assert.deepEqual(heard, [])
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.scoped("dies of a bug of what runs", () =>
    Effect.gen(function* () {
      const { actor } = yield* baking(byHeart, Effect.dieMessage("the oven exploded"))
      assert.isTrue(Exit.isFailure(yield* Fiber.await(actor.fiber)))
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.scoped("is where its chart says, for whoever asks", () =>
    Effect.gen(function* () {
      const { actor } = yield* baking(byHeart, Effect.never)
      const state = yield* actor.ref.state
      assert.isTrue(state.matches("baking"))
      assert.strictEqual(state.context.flour, 7)
    }).pipe(Effect.provide(ActorSystem.layer))
  )

  it.effect("is to whoever looks on as one that went all the way", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* observed(byHeart), yield* observed(undefined))
    })
  )
})
