/** Child specifications as data: what runs also says how it is supervised. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Started } from "../actor.ts"
import { forkOwned } from "../fork.ts"
import { Lineage } from "../system.ts"

export interface ChildSpec<out R = never, out A extends Started = Started> {
  /** Unique among its siblings. */
  readonly id: string
  /**
   * Returns once the child is initialised. What it acquires belongs to its scope, which is closed when the child ends,
   * before a successor starts. Do not call the same supervisor's `startChild` or `stopChild` from here: it waits for you.
   */
  readonly start: Effect.Effect<A, unknown, R | Scope.Scope>
  /** `permanent` (default): always; `transient`: unless it ended normally; `temporary`: never. */
  readonly restart?: "permanent" | "transient" | "temporary"
  /** How long closing its scope may take before `kill`. Default 5 s; `infinity` for supervisors; `brutal`: kill at once. */
  readonly shutdown?: Duration.DurationInput | "infinity" | "brutal"
  /** Last resort, for what does not obey an interrupt: SIGKILL of a process group. */
  readonly kill?: Effect.Effect<void>
  /** With `autoShutdown`: the supervisor ends when such a child ends by itself. Never permanent. */
  readonly significant?: boolean
}

/** A child's start failed: nothing of it is left. */
export class ChildStartFailed extends Data.TaggedError("ChildStartFailed")<{
  readonly supervisor: string
  readonly child: string
  readonly cause: Cause.Cause<unknown>
}> {}

/** A living child has this id already. */
export class ChildExists extends Data.TaggedError("ChildExists")<{
  readonly supervisor: string
  readonly child: string
}> {}

/** The supervisor has ended, or ended before it answered. */
export class SupervisorStopped extends Data.TaggedError("SupervisorStopped")<{ readonly supervisor: string }> {}

/** A specification whose needs are met: what a supervisor keeps. */
export type Bound = Omit<ChildSpec<never>, "start"> & {
  readonly start: (scope: Scope.Scope) => Effect.Effect<Started, unknown>
}

/** `context` is the supervisor's, or that of the caller of `startChild`: it holds all that the spec's type asks for. */
export const bind = (supervisor: string, spec: ChildSpec<unknown>, context: Context.Context<unknown>): Bound => {
  const around = Context.add(context, Lineage, { supervisor, child: spec.id })
  return {
    ...spec,
    // all at once: each providing by itself costs a dozen steps
    start: (scope) => Effect.provide(spec.start, Context.add(around, Scope.Scope, scope))
  }
}

/** What a spec needs of its surroundings. */
export type SpecRequirements<S> = S extends ChildSpec<infer R> ? Exclude<R, Scope.Scope> : never

/** A child that only holds something: acquired by `start`, released when the supervisor stops the child. */
export const resource = <A, E, R>(acquire: Effect.Effect<A, E, R>): Effect.Effect<Started, E, R | Scope.Scope> =>
  Effect.zipRight(acquire, task(Effect.never))

/** A child that is one long-running Effect, interruptible wherever it is started; its exit is the child's exit. */
export const task = <A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<Started, never, R | Scope.Scope> =>
  Effect.map(forkOwned(Effect.interruptible(body)), (fiber) => ({ fiber }))

/** How a child ended, in the words of a report. An interrupt that its supervisor did not ask for is a kill. */
export const ending = (exit: Exit.Exit<unknown, unknown>): "normal" | "killed" | Cause.Cause<unknown> =>
  Exit.isSuccess(exit) ? "normal" : Cause.isInterruptedOnly(exit.cause) ? "killed" : exit.cause
