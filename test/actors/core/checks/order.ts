/** In which order children start and stop, and what happens when that is cut short. */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { setup } from "xstate"
import { type Check, puppet, said, settled } from "./core.ts"

export const order: ReadonlyArray<Check> = [
  {
    name: "children start one after another, each initialised before the next, and the supervisor returns after the last",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const starting = yield* Effect.fork(
          core.supervisor({
            path: "order",
            children: ["a", "b", "c"].map((id) => puppet(id, { log, initMs: 100 }).spec)
          })
        )
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(said(log), "+a")
        yield* TestClock.adjust("199 millis")
        assert.strictEqual(said(log), "+b")
        assert.isNull(yield* Effect.map(Fiber.poll(starting), (exit) => (exit._tag === "None" ? null : exit)))
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(starting)
        assert.strictEqual(said(log), "+c")
      })
  },
  {
    name: "closing the supervisor stops its children in reverse order, never two at once",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const children = ["a", "b", "c"].map((id) => puppet(id, { log, closeMs: 100 }).spec)
        yield* Scope.extend(core.supervisor({ path: "order", children }), scope)
        said(log)
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(said(log), "-c")
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(said(log), "-b")
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(closing)
        assert.strictEqual(said(log), "-a")
        assert.strictEqual(yield* Clock.currentTimeMillis, 300)
      })
  },
  {
    name: "a child that cannot start ends those before it in reverse order and fails the supervisor with its id",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const children = ["a", "b", "c", "d"].map((id) => puppet(id, { log }))
        const c = children[2]
        if (c !== undefined) c.failures = 1
        const failure = yield* Effect.flip(
          core.supervisor({ path: "order", children: children.map(({ spec }) => spec) })
        )
        assert.strictEqual(said(log), "+a +b !c -b -a")
        assert.deepInclude(failure, { _tag: "ChildStartFailed", supervisor: "order", child: "c" })
      })
  },
  {
    name: "a start that dies of a bug is a failed start as well",
    run: (core) =>
      Effect.gen(function* () {
        const failure = yield* Effect.flip(
          core.supervisor({ path: "order", children: [{ id: "a", start: Effect.dieMessage("bug") }] })
        )
        assert.deepInclude(failure, { _tag: "ChildStartFailed", child: "a" })
      })
  },
  {
    name: "closed while a child starts, the supervisor ends that start, releases what it had and stops the others",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const half = Effect.gen(function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => log.push("+half")),
            () => Effect.sync(() => log.push("-half"))
          )
          return yield* Effect.never
        })
        const starting = yield* Effect.fork(
          Scope.extend(
            core.supervisor({ path: "order", children: [puppet("a", { log }).spec, { id: "b", start: half }] }),
            scope
          )
        )
        yield* TestClock.adjust(0)
        assert.strictEqual(said(log), "+a +half")
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(said(log), "-half -a")
        assert.isTrue(Exit.isFailure(yield* Fiber.await(starting)))
      })
  },
  {
    name: "closed while it stops a group for a restart, the supervisor finishes each stop and starts nothing",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const a = puppet("a", { log })
        yield* Scope.extend(
          core.supervisor({
            path: "order",
            strategy: "one_for_all",
            children: [a.spec, puppet("b", { log, closeMs: 1_000 }).spec]
          }),
          scope
        )
        yield* a.end("abnormal")
        yield* TestClock.adjust("500 millis")
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("499 millis")
        assert.strictEqual(said(log), "+a +b -a")
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(closing)
        assert.match(said(log), /^-b( \+a -a)?( \+b -b)?$/)
      })
  },
  {
    name: "started where nothing can be interrupted, as in an acquire, children and charts can still be stopped",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const scope = yield* Scope.make()
        const machine = setup({}).createMachine({ id: "m", after: { 9_000: {} } })
        const children = [
          puppet("a", { log }).spec,
          { id: "m", start: core.machineActor({ path: "order/m", machine }) }
        ]
        yield* core.supervisor({ path: "order", children }).pipe(Effect.uninterruptible, Scope.extend(scope))
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        yield* TestClock.adjust(0)
        assert.isTrue((yield* Fiber.poll(closing))._tag === "Some")
        assert.strictEqual(said(log), "+a -a")
      })
  },
  {
    name: "a dead child's scope is closed before its successor starts",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log, closeMs: 200 })
        const tree = yield* core.supervisor({ path: "order", children: [a.spec] })
        yield* a.end("abnormal")
        yield* TestClock.adjust("199 millis")
        assert.strictEqual(said(log), "+a")
        yield* TestClock.adjust("1 millis")
        yield* settled(tree)
        assert.strictEqual(said(log), "-a +a")
      })
  }
]
