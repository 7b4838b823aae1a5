/** Children that come and go, requests to a supervisor, and what is reported. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
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
