/** What a chart's type says about the actor that runs it. */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AnyStateMachine, EventFromLogic, InputFrom, OutputFrom, SnapshotFrom, StateMachine } from "xstate"
import type { ActorRef } from "../actor.ts"

/** The actor as its own activities and commands see it. */
export type SelfOf<M extends AnyStateMachine> = ActorRef<EventFromLogic<M>, SnapshotFrom<M>>

/** The activities that `setup({ actors })` declares, as a union of { src, logic }. */
type DeclaredBy<M extends AnyStateMachine> =
  M extends StateMachine<
    infer _Context,
    infer _Event,
    infer _Children,
    infer Actor,
    infer _Action,
    infer _Guard,
    infer _Delay,
    infer _Value,
    infer _Tag,
    infer _Input,
    infer _Output,
    infer _Emitted,
    infer _Meta,
    infer _Schema,
    infer _TransitionMeta
  >
    ? Actor
    : never

/**
 * One Effect for each declared activity: it gets the chart's `input`, its success is `event.output` of `onDone`. What
 * needs a scope brings its own (`Effect.scoped`): most do without, and each of them would pay for it.
 */
export type Activities<M extends AnyStateMachine> = {
  readonly [Actor in DeclaredBy<M> as Actor["src"]]: (
    input: InputFrom<Actor["logic"]>,
    self: SelfOf<M>
  ) => Effect.Effect<OutputFrom<Actor["logic"]>, unknown, unknown>
}

type RequirementsOf<F> = F extends (...args: never) => Effect.Effect<infer _A, infer _E, infer R> ? R : never

/** What all activities together need. */
export type Requirements<A> = RequirementsOf<A[keyof A]>

/** The scope of the actor is there for them all, and is not theirs: they would fill it until it ends. */
export type Unscoped<A> =
  unknown extends Requirements<A>
    ? unknown
    : Scope.Scope extends Requirements<A>
      ? "an activity needs a scope: Effect.scoped"
      : unknown
