/** How an actor interprets its chart: timers, activities, commands, ends, and every way to break the rules. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Supervisor from "effect/Supervisor"
import * as TestClock from "effect/TestClock"
import {
  type AnyStateMachine,
  assign,
  cancel,
  emit,
  enqueueActions,
  fromPromise,
  log,
  raise,
  sendTo,
  setup,
  spawnChild
} from "xstate"
import { activity } from "../../../../src/machines/activity.ts"
import { type Check, said } from "./core.ts"

type Go = { readonly type: "GO" } | { readonly type: "BACK" } | { readonly type: "STOP" }

/** away (after 5 s: late) ⇄ home, by GO and BACK. */
const commuter = setup({ types: { events: {} as Go } }).createMachine({
  id: "commuter",
  initial: "away",
  states: {
    away: { on: { GO: "home" }, after: { 5_000: "late" } },
    home: { on: { BACK: "away", STOP: "stopped" } },
    late: { on: { STOP: "stopped" } },
    stopped: { type: "final" }
  }
})

/** working runs `work`; STOP leaves it, GO enters it again. */
const worker = setup({
  types: {
    events: {} as Go,
    context: {} as { readonly got: ReadonlyArray<string> },
    output: {} as ReadonlyArray<string>
  },
  actors: { work: activity<string, string>() }
}).createMachine({
  id: "worker",
  context: { got: [] },
  initial: "working",
  output: ({ context }) => context.got,
  states: {
    working: {
      invoke: {
        id: "work",
        src: "work",
        input: "wood",
        onDone: {
          target: "idle",
          actions: assign({ got: ({ context, event }) => [...context.got, event.output] })
        },
        onError: {
          target: "idle",
          actions: assign({ got: ({ context, event }) => [...context.got, `failed ${String(event.error)}`] })
        }
      },
      on: { STOP: "idle", BACK: { target: "working", reenter: true } }
    },
    idle: { on: { GO: "working", STOP: "stopped" } },
    stopped: { type: "final" }
  }
})

/** Lets everything that can run now run. */
const pause = TestClock.adjust(0)

const isDefect = (exit: Exit.Exit<unknown, unknown>): boolean => Exit.isFailure(exit) && Cause.isDie(exit.cause)

/** The message of the defect that an actor died of, or how else it ended. */
const epitaph = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "ended normally"
  const [defect] = Cause.defects(exit.cause)
  return defect instanceof Error ? defect.message : `died of ${String(defect)}`
}

const broken = (name: string, machine: AnyStateMachine, message: RegExp): Check => ({
  name: `${name} kills the actor`,
  run: (core) =>
    Effect.gen(function* () {
      const life = Effect.gen(function* () {
        const { ref, fiber } = yield* core.machineActor({ path: "broken", machine, activities: {} })
        yield* ref.tell({ type: "GO" })
        return yield* Fiber.join(fiber)
      })
      const exit = yield* Effect.exit(life)
      assert.isTrue(isDefect(exit))
      assert.match(epitaph(exit), message)
    })
})

const onGo = (config: object): AnyStateMachine =>
  setup({}).createMachine({ id: "broken", initial: "a", states: { a: { on: { GO: config } }, b: {} } })

export const charts: ReadonlyArray<Check> = [
  {
    name: "`after` fires to the millisecond",
    run: (core) =>
      Effect.gen(function* () {
        const { ref } = yield* core.machineActor({ path: "c", machine: commuter })
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual((yield* ref.state).value, "away")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* ref.state).value, "late")
      })
  },
  {
    name: "a timer is cancelled with its state: no fiber is left of it, and re-entering starts it anew",
    run: (core) =>
      Effect.gen(function* () {
        const tracker = yield* Supervisor.track
        const { ref } = yield* Effect.supervised(core.machineActor({ path: "c", machine: commuter }), tracker)
        const alive = Effect.map(tracker.value, (fibers) => fibers.length)
        yield* pause
        assert.strictEqual(yield* alive, 2)
        yield* ref.tell({ type: "GO" })
        yield* pause
        assert.strictEqual(yield* alive, 1)
        yield* TestClock.adjust("4 seconds")
        yield* ref.tell({ type: "BACK" })
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual((yield* ref.state).value, "away")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* ref.state).value, "late")
        assert.strictEqual(yield* alive, 1)
      })
  },
  {
    name: "a timer that fired while its state was being left is not taken for one of the next visit",
    run: (core) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const machine = setup({ types: { events: {} as Go, emitted: {} as { readonly type: "busy" } } }).createMachine({
          id: "late",
          initial: "away",
          states: {
            away: {
              on: { GO: "home", STOP: { actions: emit({ type: "busy" }) } },
              after: { 5_000: "late" }
            },
            home: { on: { BACK: "away" } },
            late: {}
          }
        })
        const { ref } = yield* core.machineActor({ path: "late", machine, perform: () => Deferred.await(gate) })
        yield* TestClock.adjust("1 seconds")
        // While the actor is busy these two wait, and then the timer's event behind them.
        yield* ref.tell({ type: "STOP" })
        yield* ref.tell({ type: "GO" })
        yield* ref.tell({ type: "BACK" })
        yield* TestClock.adjust("4 seconds")
        yield* Deferred.succeed(gate, undefined)
        yield* pause
        assert.strictEqual((yield* ref.state).value, "away")
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual((yield* ref.state).value, "away")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual((yield* ref.state).value, "late")
      })
  },
  {
    name: "a delayed raise is cancelled by name, and unnamed ones are all kept",
    run: (core) =>
      Effect.gen(function* () {
        const machine = setup({ types: { events: {} as Go, context: {} as { readonly n: number } } }).createMachine({
          id: "raiser",
          context: { n: 0 },
          entry: [
            raise({ type: "STOP" }, { delay: 1_000, id: "stop" }),
            raise({ type: "GO" }, { delay: 1_000 }),
            raise({ type: "GO" }, { delay: 1_000 })
          ],
          on: {
            BACK: { actions: cancel("stop") },
            GO: { actions: assign({ n: ({ context }) => context.n + 1 }) },
            STOP: { actions: assign({ n: 100 }) }
          }
        })
        const { ref } = yield* core.machineActor({ path: "raiser", machine })
        yield* ref.tell({ type: "BACK" })
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* ref.state).context.n, 2)
      })
  },
  {
    name: "an activity gets its input, and its success comes back as onDone with its output",
    run: (core) =>
      Effect.gen(function* () {
        const { ref } = yield* core.machineActor({
          path: "w",
          machine: worker,
          activities: { work: (input) => Effect.as(Effect.sleep("1 seconds"), `sawn ${input}`) }
        })
        yield* TestClock.adjust("1 seconds")
        const { value, context } = yield* ref.state
        assert.strictEqual(value, "idle")
        assert.deepEqual(context.got, ["sawn wood"])
      })
  },
  {
    name: "a typed failure comes back as onError with the error itself",
    run: (core) =>
      Effect.gen(function* () {
        const { ref } = yield* core.machineActor({
          path: "w",
          machine: worker,
          activities: { work: () => Effect.fail("splinter") }
        })
        yield* pause
        assert.deepEqual((yield* ref.state).context.got, ["failed splinter"])
      })
  },
  {
    name: "an activity can tell its own actor",
    run: (core) =>
      Effect.gen(function* () {
        const { ref } = yield* core.machineActor({
          path: "w",
          machine: worker,
          activities: { work: (_, self) => Effect.zipRight(self.tell({ type: "STOP" }), Effect.never) }
        })
        yield* pause
        assert.strictEqual((yield* ref.state).value, "idle")
      })
  },
  {
    name: "leaving a state interrupts its activity and waits for its finalizers before the next one enters",
    run: (core) =>
      Effect.gen(function* () {
        const words: Array<string> = []
        let visit = 0
        const { ref } = yield* core.machineActor({
          path: "w",
          machine: worker,
          activities: {
            work: () =>
              Effect.scoped(
                Effect.gen(function* () {
                  const n = ++visit
                  yield* Effect.acquireRelease(
                    Effect.sync(() => words.push(`+${n}`)),
                    () =>
                      Effect.zipRight(
                        Effect.sleep("1 seconds"),
                        Effect.sync(() => words.push(`-${n}`))
                      )
                  )
                  return yield* Effect.never
                })
              )
          }
        })
        yield* pause
        yield* ref.tell({ type: "BACK" })
        yield* TestClock.adjust("999 millis")
        assert.strictEqual(said(words), "+1")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(said(words), "-1 +2")
      })
  },
  {
    name: "what an activity acquires is released when it succeeds, before onDone",
    run: (core) =>
      Effect.gen(function* () {
        const words: Array<string> = []
        const { ref } = yield* core.machineActor({
          path: "w",
          machine: worker,
          activities: {
            work: () =>
              Effect.scoped(
                Effect.as(
                  Effect.addFinalizer(() => Effect.sync(() => words.push("released"))),
                  "sawn"
                )
              )
          }
        })
        yield* core.until(ref, (snapshot) => snapshot.matches("idle"))
        assert.strictEqual(said(words), "released")
      })
  },
  {
    name: "a success that was reported while its state was being left does not reach the next visit",
    run: (core) =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const machine = setup({
          types: {
            events: {} as Go,
            emitted: {} as { readonly type: "busy" },
            context: {} as { readonly got: ReadonlyArray<number> }
          },
          actors: { work: activity<number>() }
        }).createMachine({
          id: "stale",
          context: { got: [] },
          initial: "working",
          states: {
            working: {
              invoke: {
                src: "work",
                onDone: { actions: assign({ got: ({ context, event }) => [...context.got, event.output] }) }
              },
              on: { GO: { actions: emit({ type: "busy" }) }, BACK: { target: "working", reenter: true } }
            }
          }
        })
        let visit = 0
        const { ref } = yield* core.machineActor({
          path: "stale",
          machine,
          activities: { work: () => Effect.suspend(() => Effect.as(Effect.sleep("1 seconds"), ++visit)) },
          perform: () => Deferred.await(gate)
        })
        yield* ref.tell({ type: "GO" })
        yield* ref.tell({ type: "BACK" })
        yield* TestClock.adjust("1 seconds")
        yield* Deferred.succeed(gate, undefined)
        yield* pause
        assert.deepEqual((yield* ref.state).context.got, [])
        yield* TestClock.adjust("1 seconds")
        assert.deepEqual((yield* ref.state).context.got, [2])
      })
  },
  {
    name: "a defect of an activity kills the actor, even though the chart has an onError",
    run: (core) =>
      Effect.gen(function* () {
        const { fiber } = yield* core.machineActor({
          path: "w",
          machine: worker,
          activities: { work: () => Effect.zipRight(Effect.sleep("1 seconds"), Effect.dieMessage("saw broke")) }
        })
        yield* TestClock.adjust("1 seconds")
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(isDefect(exit))
        assert.strictEqual(epitaph(exit), "saw broke")
      })
  },
  {
    name: "a defect of a finalizer, met on leaving the state, kills the actor",
    run: (core) =>
      Effect.gen(function* () {
        const { ref, fiber } = yield* core.machineActor({
          path: "w",
          machine: worker,
          activities: {
            work: () =>
              Effect.scoped(
                Effect.zipRight(
                  Effect.addFinalizer(() => Effect.dieMessage("stuck saw")),
                  Effect.never
                )
              )
          }
        })
        yield* pause
        yield* ref.tell({ type: "STOP" })
        assert.strictEqual(epitaph(yield* Fiber.await(fiber)), "stuck saw")
      })
  },
  {
    name: "an activity that interrupts itself kills the actor, which would else wait for ever",
    run: (core) =>
      Effect.gen(function* () {
        const { fiber } = yield* core.machineActor({
          path: "w",
          machine: worker,
          activities: { work: () => Effect.interrupt }
        })
        assert.match(epitaph(yield* Fiber.await(fiber)), /work was interrupted/)
      })
  },
  {
    name: "a final state ends the actor with the chart's output, once its activities have ended",
    run: (core) =>
      Effect.gen(function* () {
        const words: Array<string> = []
        const machine = setup({
          types: { events: {} as Go, output: {} as string },
          actors: { watch: activity() }
        }).createMachine({
          id: "ending",
          initial: "on",
          invoke: { src: "watch" },
          output: () => "all told",
          states: { on: { on: { STOP: "off" }, after: { 9_000: "off" } }, off: { type: "final" } }
        })
        const tracker = yield* Supervisor.track
        const { ref, fiber } = yield* Effect.supervised(
          core.machineActor({
            path: "e",
            machine,
            activities: {
              watch: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => words.push("watch ended")))
            }
          }),
          tracker
        )
        yield* ref.tell({ type: "STOP" })
        assert.strictEqual(yield* Fiber.join(fiber), "all told")
        assert.strictEqual(said(words), "watch ended")
        yield* pause
        assert.strictEqual((yield* tracker.value).length, 0)
      })
  },
  {
    name: "closing the scope interrupts the actor and waits for every activity; nothing of it is left",
    run: (core) =>
      Effect.gen(function* () {
        const words: Array<string> = []
        const scope = yield* Scope.make()
        const tracker = yield* Supervisor.track
        const { fiber } = yield* core
          .machineActor({
            path: "w",
            machine: worker,
            activities: {
              work: () =>
                Effect.onInterrupt(Effect.never, () =>
                  Effect.zipRight(
                    Effect.sleep("3 seconds"),
                    Effect.sync(() => words.push("work ended"))
                  )
                )
            }
          })
          .pipe(Effect.supervised(tracker), Scope.extend(scope))
        yield* pause
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("2999 millis")
        assert.strictEqual(said(words), "")
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(closing)
        assert.strictEqual(said(words), "work ended")
        assert.isTrue(Exit.isInterrupted(yield* Fiber.await(fiber)))
        yield* pause
        assert.strictEqual((yield* tracker.value).length, 0)
      })
  },
  {
    name: "a defect of a finalizer, met on closing the scope, is part of the actor's exit",
    run: (core) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { fiber } = yield* core
          .machineActor({
            path: "w",
            machine: worker,
            activities: {
              work: () =>
                Effect.scoped(
                  Effect.zipRight(
                    Effect.addFinalizer(() => Effect.dieMessage("stuck saw")),
                    Effect.never
                  )
                )
            }
          })
          .pipe(Scope.extend(scope))
        yield* pause
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(epitaph(yield* Fiber.await(fiber)), "stuck saw")
      })
  },
  {
    name: "commands are performed in order, inside the turn, with the actor itself",
    run: (core) =>
      Effect.gen(function* () {
        const words: Array<string> = []
        const machine = setup({
          types: { events: {} as Go, emitted: {} as { readonly type: "say"; readonly word: string } }
        }).createMachine({
          id: "speaker",
          entry: emit({ type: "say", word: "hello" }),
          on: {
            GO: {
              actions: enqueueActions(({ enqueue }) => {
                enqueue.emit({ type: "say", word: "one" })
                enqueue.emit({ type: "say", word: "two" })
              })
            }
          }
        })
        const { ref } = yield* core.machineActor({
          path: "s",
          machine,
          perform: (command, self) => Effect.sync(() => words.push(`${self.path}:${command.word}`))
        })
        assert.strictEqual(said(words), "s:hello")
        yield* ref.tell({ type: "GO" })
        yield* pause
        assert.strictEqual(said(words), "s:one s:two")
      })
  },
  {
    name: "an actor is started once its initial commands are performed, and its start fails if they die",
    run: (core) =>
      Effect.gen(function* () {
        const machine = setup({ types: { emitted: {} as { readonly type: "init" } } }).createMachine({
          id: "slow",
          entry: emit({ type: "init" })
        })
        const slow = yield* Effect.fork(
          core.machineActor({ path: "slow", machine, perform: () => Effect.sleep("1 seconds") })
        )
        yield* TestClock.adjust("999 millis")
        assert.isTrue((yield* Fiber.poll(slow))._tag === "None")
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(slow)
        const exit = yield* Effect.exit(
          core.machineActor({ path: "bad", machine, perform: () => Effect.dieMessage("no init") })
        )
        assert.strictEqual(epitaph(exit), "no init")
      })
  },
  {
    name: "a throw while the initial state is computed fails the start",
    run: (core) =>
      Effect.gen(function* () {
        const context = setup({}).createMachine({
          context: () => {
            throw new Error("bad context")
          }
        })
        assert.strictEqual(
          epitaph(yield* Effect.exit(core.machineActor({ path: "a", machine: context }))),
          "bad context"
        )
        const entry = setup({}).createMachine({
          entry: assign(() => {
            throw new Error("bad entry")
          })
        })
        assert.strictEqual(epitaph(yield* Effect.exit(core.machineActor({ path: "b", machine: entry }))), "bad entry")
      })
  },
  broken(
    "a throw in a guard",
    onGo({
      guard: () => {
        throw new Error("bad guard")
      },
      target: "b"
    }),
    /bad guard/
  ),
  broken(
    "a throw in an action",
    onGo({
      actions: assign(() => {
        throw new Error("bad action")
      })
    }),
    /bad action/
  ),
  broken("an action that is a function", onGo({ actions: () => {} }), /impure action/),
  broken("a named action that nobody defined", onGo({ actions: "beep" }), /impure action beep/),
  broken("log", onGo({ actions: log("psst") }), /impure action xstate.log/),
  broken("sendTo", onGo({ actions: sendTo("other", { type: "GO" }) }), /./),
  broken(
    "an inline promise",
    onGo({
      actions: spawnChild(
        fromPromise(async () => 1),
        { id: "p" }
      )
    }),
    /impure action xstate\.spawnChild\(inline\)/
  ),
  broken("an activity that nobody provides", worker, /no activity named work/),
  broken("a command that nobody performs", onGo({ actions: emit({ type: "cmd" }) }), /nobody performs cmd/),
  {
    name: "a failure for which the chart has no onError kills the actor with that failure",
    run: (core) =>
      Effect.gen(function* () {
        const machine = setup({ actors: { work: activity<string>() } }).createMachine({
          initial: "a",
          states: { a: { invoke: { src: "work", onDone: "b" } }, b: {} }
        })
        const { fiber } = yield* core.machineActor({
          path: "w",
          machine,
          activities: { work: () => Effect.fail(new Error("nobody asked")) }
        })
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(isDefect(exit))
        assert.strictEqual(epitaph(exit), "nobody asked")
      })
  },
  {
    name: "a bug in one chart restarts that actor alone, from its initial state, at the same path",
    run: (core) =>
      Effect.gen(function* () {
        const buggy = setup({ types: { events: {} as Go } }).createMachine({
          id: "buggy",
          initial: "a",
          states: {
            a: { on: { GO: "b" } },
            b: {
              on: {
                BACK: {
                  guard: () => {
                    throw new Error("bug")
                  },
                  target: "a"
                }
              }
            }
          }
        })
        const child = (id: string) => ({ id, start: core.machineActor({ path: `tree/${id}`, machine: buggy }) })
        const tree = yield* core.supervisor({ path: "tree", children: [child("x"), child("y")] })
        const system = yield* core.ActorSystem
        const ref = (id: string) => Effect.flatten(system.find(buggy, `tree/${id}`))
        const before = yield* ref("x")
        yield* before.tell({ type: "GO" })
        yield* (yield* ref("y")).tell({ type: "GO" })
        yield* before.tell({ type: "BACK" })
        yield* pause
        yield* tree.ref.stopChild("nobody")
        const after = yield* ref("x")
        assert.notStrictEqual(after, before)
        assert.strictEqual((yield* after.state).value, "a")
        assert.strictEqual((yield* (yield* ref("y")).state).value, "b")
      })
  },
  {
    name: "a stream of changes begins with the present, never slows the actor, and ends with it",
    run: (core) =>
      Effect.gen(function* () {
        const machine = setup({ types: { events: {} as Go, context: {} as { readonly n: number } } }).createMachine({
          id: "counter",
          context: { n: 0 },
          initial: "on",
          states: {
            on: { on: { GO: { actions: assign({ n: ({ context }) => context.n + 1 }) }, STOP: "off" } },
            off: { type: "final" }
          }
        })
        const { ref, fiber } = yield* core.machineActor({ path: "n", machine })
        const seen: Array<number> = []
        const gate = yield* Deferred.make<void>()
        const reading = yield* Effect.fork(
          core.until(ref, (snapshot) => {
            seen.push(snapshot.context.n)
            return false
          })
        )
        const slow = yield* Effect.fork(
          Effect.zipRight(
            core.until(ref, () => true),
            Deferred.await(gate)
          )
        )
        yield* pause
        yield* Effect.repeatN(ref.tell({ type: "GO" }), 999)
        yield* ref.tell({ type: "STOP" })
        yield* Fiber.join(fiber)
        assert.strictEqual((yield* ref.state).context.n, 1_000)
        assert.deepInclude(yield* Effect.flip(Fiber.join(reading)), { _tag: "ActorStopped", path: "n" })
        assert.strictEqual(seen[0], 0)
        assert.strictEqual(seen.at(-1), 1_000)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(slow)
        assert.strictEqual(yield* Clock.currentTimeMillis, 0)
      })
  }
]
