/**
 * A conformance check is a plain function of an implementation: the same checks run against the core and against
 * copies of it with a planted fault, of which each must fail at least one.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import type * as ActorModule from "../../../../src/actors/core/actor.ts"
import type * as ChildModule from "../../../../src/actors/core/supervision/child.ts"
import type * as MachineActorModule from "../../../../src/actors/core/machine/machine-actor.ts"
import type * as ReportsModule from "../../../../src/actors/core/reports.ts"
import type * as SupervisorModule from "../../../../src/actors/core/supervision/supervisor.ts"
import type * as SystemModule from "../../../../src/actors/core/system.ts"

export type Core = typeof ActorModule &
  typeof ChildModule &
  typeof MachineActorModule &
  typeof ReportsModule &
  typeof SupervisorModule &
  typeof SystemModule

/** The core whose sources lie in `folder`, a file URL that ends with a slash. */
export const load = async (folder: URL): Promise<Core> => {
  const part = (file: string): Promise<object> => import(/* @vite-ignore */ new URL(file, folder).pathname)
  const files = [
    "actor.ts",
    "supervision/child.ts",
    "machine/machine-actor.ts",
    "reports.ts",
    "supervision/supervisor.ts",
    "system.ts"
  ]
  // The files are those of the type, or copies of them.
  return Object.assign({}, ...(await Promise.all(files.map(part)))) as Core
}

export interface Check {
  readonly name: string
  readonly run: (core: Core) => Effect.Effect<void, unknown, Scope.Scope | SystemModule.ActorSystem>
}

/**
 * Runs a check in a scope of its own, whose end is given the virtual time that its finalizers ask for. Reports go
 * nowhere, unless the check looks at them.
 */
export const runCheck = (core: Core, check: Check): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const exit = yield* Effect.exit(Scope.extend(check.run(core), scope))
    const closing = yield* Effect.fork(Scope.close(scope, exit))
    yield* TestClock.adjust("3 hours")
    yield* Fiber.join(closing)
    return yield* exit
  }).pipe(Effect.provide(core.ActorSystem.layer), Effect.provideService(core.Reports, { report: () => Effect.void }))

/** A child that says `+id` and `-id`, and ends in the way it is told. */
export interface Puppet {
  readonly spec: ChildModule.ChildSpec
  readonly end: (how: "normal" | "abnormal" | "kill") => Effect.Effect<void>
  /** How often its `start` is to fail from now on. */
  failures: number
}

export interface PuppetOptions extends Omit<ChildModule.ChildSpec, "id" | "start"> {
  /** Milliseconds that `start` takes. */
  readonly initMs?: number
  /** Milliseconds that its finalizer takes; it then says `-id` only at its end. */
  readonly closeMs?: number
  readonly log: Array<string>
}

export const puppet = (id: string, { log, initMs = 0, closeMs = 0, ...options }: PuppetOptions): Puppet => {
  let life:
    | { readonly order: Deferred.Deferred<void>; readonly fiber: Fiber.RuntimeFiber<unknown, unknown> }
    | undefined
  const self: Puppet = {
    failures: 0,
    spec: {
      id,
      ...options,
      start: Effect.gen(function* () {
        if (initMs > 0) yield* Effect.sleep(initMs)
        if (self.failures > 0) {
          self.failures--
          log.push(`!${id}`)
          return yield* Effect.fail(`${id} cannot start`)
        }
        yield* Effect.acquireRelease(
          Effect.sync(() => log.push(`+${id}`)),
          () =>
            Effect.zipRight(
              Effect.sleep(closeMs),
              Effect.sync(() => log.push(`-${id}`))
            )
        )
        const order = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkScoped(Deferred.await(order))
        life = { order, fiber }
        return { fiber }
      })
    },
    end: (how) =>
      Effect.gen(function* () {
        if (life === undefined) return yield* Effect.dieMessage(`${id} does not live`)
        const { order, fiber } = life
        if (how === "normal") yield* Deferred.succeed(order, undefined)
        if (how === "abnormal") yield* Deferred.die(order, new Error(`${id} has a bug`))
        if (how === "kill") yield* Fiber.interruptFork(fiber)
        yield* Fiber.await(fiber)
      })
  }
  return self
}

/** Returns when the supervisor has done all that was asked of it before: a request that changes nothing. */
export const settled = (supervisor: SupervisorModule.Supervisor): Effect.Effect<void> =>
  Effect.asVoid(supervisor.ref.stopChild("nobody"))

/** The ids of its living children, in start order. */
export const living = (supervisor: SupervisorModule.Supervisor): Effect.Effect<string> =>
  Effect.map(supervisor.ref.children, (children) =>
    children.map(({ id, running }) => (running ? id : `(${id})`)).join(" ")
  )

/** What was said since the last call. */
export const said = (log: Array<string>): string => log.splice(0).join(" ")
