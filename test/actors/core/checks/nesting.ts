/** Supervisors as children: escalation, and supervisors that end with their significant children. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { ChildSpec } from "../../../../src/actors/core/supervision/child.ts"
import { type Check, type Core, type Puppet, living, puppet, said, settled } from "./core.ts"

const inner = (core: Core, log: Array<string>, children: ReadonlyArray<Puppet>, options: Partial<ChildSpec> = {}) => ({
  id: "inner",
  shutdown: "infinity" as const,
  ...options,
  start: Effect.tap(
    core.supervisor({ path: "root/inner", intensity: 1, children: children.map(({ spec }) => spec) }),
    () => Effect.sync(() => log.push("+inner"))
  )
})

export const nesting: ReadonlyArray<Check> = [
  {
    name: "a supervisor that gives up is restarted whole by its own; restarts multiply through the levels, then the root gives up",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const leaf = puppet("leaf", { log })
        const root = yield* core.supervisor({
          path: "root",
          intensity: 1,
          children: [puppet("first", { log }).spec, inner(core, log, [leaf, puppet("other", { log })])]
        })
        assert.strictEqual(said(log), "+first +leaf +other +inner")
        const crash = Effect.zipRight(leaf.end("abnormal"), turns(root))
        yield* crash
        assert.strictEqual(said(log), "-leaf +leaf")
        yield* crash
        assert.strictEqual(said(log), "-leaf -other +leaf +other +inner")
        yield* crash
        assert.strictEqual(said(log), "-leaf +leaf")
        yield* leaf.end("abnormal")
        const failure = yield* Effect.flip(Fiber.join(root.fiber))
        assert.deepInclude(failure, { _tag: "RestartIntensityExceeded", supervisor: "root", child: "inner" })
        assert.strictEqual(said(log), "-leaf -other -first")
      })
  },
  {
    name: "giving up is abnormal: a transient supervisor is restarted, a temporary one is not",
    run: (core) =>
      Effect.gen(function* () {
        for (const restart of ["transient", "temporary"] as const) {
          const log: Array<string> = []
          const leaf = puppet("leaf", { log })
          const root = yield* Effect.scoped(
            Effect.gen(function* () {
              const tree = yield* core.supervisor({ path: "root", children: [inner(core, log, [leaf], { restart })] })
              yield* Effect.zipRight(leaf.end("abnormal"), turns(tree))
              yield* Effect.zipRight(leaf.end("abnormal"), turns(tree))
              return yield* living(tree)
            })
          )
          assert.strictEqual(root, restart === "transient" ? "inner" : "")
        }
      })
  },
  {
    name: "any_significant: the supervisor ends normally, in reverse order, when one of them ends by itself",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const b = puppet("b", { log, restart: "transient", significant: true })
        const tree = yield* core.supervisor({
          path: "auto",
          autoShutdown: "any_significant",
          intensity: 3,
          children: [puppet("a", { log }).spec, b.spec, puppet("c", { log }).spec]
        })
        said(log)
        yield* b.end("abnormal")
        yield* settled(tree)
        assert.strictEqual(said(log), "-b +b")
        const guest = puppet("guest", { log, restart: "temporary" })
        yield* tree.ref.startChild(guest.spec)
        yield* guest.end("normal")
        yield* settled(tree)
        assert.strictEqual(said(log), "+guest -guest")
        yield* b.end("normal")
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(tree.fiber)))
        assert.strictEqual(said(log), "-b -c -a")
      })
  },
  {
    name: "all_significant: the last of them ends the supervisor, and one that was stopped counts as gone",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const significant = ["a", "b", "c"].map((id) => puppet(id, { log, restart: "temporary", significant: true }))
        const tree = yield* core.supervisor({
          path: "auto",
          autoShutdown: "all_significant",
          children: [...significant.map(({ spec }) => spec), puppet("d", { log }).spec]
        })
        said(log)
        yield* significant[0]?.end("abnormal") ?? Effect.die("no a")
        yield* tree.ref.stopChild("b")
        yield* settled(tree)
        assert.strictEqual(said(log), "-a -b")
        yield* significant[2]?.end("normal") ?? Effect.die("no c")
        yield* Fiber.join(tree.fiber)
        assert.strictEqual(said(log), "-c -d")
      })
  },
  {
    name: "a significant child that is stopped by request, or with a sibling's restart, does not end the supervisor",
    run: (core) =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const a = puppet("a", { log })
        const significant = (id: string) => puppet(id, { log, restart: "temporary", significant: true }).spec
        const tree = yield* core.supervisor({
          path: "auto",
          strategy: "one_for_all",
          autoShutdown: "any_significant",
          children: [a.spec, significant("b"), significant("c")]
        })
        yield* tree.ref.stopChild("b")
        yield* a.end("abnormal")
        yield* settled(tree)
        assert.strictEqual(yield* living(tree), "a")
      })
  },
  {
    name: "a permanent child cannot be significant, and significance without autoShutdown is a mistake",
    run: (core) =>
      Effect.gen(function* () {
        const permanent = yield* Effect.exit(
          core.supervisor({
            path: "auto",
            autoShutdown: "any_significant",
            children: [puppet("a", { log: [], significant: true }).spec]
          })
        )
        assert.include(String(permanent), "auto: a: a permanent child cannot be significant")
        const never = yield* Effect.exit(
          core.supervisor({
            path: "auto",
            children: [puppet("a", { log: [], restart: "transient", significant: true }).spec]
          })
        )
        assert.include(String(never), "auto: a: significant without autoShutdown")
      })
  }
]

/** Lets a whole tree settle: an inner supervisor's end becomes a turn of its own supervisor. */
const turns = (root: Parameters<typeof settled>[0]) =>
  Effect.repeatN(Effect.zipRight(Effect.yieldNow(), settled(root)), 20)
