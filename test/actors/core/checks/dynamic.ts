/** Children that come and go, requests to a supervisor, and what is reported. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import type { Report } from "../../../../src/actors/core/reports.ts"
import { type Check, living, puppet, said, settled } from "./core.ts"

class Fuel extends Context.Tag("test/Fuel")<Fuel, { readonly name: string }>() {}

export const dynamic: ReadonlyArray<Check> = [
  {
    name: "startChild returns what start returned, after initialisation, and the child is the last in order",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const tree = yield* Scope.extend(core.supervisor({ path: "dyn", children: [puppet("a", { log }).spec] }), scope)
        const spec = { id: "b", start: Effect.map(core.task(Effect.never), (started) => ({ ...started, port: 8601 })) }
        const { port } = yield* tree.ref.startChild(spec)
        assert.strictEqual(port, 8601)
        yield* tree.ref.startChild(puppet("c", { log }).spec)
        assert.strictEqual(yield* living(tree), "a b c")
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(said(log), "+a +c -c -a")
      })
  },
  {
    name: "dynamic children stop together: thirty take as long as one, and then the first ones follow in reverse order",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const first = ["a", "b"].map((id) => puppet(id, { log, closeMs: 100 }).spec)
        const tree = yield* Scope.extend(core.supervisor({ path: "dyn", children: first }), scope)
        const many = Array.from({ length: 30 }, (_, number) => `d${number}`)
        for (const id of many) yield* tree.ref.startChild(puppet(id, { log, closeMs: 100 }).spec)
        said(log)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("99 millis")
        assert.strictEqual(said(log), "")
        yield* TestClock.adjust("1 millis")
        assert.sameMembers(
          said(log).split(" "),
          many.map((id) => `-${id}`)
        )
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(said(log), "-b")
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(said(log), "-a")
        yield* Fiber.join(closing)
        assert.strictEqual(yield* Clock.currentTimeMillis, 300)
      })
  },
  {
    name: "what a store still had of dynamic children starts after the first ones and stops with its kind",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const specs = (...ids: ReadonlyArray<string>) => ids.map((id) => puppet(id, { log, closeMs: 100 }).spec)
        const tree = yield* Scope.extend(
          core.supervisor({ path: "dyn", children: specs("a"), dynamic: specs("b", "c") }),
          scope
        )
        for (const spec of specs("d")) yield* tree.ref.startChild(spec)
        assert.strictEqual(said(log), "+a +b +c +d")
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("100 millis")
        assert.sameMembers(said(log).split(" "), ["-b", "-c", "-d"])
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(closing)
        assert.strictEqual(said(log), "-a")
      })
  },
  {
    name: "each dynamic child keeps its own deadlines: one that hangs is killed at its time and holds up no other",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const tree = yield* Scope.extend(core.supervisor({ path: "dyn", children: [puppet("a", { log }).spec] }), scope)
        const kill = (id: string) => Effect.sync(() => log.push(`kill ${id}`))
        for (const [id, seconds] of [
          ["slow", 2],
          ["slower", 3]
        ] as const) {
          const { spec } = puppet(id, { log, closeMs: 3_600_000, shutdown: `${seconds} seconds`, kill: kill(id) })
          yield* tree.ref.startChild(spec)
        }
        yield* tree.ref.startChild(puppet("quick", { log, closeMs: 100 }).spec)
        said(log)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(said(log), "-quick")
        yield* TestClock.adjust("1900 millis")
        assert.strictEqual(said(log), "kill slow")
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual(said(log), "kill slower")
        // The wait after a kill: 5 s for either, side by side.
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(said(log), "-a")
        yield* Fiber.join(closing)
      })
  },
  {
    name: "a restart of the whole group stops its dynamic children together too, and starts all in order",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log })
        const b = puppet("b", { log, closeMs: 100 })
        const tree = yield* core.supervisor({ path: "dyn", strategy: "one_for_all", children: [a.spec, b.spec] })
        for (const id of ["c", "d", "e"]) yield* tree.ref.startChild(puppet(id, { log, closeMs: 100 }).spec)
        said(log)
        yield* a.end("abnormal")
        yield* TestClock.adjust("100 millis")
        assert.sameMembers(said(log).split(" "), ["-a", "-c", "-d", "-e"])
        yield* TestClock.adjust("100 millis")
        yield* settled(tree)
        assert.strictEqual(said(log), "-b +a +b +c +d +e")
      })
  },
  {
    name: "a dynamic child is restarted with the surroundings of the one who started it",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const tree = yield* core.supervisor({ path: "dyn", children: [] })
        const b = puppet("b", { log })
        const spec = {
          ...b.spec,
          start: Effect.zipLeft(
            b.spec.start,
            Effect.map(Fuel, ({ name }) => log.push(name))
          )
        }
        yield* Effect.provideService(tree.ref.startChild(spec), Fuel, { name: "coal" })
        yield* b.end("abnormal")
        yield* settled(tree)
        assert.strictEqual(said(log), "+b coal -b +b coal")
      })
  },
  {
    name: "an id that lives already is refused, and free again after stopChild",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const tree = yield* core.supervisor({ path: "dyn", children: [puppet("a", { log }).spec] })
        const refused = yield* Effect.flip(tree.ref.startChild(puppet("a", { log }).spec))
        assert.deepInclude(refused, { _tag: "ChildExists", supervisor: "dyn", child: "a" })
        assert.isTrue(yield* tree.ref.stopChild("a"))
        assert.isFalse(yield* tree.ref.stopChild("a"))
        yield* tree.ref.startChild(puppet("a", { log }).spec)
        assert.strictEqual(said(log), "+a -a +a")
      })
  },
  {
    name: "a dynamic child that cannot start is a typed failure, is not kept, and counts for nothing",
    run: (core) =>
      Effect.gen(function* () {
        const tree = yield* core.supervisor({ path: "dyn", intensity: 0, children: [] })
        const failure = yield* Effect.flip(tree.ref.startChild({ id: "a", start: Effect.fail("no room") }))
        assert.deepInclude(failure, { _tag: "ChildStartFailed", child: "a" })
        assert.strictEqual(yield* living(tree), "")
      })
  },
  {
    name: "two first children of one name are a defect",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const exit = yield* Effect.exit(
          core.supervisor({ path: "dyn", children: [puppet("a", { log }).spec, puppet("a", { log }).spec] })
        )
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
        assert.include(String(exit), "dyn: two children named a")
        assert.strictEqual(said(log), "+a -a")
      })
  },
  {
    name: "a stopped supervisor refuses: no request hangs, not even one that was waiting",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const tree = yield* Scope.extend(core.supervisor({ path: "dyn", children: [] }), scope)
        const slow = puppet("slow", { log, initMs: 60_000 })
        const first = yield* Effect.fork(tree.ref.startChild(slow.spec))
        const second = yield* Effect.fork(tree.ref.startChild(puppet("b", { log }).spec))
        yield* TestClock.adjust(0)
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(Exit.isFailure(yield* Fiber.await(first)))
        assert.deepInclude(yield* Effect.flip(Fiber.join(second)), { _tag: "SupervisorStopped", supervisor: "dyn" })
        const late = yield* Effect.flip(tree.ref.startChild(puppet("c", { log }).spec))
        assert.deepInclude(late, { _tag: "SupervisorStopped" })
        assert.isFalse(yield* tree.ref.stopChild("slow"))
        assert.strictEqual(said(log), "")
      })
  },
  {
    name: "every start and every death is one report with the same four fields",
    run: (core) =>
      Effect.gen(function* () {
        const reports: Array<Report> = []
        const a = puppet("a", { log: [] })
        const b = puppet("b", { log: [] })
        const tree = yield* core
          .supervisor({ path: "dyn", strategy: "one_for_all", intensity: 2, children: [a.spec, b.spec] })
          .pipe(Effect.provideService(core.Reports, { report: (report) => Effect.sync(() => reports.push(report)) }))
        yield* a.end("abnormal")
        yield* settled(tree)
        b.failures = 1
        yield* a.end("kill")
        yield* Fiber.await(tree.fiber)
        for (const report of reports) {
          assert.sameMembers(Object.keys(report), ["supervisor", "context", "reason", "child"])
          assert.strictEqual(report.supervisor, "dyn")
        }
        assert.deepEqual(
          reports.map(
            ({ context, reason, child }) => `${context} ${child} ${Cause.isCause(reason) ? "cause" : reason}`
          ),
          [
            "started a progress",
            "started b progress",
            "child_terminated a cause",
            "stopped b shutdown",
            "started a progress",
            "started b progress",
            "child_terminated a killed",
            "stopped b shutdown",
            "started a progress",
            "start_error b cause",
            "gave_up b shutdown",
            "stopped a shutdown"
          ]
        )
      })
  },
  {
    name: "a sink that dies takes nobody with it",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log })
        const tree = yield* core
          .supervisor({ path: "dyn", children: [a.spec] })
          .pipe(Effect.provideService(core.Reports, { report: () => Effect.dieMessage("sink") }))
        yield* a.end("abnormal")
        yield* settled(tree)
        assert.strictEqual(said(log), "+a -a +a")
      })
  }
]
