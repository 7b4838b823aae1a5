/** The fuse: how many restarts, of whom, within how long. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { type Check, living, puppet, said, settled } from "./core.ts"

export const intensity: ReadonlyArray<Check> = [
  {
    name: "as many restarts as the intensity are made, one more gives up: children stopped in reverse, a typed failure",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const b = puppet("b", { log })
        const tree = yield* core.supervisor({
          path: "fuse",
          intensity: 3,
          period: "5 seconds",
          children: [puppet("a", { log }).spec, b.spec, puppet("c", { log }).spec]
        })
        said(log)
        for (let crash = 1; crash <= 3; crash++) {
          yield* b.end("abnormal")
          yield* settled(tree)
          assert.strictEqual(said(log), "-b +b")
        }
        yield* b.end("abnormal")
        const failure = yield* Effect.flip(Fiber.join(tree.fiber))
        assert.deepInclude(failure, {
          _tag: "RestartIntensityExceeded",
          supervisor: "fuse",
          child: "b",
          restarts: 4,
          periodMs: 5_000
        })
        assert.strictEqual(said(log), "-b -c -a")
      })
  },
  {
    name: "without options the intensity is 1 in 5 s",
    run: (core) =>
      Effect.gen(function* () {
        const a = puppet("a", { log: [] })
        const tree = yield* core.supervisor({ path: "fuse", children: [a.spec] })
        yield* a.end("abnormal")
        yield* settled(tree)
        yield* TestClock.adjust("5001 millis")
        yield* a.end("abnormal")
        yield* settled(tree)
        yield* a.end("abnormal")
        assert.deepInclude(yield* Effect.flip(Fiber.join(tree.fiber)), { restarts: 2, periodMs: 5_000 })
      })
  },
  {
    name: "a restart exactly one period ago still counts",
    run: (core) =>
      Effect.gen(function* () {
        const a = puppet("a", { log: [] })
        const tree = yield* core.supervisor({ path: "fuse", intensity: 1, period: "5 seconds", children: [a.spec] })
        yield* a.end("abnormal")
        yield* settled(tree)
        yield* TestClock.adjust("5000 millis")
        yield* a.end("abnormal")
        assert.isTrue(Exit.isFailure(yield* Fiber.await(tree.fiber)))
      })
  },
  {
    name: "a restart one millisecond older than the period no longer counts",
    run: (core) =>
      Effect.gen(function* () {
        const a = puppet("a", { log: [] })
        const tree = yield* core.supervisor({ path: "fuse", intensity: 1, period: "5 seconds", children: [a.spec] })
        for (let crash = 1; crash <= 10; crash++) {
          yield* a.end("abnormal")
          yield* settled(tree)
          yield* TestClock.adjust("5001 millis")
        }
        assert.strictEqual(yield* living(tree), "a")
      })
  },
  {
    name: "intensity 0 gives up at the first death",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log })
        const tree = yield* core.supervisor({ path: "fuse", intensity: 0, children: [a.spec] })
        yield* a.end("normal")
        assert.deepInclude(yield* Effect.flip(Fiber.join(tree.fiber)), { restarts: 1 })
        assert.strictEqual(said(log), "+a -a")
      })
  },
  {
    name: "all children share one count",
    run: (core) =>
      Effect.gen(function* () {
        const [a, b, c] = [puppet("a", { log: [] }), puppet("b", { log: [] }), puppet("c", { log: [] })]
        const tree = yield* core.supervisor({ path: "fuse", intensity: 2, children: [a.spec, b.spec, c.spec] })
        yield* a.end("abnormal")
        yield* b.end("kill")
        yield* settled(tree)
        assert.strictEqual(yield* living(tree), "a b c")
        yield* c.end("normal")
        assert.deepInclude(yield* Effect.flip(Fiber.join(tree.fiber)), { child: "c", restarts: 3 })
      })
  },
  {
    name: "the restart of a whole group counts once",
    run: (core) =>
      Effect.gen(function* () {
        const a = puppet("a", { log: [] })
        const others = ["b", "c", "d", "e"].map((id) => puppet(id, { log: [] }).spec)
        const tree = yield* core.supervisor({
          path: "fuse",
          strategy: "rest_for_one",
          intensity: 2,
          children: [a.spec, ...others]
        })
        yield* a.end("abnormal")
        yield* settled(tree)
        yield* a.end("abnormal")
        yield* settled(tree)
        assert.strictEqual(yield* living(tree), "a b c d e")
      })
  },
  {
    name: "the end of a temporary child, and the normal end of a transient one, count for nothing",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log, restart: "temporary" })
        const b = puppet("b", { log, restart: "transient" })
        const tree = yield* core.supervisor({ path: "fuse", intensity: 0, children: [a.spec, b.spec] })
        yield* a.end("abnormal")
        yield* b.end("normal")
        yield* settled(tree)
        assert.strictEqual(said(log), "+a +b -a -b")
        assert.strictEqual(yield* living(tree), "")
      })
  },
  {
    name: "a restart that fails is tried again, and each attempt counts",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log })
        const tree = yield* core.supervisor({ path: "fuse", intensity: 3, children: [a.spec] })
        a.failures = 2
        yield* a.end("abnormal")
        for (let turn = 1; turn <= 3; turn++) yield* settled(tree)
        assert.strictEqual(said(log), "+a -a !a !a +a")
        a.failures = 1
        yield* a.end("abnormal")
        assert.deepInclude(yield* Effect.flip(Fiber.join(tree.fiber)), { child: "a", restarts: 4 })
        assert.strictEqual(said(log), "-a")
      })
  },
  {
    name: "a restart that fails inside a group leaves the rest for its next attempt, in order",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const [a, b, c] = [puppet("a", { log }), puppet("b", { log }), puppet("c", { log })]
        const tree = yield* core.supervisor({
          path: "fuse",
          strategy: "one_for_all",
          intensity: 5,
          children: [a.spec, b.spec, c.spec]
        })
        said(log)
        b.failures = 1
        yield* c.end("abnormal")
        for (let turn = 1; turn <= 2; turn++) yield* settled(tree)
        assert.strictEqual(said(log), "-c -b -a +a !b -a +a +b +c")
        assert.strictEqual(yield* living(tree), "a b c")
      })
  },
  {
    name: "a stop gets in between two attempts of a restart that fails for ever",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log })
        const tree = yield* core.supervisor({
          path: "fuse",
          intensity: 1_000_000,
          children: [a.spec, puppet("b", { log }).spec]
        })
        a.failures = Number.POSITIVE_INFINITY
        yield* a.end("abnormal")
        assert.isTrue(yield* tree.ref.stopChild("a"))
        assert.strictEqual(yield* living(tree), "b")
        log.length = 0
        yield* settled(tree)
        assert.strictEqual(said(log), "")
      })
  }
]
