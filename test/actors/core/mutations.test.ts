/**
 * Whether the conformance checks can fail: each fault below is planted into a copy of the core, and at least one check
 * of the named subject must notice it.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { fileURLToPath, pathToFileURL } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestContext from "effect/TestContext"
import { conformance } from "./checks/index.ts"
import { type Check, type Core, load, runCheck } from "./checks/core.ts"

interface Mutation {
  readonly fault: string
  readonly file: string
  /** Must occur exactly once in the file. */
  readonly find: string
  readonly replace: string
  readonly subject: string
}

const table = "strategy × restart type × end"
const charts = "charts as actors"

const mutations: ReadonlyArray<Mutation> = [
  {
    fault: "the intensity is off by one: one restart too few",
    file: "intensity.ts",
    find: "this.times.length > this.max",
    replace: "this.times.length >= this.max",
    subject: "intensity"
  },
  {
    fault: "the intensity is off by one: one restart too many",
    file: "intensity.ts",
    find: "this.times.length > this.max",
    replace: "this.times.length > this.max + 1",
    subject: "intensity"
  },
  {
    fault: "the period excludes its end",
    file: "intensity.ts",
    find: "nowMs - time <= this.periodMs",
    replace: "nowMs - time < this.periodMs",
    subject: "intensity"
  },
  {
    fault: "restarts are never forgotten",
    file: "intensity.ts",
    find: "nowMs - time <= this.periodMs",
    replace: "true",
    subject: "intensity"
  },
  {
    fault: "children stop in start order",
    file: "family.ts",
    find: "const children = this.children.toReversed()",
    replace: "const children = [...this.children]",
    subject: "order"
  },
  {
    fault: "siblings of a restart stop in start order",
    file: "family.ts",
    find: "of group.toReversed()",
    replace: "of group",
    subject: table
  },
  {
    fault: "children stop all at once",
    file: "family.ts",
    find: "{\n      discard: true\n    }",
    replace: "{\n      discard: true,\n      concurrency: 'unbounded'\n    }",
    subject: "order"
  },
  {
    fault: "nobody is killed",
    file: "lifecycle.ts",
    find: "spec.kill !== undefined",
    replace: "spec.kill === null",
    subject: "shutdown"
  },
  {
    fault: "after a kill the successor does not wait for the scope to close",
    file: "lifecycle.ts",
    find: 'return (yield* endsWithin(closing, killWait)) ? { kind: "killed" } : { kind: "stuck" }',
    replace: 'return { kind: "killed" }',
    subject: "shutdown"
  },
  {
    fault: "the wait after a kill is not bounded",
    file: "lifecycle.ts",
    find: 'return (yield* endsWithin(closing, killWait)) ? { kind: "killed" } : { kind: "stuck" }',
    replace: 'yield* Fiber.await(closing)\n    return { kind: "killed" }',
    subject: "shutdown"
  },
  {
    fault: "a dead child's scope is not closed before its successor starts",
    file: "family.ts",
    find: "yield* this.end(child, life, exit)\n      if (comesBack",
    replace: "child.life = undefined\n      yield* Effect.forkDaemon(this.end(child, life, exit))\n      if (comesBack",
    subject: "order"
  },
  {
    fault: "a dead child's scope is never closed",
    file: "family.ts",
    find: "yield* this.end(child, life, exit)\n      if (comesBack",
    replace: "child.life = undefined\n      if (comesBack",
    subject: table
  },
  {
    fault: "a temporary sibling is restarted with its group",
    file: "family.ts",
    find: 'if (sibling.spec.restart === "temporary") this.forget(sibling)',
    replace: "",
    subject: table
  },
  {
    fault: "a transient child comes back from a normal end",
    file: "strategy.ts",
    find: 'return reason !== "normal"',
    replace: "return true",
    subject: table
  },
  {
    fault: "a kill counts as a normal end",
    file: "strategy.ts",
    find: 'return reason !== "normal"',
    replace: 'return reason !== "normal" && reason !== "killed"',
    subject: table
  },
  {
    fault: "rest_for_one restarts those before as well",
    file: "strategy.ts",
    find: "return children.slice(children.indexOf(dead))",
    replace: "return children",
    subject: table
  },
  {
    fault: "a failed restart is not tried again",
    file: "family.ts",
    find: "this.options.retryLater(sibling)",
    replace: "",
    subject: "intensity"
  },
  {
    fault: "a failed restart counts for nothing",
    file: "family.ts",
    find: "this.children.includes(child) ? this.restart(child) : Effect.void",
    replace: "this.children.includes(child) ? Effect.asVoid(this.start(child)) : Effect.void",
    subject: "intensity"
  },
  {
    fault: "the exit of an earlier life is taken for one of this life",
    file: "family.ts",
    find: "if (child.life !== life) return false",
    replace: "if (child.life === undefined) return false",
    subject: table
  },
  {
    fault: "a significant child that is stopped ends its supervisor",
    file: "family.ts",
    find: "if (child.life !== life) return false",
    replace: "if (child.life !== life) return endsSupervisor(this.options.autoShutdown, child.spec, [])",
    subject: "nesting"
  },
  {
    fault: "the end of any child that stays away ends the supervisor",
    file: "strategy.ts",
    find: "gone.significant === true &&",
    replace: "",
    subject: "nesting"
  },
  {
    fault: "a wait in a finalizer is cut short by the interrupt that its supervisor dies of",
    file: "lifecycle.ts",
    find: "Effect.forkDaemon,\n    Effect.flatMap(Fiber.join),",
    replace: "",
    subject: "shutdown"
  },
  {
    fault: "a request to a stopped supervisor waits for ever",
    file: "supervisor.ts",
    find: "over = true",
    replace: "over = false",
    subject: "dynamic children and reports"
  },
  {
    fault: "timers are never cancelled",
    file: "works.ts",
    find: "return this.remove(`timer:${id}`)",
    replace: "return Effect.sync(() => void this.live.delete(`timer:${id}`))",
    subject: charts
  },
  {
    fault: "timers are neither cancelled nor told from those of the next visit",
    file: "works.ts",
    find: "return this.live.get(work.key) === work",
    replace: "return true",
    subject: charts
  },
  {
    fault: "an activity is interrupted and not waited for",
    file: "works.ts",
    find: ": Effect.flatMap(Fiber.interrupt(work.fiber), (exit) =>",
    replace: ": Effect.flatMap(Effect.as(Fiber.interruptFork(work.fiber), Exit.void), (exit) =>",
    subject: charts
  },
  {
    fault: "a defect of an activity is told as a failure",
    file: "works.ts",
    find: "return { event, work, defect }",
    replace: "return { event, work }",
    subject: charts
  },
  {
    fault: "an actor's end leaves its activities running",
    file: "machine-actor.ts",
    find: "yield* works.stop.pipe(",
    replace: "yield* Effect.void.pipe(",
    subject: charts
  },
  {
    fault: "an impure action is ignored",
    file: "machine-actor.ts",
    find: "return Effect.dieMessage(`${path}: impure action ${action.type}`)",
    replace: "return Effect.void",
    subject: charts
  },
  {
    fault: "an actor is started before it is initialised",
    file: "machine-actor.ts",
    find: "yield* Deferred.await(ready)",
    replace: "yield* Effect.void",
    subject: charts
  }
]

const source = fileURLToPath(new URL("../../../src/", import.meta.url))
const folder = fileURLToPath(new URL(".mutants/", import.meta.url))
let home = ""

beforeAll(async () => {
  await mkdir(folder, { recursive: true })
  home = await mkdtemp(`${folder}run-`)
})
afterAll(() => rm(home, { recursive: true, force: true }))

const plant = async (number: number, { file, find, replace }: Mutation): Promise<Core> => {
  const copy = `${home}/${number}`
  await cp(`${source}actors/core`, `${copy}/actors/core`, { recursive: true })
  await cp(`${source}machines/activity.ts`, `${copy}/machines/activity.ts`)
  const path = `${copy}/actors/core/${file}`
  const text = await readFile(path, "utf8")
  assert.strictEqual(text.split(find).length, 2, `${file} does not contain once: ${find}`)
  await writeFile(
    path,
    text.replace(find, () => replace)
  )
  return load(pathToFileURL(`${copy}/actors/core/`))
}

/** A check that does not come to its end, in real time, has failed too. */
const passes = async (core: Core, check: Check): Promise<boolean> => {
  const fiber = Effect.runFork(Effect.provide(runCheck(core, check), TestContext.TestContext))
  const exit = await Promise.race([Effect.runPromise(Fiber.await(fiber)), inTwoSeconds()])
  return exit !== undefined && Exit.isSuccess(exit)
}

const inTwoSeconds = (): Promise<undefined> => Effect.runPromise(Effect.as(Effect.sleep("2 seconds"), undefined))

describe("a planted fault is noticed:", () => {
  for (const [number, mutation] of mutations.entries()) {
    it(mutation.fault, { timeout: 30_000 }, async () => {
      const core = await plant(number, mutation)
      const checks = conformance[mutation.subject] ?? []
      assert.isNotEmpty(checks)
      for (const check of checks) if (!(await passes(core, check))) return
      assert.fail(`all ${checks.length} checks of "${mutation.subject}" pass`)
    })
  }
})
