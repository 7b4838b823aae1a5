/** Deadlines: what happens to a child that does not end. */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import type { ChildSpec } from "../../../../src/actors/core/supervision/child.ts"
import type { Report } from "../../../../src/actors/core/reports.ts"
import { type Check, puppet, said, settled } from "./core.ts"

/** A child whose finalizer hangs until it is killed, and then takes `afterKillMs` more. */
const stubborn = (log: Array<string>, afterKillMs: number, options: Partial<ChildSpec> = {}) =>
  Effect.map(Deferred.make<void>(), (killed) => ({
    spec: {
      id: "stubborn",
      ...options,
      kill: Effect.zipRight(
        Effect.sync(() => log.push("kill")),
        Deferred.succeed(killed, undefined)
      ),
      start: Effect.gen(function* () {
        yield* Effect.acquireRelease(
          Effect.sync(() => log.push("+stubborn")),
          () =>
            Deferred.await(killed).pipe(
              Effect.zipRight(Effect.sleep(afterKillMs)),
              Effect.zipRight(Effect.sync(() => log.push("-stubborn")))
            )
        )
        return { fiber: yield* Effect.forkScoped(Effect.never) }
      })
    } satisfies ChildSpec
  }))

export const shutdown: ReadonlyArray<Check> = [
  {
    name: "a child that does not end is killed after its shutdown time, not before, and its end is waited for",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const { spec } = yield* stubborn(log, 300, { shutdown: "2 seconds" })
        const tree = yield* core.supervisor({ path: "stop", children: [puppet("a", { log }).spec, spec] })
        said(log)
        const stopping = yield* Effect.fork(tree.ref.stopChild("stubborn"))
        yield* TestClock.adjust("1999 millis")
        assert.strictEqual(said(log), "")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(said(log), "kill")
        yield* TestClock.adjust("299 millis")
        assert.strictEqual(said(log), "")
        yield* TestClock.adjust("1 millis")
        assert.isTrue(yield* Fiber.join(stopping))
        assert.strictEqual(said(log), "-stubborn")
      })
  },
  {
    name: "without a shutdown time it is 5 s",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const { spec } = yield* stubborn(log, 0)
        const tree = yield* core.supervisor({ path: "stop", children: [spec] })
        const stopping = yield* Effect.fork(tree.ref.stopChild("stubborn"))
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(said(log), "+stubborn")
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(stopping)
        assert.strictEqual(said(log), "kill -stubborn")
      })
  },
  {
    name: "brutal kills at once and still waits for the end",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const { spec } = yield* stubborn(log, 100, { shutdown: "brutal" })
        const tree = yield* core.supervisor({ path: "stop", children: [spec] })
        const stopping = yield* Effect.fork(tree.ref.stopChild("stubborn"))
        yield* TestClock.adjust(0)
        assert.strictEqual(said(log), "+stubborn kill")
        yield* TestClock.adjust("100 millis")
        assert.isTrue(yield* Fiber.join(stopping))
        assert.strictEqual(said(log), "-stubborn")
      })
  },
  {
    name: "infinity waits for as long as it takes and never kills",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const slow = puppet("slow", {
          log,
          closeMs: 3_600_000,
          shutdown: "infinity",
          kill: Effect.sync(() => log.push("kill"))
        })
        const tree = yield* core.supervisor({ path: "stop", children: [slow.spec] })
        const stopping = yield* Effect.fork(tree.ref.stopChild("slow"))
        yield* TestClock.adjust("59 minutes")
        assert.strictEqual(said(log), "+slow")
        yield* TestClock.adjust("1 minutes")
        assert.isTrue(yield* Fiber.join(stopping))
        assert.strictEqual(said(log), "-slow")
      })
  },
  {
    name: "a child that ends in time is not killed",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const child = puppet("a", {
          log,
          closeMs: 1_999,
          shutdown: "2 seconds",
          kill: Effect.sync(() => log.push("kill"))
        })
        const tree = yield* core.supervisor({ path: "stop", children: [child.spec] })
        const stopping = yield* Effect.fork(tree.ref.stopChild("a"))
        yield* TestClock.adjust("1999 millis")
        assert.isTrue(yield* Fiber.join(stopping))
        yield* TestClock.adjust("1 minutes")
        assert.strictEqual(said(log), "+a -a")
      })
  },
  {
    name: "a dead child whose scope does not close is killed too, and only then followed by its successor",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const { spec } = yield* stubborn(log, 300, { shutdown: "1 seconds" })
        const mortal = { ...spec, start: Effect.tap(spec.start, ({ fiber }) => Effect.forkDaemon(bite(fiber))) }
        const bite = (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
          log.length > 1 ? Effect.void : Fiber.interrupt(fiber)
        const tree = yield* core.supervisor({ path: "stop", children: [mortal] })
        yield* TestClock.adjust("999 millis")
        assert.strictEqual(log.join(" "), "+stubborn")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(log.join(" "), "+stubborn kill")
        yield* TestClock.adjust("299 millis")
        assert.strictEqual(log.join(" "), "+stubborn kill")
        yield* TestClock.adjust("1 millis")
        yield* settled(tree)
        assert.strictEqual(log.join(" "), "+stubborn kill -stubborn +stubborn")
      })
  },
  {
    name: "when even a kill does not help, the wait is bounded: reported, and a successor starts",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const reports: Array<Report> = []
        const stuck = puppet("a", { log, closeMs: 3_600_000, shutdown: "1 seconds" })
        const tree = yield* core
          .supervisor({ path: "stop", killWait: "2 seconds", children: [stuck.spec] })
          .pipe(Effect.provideService(core.Reports, { report: (report) => Effect.sync(() => reports.push(report)) }))
        yield* stuck.end("abnormal")
        yield* TestClock.adjust("2999 millis")
        assert.strictEqual(said(log), "+a")
        yield* TestClock.adjust("1 millis")
        yield* settled(tree)
        assert.strictEqual(said(log), "+a")
        assert.deepInclude(reports, { supervisor: "stop", context: "shutdown_error", reason: "timeout", child: "a" })
      })
  },
  {
    name: "a kill that hangs is bounded as well",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const stuck = puppet("a", { log, closeMs: 3_600_000, shutdown: "brutal", kill: Effect.never })
        const tree = yield* core.supervisor({ path: "stop", killWait: "2 seconds", children: [stuck.spec] })
        const stopping = yield* Effect.fork(tree.ref.stopChild("a"))
        yield* TestClock.adjust("4 seconds")
        assert.isTrue(yield* Fiber.join(stopping))
      })
  },
  {
    name: "deadlines hold while the supervisor itself is being closed",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const { spec } = yield* stubborn(log, 0, { shutdown: "2 seconds" })
        const outer = yield* core.supervisor({
          path: "outer",
          children: [
            {
              id: "inner",
              shutdown: "infinity",
              start: core.supervisor({ path: "outer/inner", children: [puppet("a", { log }).spec, spec] })
            }
          ]
        })
        said(log)
        const stopping = yield* Effect.fork(outer.ref.stopChild("inner"))
        yield* TestClock.adjust("1999 millis")
        assert.strictEqual(said(log), "")
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(stopping)
        assert.strictEqual(said(log), "kill -stubborn -a")
        assert.strictEqual(yield* Clock.currentTimeMillis, 2_000)
      })
  },
  {
    name: "a finalizer that dies is reported and stops nobody else from ending",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const reports: Array<Report> = []
        const broken: ChildSpec = {
          id: "broken",
          start: Effect.zipRight(
            Effect.addFinalizer(() => Effect.dieMessage("finalizer")),
            core.task(Effect.never)
          )
        }
        const tree = yield* core
          .supervisor({ path: "stop", strategy: "one_for_all", children: [puppet("a", { log }).spec, broken] })
          .pipe(Effect.provideService(core.Reports, { report: (report) => Effect.sync(() => reports.push(report)) }))
        assert.isTrue(yield* tree.ref.stopChild("broken"))
        assert.isTrue(yield* tree.ref.stopChild("a"))
        assert.strictEqual(said(log), "+a -a")
        assert.deepEqual(
          reports.filter(({ context }) => context === "shutdown_error").map(({ child }) => child),
          ["broken"]
        )
      })
  }
]
