/**
 * Whether the conformance checks can fail: each fault below is planted into a copy of the core, and the named check
 * must notice it.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { fileURLToPath, pathToFileURL } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestContext from "effect/TestContext"
import { sampleOf } from "../../support/proof.ts"
import { conformance } from "./checks/index.ts"
import { type Check, type Core, load, runCheck } from "./checks/core.ts"

interface Mutation {
  readonly fault: string
  readonly file: string
  /** Must occur exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** The check that must fail. */
  readonly noticedBy: string
}

const mutations: ReadonlyArray<Mutation> = [
  {
    fault: "the intensity is off by one: one restart too few",
    file: "supervision/intensity.ts",
    find: "restarts > this.max",
    replace: "restarts >= this.max",
    noticedBy:
      "as many restarts as the intensity are made, one more gives up: children stopped in reverse, a typed failure"
  },
  {
    fault: "the intensity is off by one: one restart too many",
    file: "supervision/intensity.ts",
    find: "restarts > this.max",
    replace: "restarts > this.max + 1",
    noticedBy:
      "as many restarts as the intensity are made, one more gives up: children stopped in reverse, a typed failure"
  },
  {
    fault: "the period excludes its end",
    file: "supervision/intensity.ts",
    find: "?? nowMs) > this.periodMs",
    replace: "?? nowMs) >= this.periodMs && this.oldest < this.times.length - 1",
    noticedBy: "a restart exactly one period ago still counts"
  },
  {
    fault: "restarts are never forgotten",
    file: "supervision/intensity.ts",
    find: "?? nowMs) > this.periodMs",
    replace: "?? nowMs) > Number.POSITIVE_INFINITY",
    noticedBy: "a restart one millisecond older than the period no longer counts"
  },
  {
    fault: "children stop in start order",
    file: "supervision/family.ts",
    find: "const reversed = group.toReversed()",
    replace: "const reversed = [...group]",
    noticedBy: "closing the supervisor stops its children in reverse order, never two at once"
  },
  {
    fault: "siblings of a restart stop in start order",
    file: "supervision/family.ts",
    find: "yield* this.stopGroup(group,",
    replace: "yield* this.stopGroup(group.toReversed(),",
    noticedBy: "one_for_all: a permanent child that ends by normal comes back"
  },
  {
    fault: "children stop all at once",
    file: "supervision/family.ts",
    find: "filter(({ dynamic }) => dynamic)",
    replace: "filter(() => true)",
    noticedBy: "closing the supervisor stops its children in reverse order, never two at once"
  },
  {
    fault: "dynamic children stop one after another",
    file: "supervision/family.ts",
    find: 'concurrency: "unbounded"',
    replace: "concurrency: 1",
    noticedBy:
      "dynamic children stop together: thirty take as long as one, and then the first ones follow in reverse order"
  },
  {
    fault: "a dynamic child counts as one of the first",
    file: "supervision/supervisor.ts",
    find: "around as Context.Context<unknown>), true)",
    replace: "around as Context.Context<unknown>), false)",
    noticedBy:
      "dynamic children stop together: thirty take as long as one, and then the first ones follow in reverse order"
  },
  {
    fault: "what a store had counts as one of the first",
    file: "supervision/supervisor.ts",
    find: "start(options.dynamic ?? [], true)",
    replace: "start(options.dynamic ?? [], false)",
    noticedBy: "what a store still had of dynamic children starts after the first ones and stops with its kind"
  },
  {
    fault: "the first children do not wait for the dynamic ones",
    file: "supervision/family.ts",
    find: "return Effect.zipRight(\n      Effect.forEach(together, stop",
    replace:
      "return ((one, two) => Effect.zipRight(one, two, { concurrent: true }))(\n      Effect.forEach(together, stop",
    noticedBy: "each dynamic child keeps its own deadlines: one that hangs is killed at its time and holds up no other"
  },
  {
    fault: "nobody is killed",
    file: "supervision/lifecycle.ts",
    find: "spec.kill !== undefined",
    replace: "spec.kill === null",
    noticedBy: "a child that does not end is killed after its shutdown time, not before, and its end is waited for"
  },
  {
    fault: "after a kill the successor does not wait for the scope to close",
    file: "supervision/lifecycle.ts",
    find: 'return (yield* endsWithin(closing, killWait)) ? { kind: "killed" } : { kind: "stuck" }',
    replace: 'return { kind: "killed" }',
    noticedBy: "a dead child whose scope does not close is killed too, and only then followed by its successor"
  },
  {
    fault: "the wait after a kill is not bounded",
    file: "supervision/lifecycle.ts",
    find: 'return (yield* endsWithin(closing, killWait)) ? { kind: "killed" } : { kind: "stuck" }',
    replace: 'yield* Fiber.await(closing)\n    return { kind: "killed" }',
    noticedBy: "when even a kill does not help, the wait is bounded: reported, and a successor starts"
  },
  {
    fault: "a dead child's scope is not closed before its successor starts",
    file: "supervision/family.ts",
    find: "yield* this.end(child, life, exit)\n      if (comesBack",
    replace: "child.life = undefined\n      yield* Effect.forkDaemon(this.end(child, life, exit))\n      if (comesBack",
    noticedBy: "a dead child's scope is closed before its successor starts"
  },
  {
    fault: "a dead child's scope is never closed",
    file: "supervision/family.ts",
    find: "yield* this.end(child, life, exit)\n      if (comesBack",
    replace: "child.life = undefined\n      if (comesBack",
    noticedBy: "one_for_one: a permanent child that ends by normal comes back"
  },
  {
    fault: "a temporary sibling is restarted with its group",
    file: "supervision/family.ts",
    find: 'spec.restart === "temporary")',
    replace: "spec.restart === undefined && false)",
    noticedBy: "one_for_all: a permanent child that ends by normal comes back"
  },
  {
    fault: "a transient child comes back from a normal end",
    file: "supervision/strategy.ts",
    find: 'return reason !== "normal"',
    replace: "return true",
    noticedBy: "one_for_one: a transient child that ends by normal stays away"
  },
  {
    fault: "a kill counts as a normal end",
    file: "supervision/strategy.ts",
    find: 'return reason !== "normal"',
    replace: 'return reason !== "normal" && reason !== "killed"',
    noticedBy: "one_for_one: a transient child that ends by kill comes back"
  },
  {
    fault: "rest_for_one restarts those before as well",
    file: "supervision/strategy.ts",
    find: "return children.slice(children.indexOf(dead))",
    replace: "return children",
    noticedBy: "rest_for_one: a permanent child that ends by normal comes back"
  },
  {
    fault: "a failed restart is not tried again",
    file: "supervision/family.ts",
    find: "this.options.retryLater(sibling)",
    replace: "",
    noticedBy: "a restart that fails is tried again, and each attempt counts"
  },
  {
    fault: "a failed restart counts for nothing",
    file: "supervision/family.ts",
    find: "this.children.includes(child) ? this.restart(child) : Effect.void",
    replace: "this.children.includes(child) ? Effect.asVoid(this.start(child)) : Effect.void",
    noticedBy: "a restart that fails is tried again, and each attempt counts"
  },
  {
    fault: "the exit of an earlier life is taken for one of this life",
    file: "supervision/family.ts",
    find: "if (child.life !== life) return false",
    replace: "if (child.life === undefined) return false",
    noticedBy: "one_for_all: a permanent child that ends by normal comes back"
  },
  {
    fault: "a significant child that is stopped ends its supervisor",
    file: "supervision/family.ts",
    find: "if (child.life !== life) return false",
    replace: "if (child.life !== life) return endsSupervisor(this.options.autoShutdown, child.spec, [])",
    noticedBy: "all_significant: the last of them ends the supervisor, and one that was stopped counts as gone"
  },
  {
    fault: "the end of any child that stays away ends the supervisor",
    file: "supervision/strategy.ts",
    find: "gone.significant === true &&",
    replace: "",
    noticedBy: "any_significant: the supervisor ends normally, in reverse order, when one of them ends by itself"
  },
  {
    fault: "a wait in a finalizer is cut short by the interrupt that its supervisor dies of",
    file: "supervision/lifecycle.ts",
    find: "Effect.forkDaemon,\n      Effect.flatMap(Fiber.join),",
    replace: "",
    noticedBy: "deadlines hold while the supervisor itself is being closed"
  },
  {
    fault: "a request to a stopped supervisor waits for ever",
    file: "supervision/supervisor.ts",
    find: "over = true",
    replace: "over = false",
    noticedBy: "a stopped supervisor refuses: no request hangs, not even one that was waiting"
  },
  {
    fault: "timers are never cancelled",
    file: "machine/works.ts",
    find: "return this.remove(`timer:${id}`)",
    replace: "return Effect.sync(() => void this.live.delete(`timer:${id}`))",
    noticedBy: "a timer is cancelled with its state: no fiber is left of it, and re-entering starts it anew"
  },
  {
    fault: "timers are neither cancelled nor told from those of the next visit",
    file: "machine/works.ts",
    find: "return this.live.get(work.key) === work",
    replace: "return true",
    noticedBy: "a timer that fired while its state was being left is not taken for one of the next visit"
  },
  {
    fault: "an activity is interrupted and not waited for",
    file: "machine/works.ts",
    find: ": Effect.flatMap(Fiber.interrupt(work.fiber), (exit) =>",
    replace: ": Effect.flatMap(Effect.as(Fiber.interruptFork(work.fiber), Exit.void), (exit) =>",
    noticedBy: "leaving a state interrupts its activity and waits for its finalizers before the next one enters"
  },
  {
    fault: "a defect of an activity is told as a failure",
    file: "machine/works.ts",
    find: "return { event, work, defect }",
    replace: "return { event, work }",
    noticedBy: "a defect of an activity kills the actor, even though the chart has an onError"
  },
  {
    fault: "an actor's end leaves its activities running",
    file: "machine/machine-actor.ts",
    find: "yield* works.stop.pipe(",
    replace: "yield* Effect.void.pipe(",
    noticedBy: "a defect of a finalizer, met on closing the scope, is part of the actor's exit"
  },
  {
    fault: "an impure action is ignored",
    file: "machine/machine-actor.ts",
    find: "return Effect.dieMessage(`${path}: impure action ${action.type}`)",
    replace: "return Effect.void",
    noticedBy: "an action that is a function kills the actor"
  },
  {
    fault: "an actor is started before it is initialised",
    file: "machine/machine-actor.ts",
    find: "yield* Deferred.await(ready)",
    replace: "yield* Effect.void",
    noticedBy: "commands are performed in order, inside the turn, with the actor itself"
  }
]

const checks = Object.values(conformance).flat()

const source = fileURLToPath(new URL("../../../src/", import.meta.url))
const folder = fileURLToPath(new URL(".mutants/", import.meta.url))
let home = ""

beforeAll(async () => {
  await mkdir(folder, { recursive: true })
  home = await mkdtemp(`${folder}run-`)
})
afterAll(() => rm(home, { recursive: true, force: true }))

const copyCore = async (name: string): Promise<string> => {
  const copy = `${home}/${name}`
  await cp(`${source}actors/core`, `${copy}/actors/core`, { recursive: true })
  for (const file of ["activity.ts", "invariant.ts"]) await cp(`${source}machines/${file}`, `${copy}/machines/${file}`)
  return `${copy}/actors/core/`
}

const plant = async (number: number, { file, find, replace }: Mutation): Promise<Core> => {
  const copy = await copyCore(String(number))
  const text = await readFile(copy + file, "utf8")
  assert.strictEqual(text.split(find).length, 2, `${file} does not contain once: ${find}`)
  await writeFile(
    copy + file,
    text.replace(find, () => replace)
  )
  return load(pathToFileURL(copy))
}

/** A check that does not come to its end, in real time, has failed too. */
const passes = async (core: Core, check: Check): Promise<boolean> => {
  const fiber = Effect.runFork(Effect.provide(runCheck(core, check), TestContext.TestContext))
  const exit = await Promise.race([Effect.runPromise(Fiber.await(fiber)), inThreeSeconds()])
  return exit !== undefined && Exit.isSuccess(exit)
}

const inThreeSeconds = (): Promise<undefined> => Effect.runPromise(Effect.as(Effect.sleep("3 seconds"), undefined))

it("a copy without a fault passes every check that is to notice one", { timeout: 60_000 }, async () => {
  const core = await load(pathToFileURL(await copyCore("sound")))
  const named = new Set(mutations.map(({ noticedBy }) => noticedBy))
  for (const check of checks) if (named.has(check.name)) assert.isTrue(await passes(core, check), check.name)
})

describe("a planted fault is noticed:", () => {
  for (const [number, mutation] of sampleOf([...mutations.entries()], 10)) {
    it(mutation.fault, { timeout: 60_000 }, async () => {
      const core = await plant(number, mutation)
      const check = checks.find(({ name }) => name === mutation.noticedBy)
      if (check === undefined) return assert.fail(`no check named ${mutation.noticedBy}`)
      assert.isFalse(await passes(core, check), `"${check.name}" passes`)
    })
  }
})
