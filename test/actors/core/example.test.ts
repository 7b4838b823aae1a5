/** The example of src/actors/core/README.md, run. */
import { assert, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { assign, emit, setup } from "xstate"
import { resource } from "../../../src/actors/core/supervision/child.ts"
import { until } from "../../../src/actors/core/actor.ts"
import { machineActor } from "../../../src/actors/core/machine/machine-actor.ts"
import { supervisor } from "../../../src/actors/core/supervision/supervisor.ts"
import { ActorSystem } from "../../../src/actors/core/system.ts"
import { activity } from "../../../src/machines/activity.ts"
import { rbeeError } from "../../../src/machines/errors.ts"

const boilerMachine = setup({
  types: {
    context: {} as { readonly litres: number; readonly degrees: number },
    events: {} as { readonly type: "START" } | { readonly type: "STOP" },
    input: {} as { readonly litres: number },
    output: {} as { readonly degrees: number },
    emitted: {} as { readonly type: "whistle"; readonly degrees: number }
  },
  actors: { heat: activity<{ readonly degrees: number }, { readonly litres: number }>() }
}).createMachine({
  id: "boiler",
  context: ({ input }) => ({ litres: input.litres, degrees: 20 }),
  initial: "cold",
  output: ({ context }) => ({ degrees: context.degrees }),
  states: {
    cold: { on: { START: "heating" } },
    heating: {
      invoke: {
        src: "heat",
        input: ({ context }) => ({ litres: context.litres }),
        onDone: {
          target: "hot",
          actions: [
            assign({ degrees: ({ event }) => event.output.degrees }),
            emit(({ event }) => ({ type: "whistle", degrees: event.output.degrees }))
          ]
        },
        onError: "waiting"
      },
      after: { 60_000: "waiting" }
    },
    waiting: { after: { 5_000: "heating" } },
    hot: { on: { STOP: "stopped" } },
    stopped: { type: "final" }
  }
})

it.scoped("the boiler heats, is refused once, waits, heats again, whistles and stops", () =>
  Effect.gen(function* () {
    const said: Array<string> = []
    let attempts = 0
    const boiler = (path: string) => ({
      id: "boiler",
      restart: "transient" as const,
      start: machineActor({
        path,
        machine: boilerMachine,
        input: { litres: 2 },
        activities: {
          heat: ({ litres }) =>
            Effect.gen(function* () {
              yield* Effect.acquireRelease(
                Effect.sync(() => said.push("on")),
                () => Effect.sync(() => said.push("off"))
              )
              yield* Effect.sleep(litres * 1_000)
              if (attempts++ === 0) return yield* rbeeError("DEADLINE_EXCEEDED", "no gas")
              return { degrees: 100 }
            }).pipe(Effect.scoped)
        },
        perform: (command) => Effect.sync(() => said.push(`${command.type} ${command.degrees}`))
      })
    })
    const kitchen = yield* supervisor({
      path: "kitchen",
      strategy: "rest_for_one",
      children: [{ id: "gas", start: resource(Effect.void) }]
    })
    const { ref, fiber } = yield* kitchen.ref.startChild(boiler("kitchen/boiler"))
    yield* ref.tell({ type: "START" })
    yield* until(ref, (snapshot) => snapshot.matches("heating"))
    yield* TestClock.adjust("2 seconds")
    assert.strictEqual((yield* ref.state).value, "waiting")
    yield* TestClock.adjust("7 seconds")
    const hot = yield* until(ref, (snapshot) => snapshot.matches("hot"))
    assert.strictEqual(hot.context.degrees, 100)
    assert.strictEqual(yield* Clock.currentTimeMillis, 9_000)
    yield* ref.tell({ type: "STOP" })
    assert.deepStrictEqual(yield* Fiber.join(fiber), { degrees: 100 })
    assert.deepStrictEqual(said, ["on", "off", "on", "off", "whistle 100"])
  }).pipe(Effect.provide(ActorSystem.layer))
)
