/** Starting one child in a scope of its own, and ending it within its deadlines. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type { Started } from "../actor.ts"
import type { Bound } from "./child.ts"

/** One life of a child; its identity tells a late exit message of an earlier life from one of this. */
export interface Life {
  readonly scope: Scope.CloseableScope
  readonly started: Started
}

export const shutdownDefault: Duration.DurationInput = "5 seconds"

/**
 * Runs `start` in a fresh scope. If it fails the scope is closed, within the child's deadlines, before this returns.
 * Call it with interrupts masked: only `start` itself can be interrupted, whatever region the supervisor was made in.
 */
export const launch = (spec: Bound, killWait: Duration.DurationInput): Effect.Effect<Exit.Exit<Life, unknown>> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const exit = yield* Effect.exit(Effect.interruptible(spec.start(scope)))
    if (Exit.isFailure(exit)) yield* close(spec, scope, exit, killWait)
    return Exit.map(exit, (started) => ({ scope, started }))
  })

/** How an end went: in time; only after `kill`; or not even within `killWait` after it (somebody's finalizer hangs). */
export type Ended =
  | { readonly kind: "in time"; /** Failed where a finalizer died. */ readonly exit: Exit.Exit<void> }
  | { readonly kind: "killed" }
  | { readonly kind: "stuck" }

/** Closes a child's scope by the child's own rule. Never waits longer than shutdown + killWait, unless told infinity. */
export const close = (
  spec: Bound,
  scope: Scope.CloseableScope,
  exit: Exit.Exit<unknown, unknown>,
  killWait: Duration.DurationInput
): Effect.Effect<Ended> =>
  Effect.flatMap(Effect.runtime<never>(), (runtime) => {
    // A fiber of nobody, so that closing goes on when nobody waits for it any more. It runs here and now as far as it
    // can: the scope of a child that is dead already is most often closed by then.
    const closing = Runtime.runFork(runtime, Scope.close(scope, exit))
    const closed = closing.unsafePoll()
    return closed === null ? wait(spec, closing, killWait) : Effect.succeed({ kind: "in time", exit: closed })
  })

const wait = (spec: Bound, closing: Fiber.RuntimeFiber<void>, killWait: Duration.DurationInput): Effect.Effect<Ended> =>
  Effect.gen(function* () {
    const shutdown = spec.shutdown ?? shutdownDefault
    if (shutdown === "infinity" || (shutdown !== "brutal" && (yield* endsWithin(closing, shutdown)))) {
      return { kind: "in time", exit: yield* Fiber.await(closing) }
    }
    if (spec.kill !== undefined) yield* endsWithin(yield* Effect.forkDaemon(spec.kill), killWait)
    return (yield* endsWithin(closing, killWait)) ? { kind: "killed" } : { kind: "stuck" }
  })

/** Turns of the scheduler in which most scopes close; only then is a timer worth its cost. */
const quickTurns = 6

/**
 * Whether the fiber ends in time. The wait runs in a fiber of its own, because this runs in finalizers: there, a
 * timeout would never fire, or the interrupt that the supervisor itself is dying of would end the wait at once.
 */
const endsWithin = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  time: Duration.DurationInput
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < quickTurns; turn++) {
      if (fiber.unsafePoll() !== null) return true
      yield* Effect.yieldNow()
    }
    return yield* Fiber.await(fiber).pipe(
      Effect.timeoutOption(time),
      Effect.interruptible,
      Effect.forkDaemon,
      Effect.flatMap(Fiber.join),
      Effect.map(Option.isSome)
    )
  })
