/** The parts of a hive that its tree restarts, by their Tags: whoever outlives them looks them up at each use. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { invariant } from "../../../machines/invariant.ts"
import type { ChildSpec } from "../../core/supervision/child.ts"
import { supervisor, type SupervisorRef } from "../../core/supervision/supervisor.ts"
import type { ActorSystem } from "../../core/system.ts"

class LivingParts {
  private readonly living = new Map<string, Context.Context<never>>()

  /** Undefined: its supervisor has none. */
  find<I, S>(tag: Context.Tag<I, S>): S | undefined {
    const found = this.living.get(tag.key)
    return found === undefined ? undefined : Option.getOrUndefined(Context.getOption(found, tag))
  }

  get<I, S>(tag: Context.Tag<I, S>): Effect.Effect<S, RbeeError<"SHUTTING_DOWN">> {
    return Effect.suspend(() => {
      const part = this.find(tag)
      return part === undefined ? restarting() : Effect.succeed(part)
    })
  }

  enter<I, S>(tag: Context.Tag<I, S>, part: S): void {
    invariant(!this.living.has(tag.key), () => `there are two ${tag.key}`)
    this.living.set(tag.key, Context.make(tag, part))
  }

  leave<I, S>(tag: Context.Tag<I, S>): void {
    this.living.delete(tag.key)
  }
}

export class Parts extends Context.Tag("rbee/hive/Parts")<Parts, LivingParts>() {
  static readonly layer = Layer.sync(Parts, () => new LivingParts())
}

const restarting = () => rbeeError("SHUTTING_DOWN", "this part of the hive is restarting", "Try again")

/** A part that is there until the scope closes. */
export const part = <I, S, E, R>(
  tag: Context.Tag<I, S>,
  make: Effect.Effect<S, E, R>
): Effect.Effect<S, E, R | Parts | Scope.Scope> =>
  Effect.flatMap(Parts, (parts) =>
    Effect.acquireRelease(
      Effect.tap(make, (made) => parts.enter(tag, made)),
      () => Effect.sync(() => parts.leave(tag))
    )
  )

/** Settles what its children left unfinished: leases go back, and whoever waits hears that it was in vain. */
interface Abandoned {
  readonly abandon: Effect.Effect<void>
}

/**
 * A supervisor of children that come and go, and the part that starts them. When the supervisor ends (a bug, or the end
 * of the hive) its children are stopped first, and only then what they held is given back.
 */
export const branch = <I, S extends Abandoned, E, R>(
  id: string,
  tag: Context.Tag<I, S>,
  make: (children: SupervisorRef) => Effect.Effect<S, E, R>
): ChildSpec<ActorSystem | Parts | R> => ({
  id,
  shutdown: "infinity",
  start: Effect.gen(function* () {
    const parts = yield* Parts
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        const made = parts.find(tag)
        parts.leave(tag)
        return made?.abandon ?? Effect.void
      })
    )
    const made = yield* supervisor({ path: `hive/${id}`, children: [], intensity: 5, period: "30 seconds" })
    parts.enter(tag, yield* make(made.ref))
    return made
  })
})
