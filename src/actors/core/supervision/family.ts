/** The children of one supervisor and what happens to them. Its methods run one after another, interrupts masked. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Restarts } from "../../../machines/vocabulary/inspect.ts"
import type { Started } from "../actor.ts"
import { type Bound, ChildExists, ChildStartFailed, ending } from "./child.ts"
import { type Intensity, RestartIntensityExceeded } from "./intensity.ts"
import { type Life, close, launch } from "./lifecycle.ts"
import type { Report } from "../reports.ts"
import { type AutoShutdown, type Strategy, affected, comesBack, endsSupervisor, mistake } from "./strategy.ts"

export interface Child {
  readonly spec: Bound
  /** Came after the first ones, or out of a store: it stops together with all others of its kind. */
  readonly dynamic: boolean
  /** Undefined while a failed restart waits to be tried again. */
  life: Life | undefined
}

export interface FamilyOptions {
  readonly path: string
  readonly strategy: Strategy
  readonly autoShutdown: AutoShutdown
  readonly intensity: Intensity
  readonly killWait: Duration.DurationInput
  readonly report: (report: Report) => Effect.Effect<void>
  /** for who watches; costs nothing while nobody does */
  readonly observe: (observation: {
    readonly child: string
    readonly context: Report["context"] | "restarting"
    readonly reason: unknown
    readonly restarts?: Restarts
  }) => void
  /** Called once for the end of each life, from outside the supervisor's fiber. */
  readonly onExit: (child: Child, life: Life, exit: Exit.Exit<unknown, unknown>) => void
  /** Asks for `retry(child)` as a later turn of the supervisor, so that other requests get in between. */
  readonly retryLater: (child: Child) => void
}

export class Family {
  private children: Array<Child> = []
  private readonly options: FamilyOptions

  constructor(options: FamilyOptions) {
    this.options = options
  }

  list(): ReadonlyArray<{ readonly id: string; readonly running: boolean }> {
    return this.children.map(({ spec, life }) => ({ id: spec.id, running: life !== undefined }))
  }

  /** A new child, after all others. If its start fails it is not kept. */
  add(spec: Bound, dynamic: boolean): Effect.Effect<Started, ChildExists | ChildStartFailed> {
    return Effect.gen(this, function* () {
      const { path, autoShutdown } = this.options
      const wrong = mistake(autoShutdown, spec)
      if (wrong !== undefined) return yield* Effect.dieMessage(`${path}: ${wrong}`)
      if (this.children.some((child) => child.spec.id === spec.id)) {
        return yield* new ChildExists({ supervisor: path, child: spec.id })
      }
      const child: Child = { spec, dynamic, life: undefined }
      this.children.push(child)
      const exit = yield* this.start(child)
      if (Exit.isSuccess(exit)) return exit.value.started
      this.forget(child)
      return yield* new ChildStartFailed({ supervisor: path, child: spec.id, cause: exit.cause })
    })
  }

  /** Stops and forgets a child. */
  remove(id: string): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const child = this.children.find(({ spec }) => spec.id === id)
      if (child === undefined) return Effect.succeed(false)
      return Effect.map(this.stop(child), () => this.forget(child))
    })
  }

  readonly stopAll: Effect.Effect<void> = Effect.suspend(() => this.stopGroup(this.children, () => true))

  /** A life ended. True: the supervisor is to end by auto-shutdown. */
  died(child: Child, life: Life, exit: Exit.Exit<unknown, unknown>): Effect.Effect<boolean, RestartIntensityExceeded> {
    return Effect.gen(this, function* () {
      // Stopped by its supervisor, perhaps long since followed by another life.
      if (child.life !== life) return false
      const reason = ending(exit)
      yield* this.tell("child_terminated", reason, child)
      yield* this.end(child, life, exit)
      if (comesBack(child.spec, reason)) {
        yield* this.restart(child)
        return false
      }
      this.forget(child)
      const left = this.children.map(({ spec }) => spec)
      return endsSupervisor(this.options.autoShutdown, child.spec, left)
    })
  }

  /** The restart of this child failed; try again, unless something else has stopped or started it meanwhile. */
  retry(child: Child): Effect.Effect<void, RestartIntensityExceeded> {
    return Effect.suspend(() =>
      child.life === undefined && this.children.includes(child) ? this.restart(child) : Effect.void
    )
  }

  private restart(child: Child): Effect.Effect<void, RestartIntensityExceeded> {
    return Effect.gen(this, function* () {
      yield* this.count(child)
      const group = affected(this.options.strategy, this.children, child)
      yield* this.stopGroup(group, ({ spec }) => spec.restart === "temporary")
      for (const sibling of group) {
        if (!this.children.includes(sibling)) continue
        const exit = yield* this.start(sibling)
        if (Exit.isSuccess(exit)) continue
        this.options.retryLater(sibling)
        return
      }
    })
  }

  private count(child: Child): Effect.Effect<void, RestartIntensityExceeded> {
    return Effect.gen(this, function* () {
      const { path, intensity, observe } = this.options
      const now = yield* Clock.currentTimeMillis
      const { exceeded, restarts } = intensity.add(now)
      if (!exceeded)
        return observe({ child: child.spec.id, context: "restarting", reason: "", restarts: intensity.window(now) })
      yield* this.tell("gave_up", "shutdown", child)
      const { periodMs } = intensity
      return yield* new RestartIntensityExceeded({ supervisor: path, child: child.spec.id, restarts, periodMs })
    })
  }

  private start(child: Child): Effect.Effect<Exit.Exit<Life, unknown>> {
    return Effect.gen(this, function* () {
      const { killWait, onExit } = this.options
      const exit = yield* launch(child.spec, killWait)
      if (Exit.isFailure(exit)) {
        yield* this.tell("start_error", exit.cause, child)
        return exit
      }
      const life = exit.value
      child.life = life
      yield* this.tell("started", "progress", child)
      life.started.fiber.addObserver((end) => onExit(child, life, end))
      return exit
    })
  }

  /** As OTP: the dynamic ones all at once, then the others in reverse start order; each within its own deadlines. */
  private stopGroup(group: ReadonlyArray<Child>, forgets: (child: Child) => boolean): Effect.Effect<void> {
    const stop = (child: Child) =>
      Effect.map(this.stop(child), () => {
        if (forgets(child)) this.forget(child)
      })
    const reversed = group.toReversed()
    const together = reversed.filter(({ dynamic }) => dynamic)
    return Effect.zipRight(
      Effect.forEach(together, stop, { discard: true, concurrency: "unbounded" }),
      // The dynamic ones have stopped: nothing is left to do for them.
      Effect.forEach(reversed, stop, { discard: true })
    )
  }

  private stop(child: Child): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const life = child.life
      if (life === undefined) return
      yield* this.end(child, life, Exit.interrupt(life.started.fiber.id()))
      yield* this.tell("stopped", "shutdown", child)
    })
  }

  /** Closes the scope of a life that is over or to be over: before this no successor may start. */
  private end(child: Child, life: Life, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      child.life = undefined
      const ended = yield* close(child.spec, life.scope, exit, this.options.killWait)
      if (ended.kind === "stuck") yield* this.tell("shutdown_error", "timeout", child)
      else if (ended.kind === "killed") yield* this.tell("killed", "timeout", child)
      else if (Exit.isFailure(ended.exit)) yield* this.tell("shutdown_error", ended.exit.cause, child)
    })
  }

  private forget(child: Child): boolean {
    this.children = this.children.filter((other) => other !== child)
    return true
  }

  private tell(context: Report["context"], reason: Report["reason"], child: Child): Effect.Effect<void> {
    this.options.observe({ child: child.spec.id, context, reason })
    // A sink that throws must not take the tree down with it.
    return Effect.catchAllCause(
      this.options.report({ supervisor: this.options.path, context, reason, child: child.spec.id }),
      (cause) => (Cause.isInterruptedOnly(cause) ? Effect.void : Effect.logError("report sink", cause))
    )
  }
}
