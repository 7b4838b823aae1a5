/** What a watcher of the system, the registry and the reports show of a supervisor. */
import { assert } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { assign, setup } from "xstate"
import type { Report } from "../../../../src/actors/core/reports.ts"
import { type Check, living, puppet, said, settled } from "./core.ts"

export const watched: ReadonlyArray<Check> = [
  {
    name: "a watcher sees the tree start, each death and restart with the state of the fuse, giving up, and the end",
    run: (core) =>
      Effect.gen(function* () {
        const system = yield* core.ActorSystem
        const watching = yield* Effect.fork(
          Stream.runCollect(Stream.takeUntil(system.observe, ({ type }) => type === "stopped"))
        )
        yield* TestClock.adjust(0)
        const a = puppet("a", { log: [] })
        const tree = yield* core.supervisor({ path: "seen", intensity: 1, period: "5 seconds", children: [a.spec] })
        yield* a.end("abnormal")
        yield* settled(tree)
        yield* a.end("kill")
        yield* Fiber.await(tree.fiber)
        const seen = Chunk.toReadonlyArray(yield* Fiber.join(watching))
        assert.deepEqual(new Set(seen.map(({ path }) => path)), new Set(["seen"]))
        const told = seen.map((one) =>
          one.type === "supervision"
            ? [one.context, one.child, one.restarts]
            : one.type === "started"
              ? [one.type, one.snapshot]
              : [one.type, one.type === "stopped" && Exit.isFailure(one.exit)]
        )
        const restarts = { count: 1, max: 1, period_ms: 5_000 }
        assert.deepEqual(told, [
          ["started", []],
          ["started", "a", undefined],
          ["child_terminated", "a", undefined],
          ["restarting", "a", restarts],
          ["started", "a", undefined],
          ["child_terminated", "a", undefined],
          ["gave_up", "a", undefined],
          ["stopped", true]
        ])
      })
  },
  {
    name: "while nobody watches, nothing is published",
    run: (core) =>
      Effect.gen(function* () {
        const system = yield* core.ActorSystem
        const a = puppet("a", { log: [] })
        yield* Effect.scoped(core.supervisor({ path: "unseen", children: [a.spec] }))
        const first = yield* Effect.fork(Stream.runHead(system.observe))
        yield* TestClock.adjust(0)
        yield* core.supervisor({ path: "seen", children: [] })
        const record = yield* Effect.flatten(Fiber.join(first))
        assert.deepInclude(record, { type: "started", path: "seen", seq: 0 })
      })
  },
  {
    name: "the registry has a supervisor with its children, its fuse, and whose child it is",
    run: (core) =>
      Effect.gen(function* () {
        const system = yield* core.ActorSystem
        const a = puppet("a", { log: [] })
        yield* core.supervisor({
          path: "top",
          children: [
            {
              id: "inner",
              shutdown: "infinity",
              start: core.supervisor({ path: "top/inner", intensity: 2, children: [a.spec] })
            }
          ]
        })
        yield* a.end("abnormal")
        yield* TestClock.adjust(0)
        const entry = yield* Effect.flatten(system.lookup("top/inner"))
        assert.deepEqual(entry.lineage, { supervisor: "top", child: "inner" })
        assert.strictEqual(entry.ref.path, "top/inner")
        assert.deepEqual(yield* entry.ref.state, [{ id: "a", running: true }])
        assert.deepEqual(entry.vitals(0), { restarts: { count: 1, max: 2, period_ms: 5_000 } })
      })
  },
  {
    name: "a child is listed as not running while its restart is tried, and nobody is listed after the end",
    run: (core) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const slow = puppet("a", { log: [], initMs: 100 })
        const starting = yield* Effect.fork(
          Scope.extend(core.supervisor({ path: "list", children: [slow.spec] }), scope)
        )
        yield* TestClock.adjust("100 millis")
        const tree = yield* Fiber.join(starting)
        assert.strictEqual(yield* living(tree), "a")
        yield* slow.end("abnormal")
        yield* TestClock.adjust("50 millis")
        assert.strictEqual(yield* living(tree), "(a)")
        yield* TestClock.adjust("50 millis")
        assert.strictEqual(yield* living(tree), "a")
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* living(tree), "")
      })
  },
  {
    name: "a child that had to be killed is reported as killed for its time, and as stopped",
    run: (core) =>
      Effect.gen(function* () {
        const reports: Array<Report> = []
        const slow = puppet("a", { log: [], closeMs: 3_000, shutdown: "1 seconds" })
        const tree = yield* core
          .supervisor({ path: "late", children: [slow.spec] })
          .pipe(Effect.provideService(core.Reports, { report: (report) => Effect.sync(() => reports.push(report)) }))
        const stopping = yield* Effect.fork(tree.ref.stopChild("a"))
        yield* TestClock.adjust("3 seconds")
        assert.isTrue(yield* Fiber.join(stopping))
        assert.deepEqual(
          reports.map(({ context, reason }) => [context, reason]),
          [
            ["started", "progress"],
            ["killed", "timeout"],
            ["stopped", "shutdown"]
          ]
        )
      })
  },
  {
    name: "a restart that failed is not tried again for a child that was stopped meanwhile",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log, initMs: 100 })
        const starting = yield* Effect.fork(core.supervisor({ path: "late", intensity: 5, children: [a.spec] }))
        yield* TestClock.adjust("100 millis")
        const tree = yield* Fiber.join(starting)
        a.failures = 1
        yield* a.end("abnormal")
        yield* TestClock.adjust("50 millis")
        const stopping = yield* Effect.fork(tree.ref.stopChild("a"))
        yield* TestClock.adjust("1 seconds")
        assert.isTrue(yield* Fiber.join(stopping))
        assert.strictEqual(said(log), "+a -a !a")
      })
  },
  {
    name: "a restart that failed is not tried again for a child that came up with another's restart meanwhile",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log })
        const b = puppet("b", { log, initMs: 100 })
        const starting = yield* Effect.fork(
          core.supervisor({ path: "late", strategy: "rest_for_one", intensity: 5, children: [a.spec, b.spec] })
        )
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(starting)
        said(log)
        b.failures = 1
        yield* b.end("abnormal")
        yield* TestClock.adjust("50 millis")
        // noticed only when the restart of `b` has failed, but before it is tried again
        yield* a.end("abnormal")
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual(said(log), "-b !b -a +a +b")
      })
  },
  {
    name: "the registry shows an actor's pending timers, in the order in which they were armed, until they fire or their state is left",
    run: (core) =>
      Effect.gen(function* () {
        const system = yield* core.ActorSystem
        const machine = setup({}).createMachine({
          id: "m",
          initial: "a",
          states: { a: { after: { 9_000: "b", 5_000: {} } }, b: {} }
        })
        yield* TestClock.adjust("1 seconds")
        const { ref } = yield* core.machineActor({ path: "m", machine })
        const entry = yield* Effect.flatten(system.lookup("m"))
        const due = () => entry.vitals(0).timers?.map((timer) => timer.due)
        assert.deepEqual(entry.vitals(0).mailbox, 0)
        assert.sameMembers([...(due() ?? [])], [6_000, 10_000])
        assert.include(entry.vitals(0).timers?.[0]?.event, "xstate.after")
        yield* TestClock.adjust("5 seconds")
        assert.deepEqual(due(), [10_000])
        yield* TestClock.adjust("4 seconds")
        assert.isTrue((yield* ref.state).matches("b"))
        assert.deepEqual(due(), [])
      })
  },
  {
    name: "an actor takes what is offered, and of each beat the latest",
    run: (core) =>
      Effect.gen(function* () {
        const machine = setup({
          types: {
            context: {} as { readonly seen: ReadonlyArray<string> },
            events: {} as { readonly type: "SAID"; readonly word: string }
          }
        }).createMachine({
          id: "m",
          context: { seen: [] },
          on: { SAID: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.word] }) } }
        })
        const { ref } = yield* core.machineActor({ path: "m", machine })
        yield* ref.offer({ type: "SAID", word: "offered" })
        yield* ref.latest("beat", { type: "SAID", word: "first" })
        yield* ref.latest("beat", { type: "SAID", word: "second" })
        yield* TestClock.adjust(0)
        assert.deepEqual((yield* ref.state).context.seen, ["offered", "second"])
      })
  }
]
