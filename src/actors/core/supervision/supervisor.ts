/**
 * A supervisor with OTP's contract: starts its children in order, notices every death, restarts by strategy and restart
 * type within an intensity, stops the dynamic ones together and then the others in reverse order, each within its own
 * deadlines, and gives up with a typed failure. One fiber does all of it, one thing after another, so that no two
 * restarts ever overlap.
 *
 * Where it differs from OTP: giving up is a failure and not a normal end, so a transient supervisor is restarted too;
 * and a failed start of the first children is a typed failure of the supervisor's own start.
 */
import type * as Context from "effect/Context"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Started } from "../actor.ts"
import {
  type ChildExists,
  type ChildSpec,
  type ChildStartFailed,
  type SpecRequirements,
  SupervisorStopped,
  bind
} from "./child.ts"
import { type Child, Family } from "./family.ts"
import { forkOwned } from "../fork.ts"
import { Intensity, type RestartIntensityExceeded } from "./intensity.ts"
import type { Life } from "./lifecycle.ts"
import { Reports } from "../reports.ts"
import type { AutoShutdown, Strategy } from "./strategy.ts"
import { type ActorEntry, ActorSystem, Lineage } from "../system.ts"

type Specs = ReadonlyArray<ChildSpec<unknown>>

export interface SupervisorOptions<C extends Specs, D extends Specs = readonly []> {
  readonly path: string
  /** In start order. */
  readonly children: C
  /** What a store still had of them: started after `children`, and from then on as if `startChild` had been asked. */
  readonly dynamic?: D
  /** Default one_for_one. */
  readonly strategy?: Strategy
  /** Restarts of all children together within `period`; one more is too many. Default 1 in 5 s. */
  readonly intensity?: number
  readonly period?: Duration.DurationInput
  /** Whether the end of significant children ends the supervisor. Default never. */
  readonly autoShutdown?: AutoShutdown
  /** How long after a kill the child's scope may stay open before its successor starts all the same. Default 5 s. */
  readonly killWait?: Duration.DurationInput
}

export interface SupervisorRef {
  readonly path: string
  /** Starts a child after all others and returns once it is initialised. It is lost when this supervisor restarts. */
  readonly startChild: <R, A extends Started>(
    spec: ChildSpec<R, A>
  ) => Effect.Effect<A, ChildExists | ChildStartFailed | SupervisorStopped, Exclude<R, Scope.Scope>>
  /** Stops and forgets a child; returns after it has stopped. False: there was none of that id. */
  readonly stopChild: (id: string) => Effect.Effect<boolean>
  /** In start order. `running` is false while a failed restart waits to be tried again. */
  readonly children: Effect.Effect<ReadonlyArray<{ readonly id: string; readonly running: boolean }>>
}

export interface Supervisor {
  readonly ref: SupervisorRef
  /** Succeeds only by auto-shutdown. */
  readonly fiber: Fiber.RuntimeFiber<void, RestartIntensityExceeded | ChildStartFailed>
}

type Turn =
  | { readonly type: "died"; readonly child: Child; readonly life: Life; readonly exit: Exit.Exit<unknown, unknown> }
  | { readonly type: "retry"; readonly child: Child }
  | { readonly type: "asked"; readonly asked: Asked }

/** A request that somebody waits for: it is answered, or refused when the supervisor ends first. */
interface Asked {
  readonly answer: Effect.Effect<unknown>
  readonly refuse: Effect.Effect<unknown>
}

/** Starts a supervisor and its children in the current scope; closing the scope stops them. */
// long: one supervisor is one closure: its family and its turn are nobody else's to reach
export const supervisor = <const C extends Specs, const D extends Specs = readonly []>(
  options: SupervisorOptions<C, D>
): Effect.Effect<Supervisor, ChildStartFailed, ActorSystem | Scope.Scope | SpecRequirements<(C | D)[number]>> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { path } = options
      const system = yield* ActorSystem
      const { report } = yield* Reports
      // What the children's types ask for is what this Effect's own type asks for, so the context holds it.
      const context = (yield* Effect.context<SpecRequirements<(C | D)[number]>>()) as Context.Context<unknown>
      const turns = yield* Queue.unbounded<Turn>()
      const ready = yield* Deferred.make<void, ChildStartFailed>()
      const asked = new Set<Asked>()
      let over = false

      const periodMs = Duration.toMillis(options.period ?? "5 seconds")
      const intensity = new Intensity(options.intensity ?? 1, periodMs)
      const family = new Family({
        path,
        report,
        observe: (observation) => {
          if (system.watched()) system.publish({ type: "supervision", path, ...observation })
        },
        strategy: options.strategy ?? "one_for_one",
        autoShutdown: options.autoShutdown ?? "never",
        intensity,
        killWait: options.killWait ?? "5 seconds",
        onExit: (child, life, exit) => Queue.unsafeOffer(turns, { type: "died", child, life, exit }),
        retryLater: (child) => Queue.unsafeOffer(turns, { type: "retry", child })
      })

      const take = (turn: Turn): Effect.Effect<boolean, RestartIntensityExceeded> => {
        switch (turn.type) {
          case "died":
            return family.died(turn.child, turn.life, turn.exit)
          case "retry":
            return Effect.as(family.retry(turn.child), false)
          case "asked":
            return Effect.as(turn.asked.answer, false)
        }
      }
      /** Lets the supervisor's fiber do something and waits for its answer; `refused` is the answer if it has ended. */
      const ask = <A, E, E1>(work: Effect.Effect<A, E>, refused: Effect.Effect<A, E1>): Effect.Effect<A, E | E1> =>
        Effect.suspend(() => {
          if (over) return refused
          const reply = Deferred.unsafeMake<A, E | E1>(FiberId.none)
          const request: Asked = {
            answer: Effect.zipRight(
              Effect.intoDeferred(work, reply),
              Effect.sync(() => asked.delete(request))
            ),
            refuse: Effect.intoDeferred(refused, reply)
          }
          asked.add(request)
          Queue.unsafeOffer(turns, { type: "asked", asked: request })
          return Deferred.await(reply)
        })
      const stopped = new SupervisorStopped({ supervisor: path })
      const ref: SupervisorRef = {
        path,
        startChild: <R, A extends Started>(spec: ChildSpec<R, A>) =>
          Effect.flatMap(Effect.context<Exclude<R, Scope.Scope>>(), (around) =>
            // What is started is what this very spec's `start` returned.
            Effect.map(
              ask(family.add(bind(path, spec, around as Context.Context<unknown>), true), stopped),
              (child) => child as A
            )
          ),
        stopChild: (id) => ask(family.remove(id), Effect.succeed(false)),
        children: Effect.sync(() => family.list())
      }
      const entry: ActorEntry = {
        path,
        kind: "supervisor",
        machine: undefined,
        ref: { path, state: ref.children },
        lineage: yield* Lineage,
        startedAt: yield* Clock.currentTimeMillis,
        vitals: (now) => ({ restarts: intensity.window(now) })
      }
      yield* system.register(entry)

      const start = (specs: Specs, dynamic: boolean) =>
        Effect.forEach(specs, (spec) => family.add(bind(path, spec, context), dynamic), { discard: true })
      const startAll = Effect.zipRight(start(options.children, false), start(options.dynamic ?? [], true)).pipe(
        Effect.catchTag("ChildExists", ({ child }) => Effect.dieMessage(`${path}: two children named ${child}`)),
        Effect.onError(() => family.stopAll),
        Effect.onExit((exit) => Deferred.done(ready, exit))
      )
      const life = Effect.gen(function* () {
        yield* startAll
        while (!(yield* take(yield* Effect.interruptible(Queue.take(turns))))) continue
      })
      const end = (exit: Exit.Exit<void, ChildStartFailed | RestartIntensityExceeded>) =>
        Effect.gen(function* () {
          system.leaving(entry)
          yield* family.stopAll
          over = true
          yield* Effect.forEach(asked, (request) => request.refuse, { discard: true })
          if (system.watched()) system.publish({ type: "stopped", path, exit })
        })
      if (system.watched()) system.publish({ type: "started", path, entry, snapshot: family.list() })
      const fiber = yield* forkOwned(Effect.onExit(life, end))
      yield* restore(Deferred.await(ready))
      return { ref, fiber }
    })
  )
