/** The timers and activities of one actor: fibers entered with a state, interrupted and awaited when it is left. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { EventObject } from "xstate"
import type { PendingTimer } from "../../../machines/vocabulary/inspect.ts"
import type { Mailbox } from "../mailbox.ts"
import { done } from "./by-heart.ts"

/** One timer or activity. Its identity tells a late message of an earlier one from one of the living. */
export interface Work {
  readonly key: string
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** of a timer: what it will send, and when */
  readonly timer?: PendingTimer
}

export interface Message {
  readonly event: EventObject
  /** The timer or activity that sent it; a message of one that is no longer live is dropped. */
  readonly work?: Work
  /** what an activity gave that ended well */
  readonly output?: unknown
  /** The activity died of a bug, and so does the actor. */
  readonly defect?: Cause.Cause<never>
}

interface Launch<E> {
  /** told of its end */
  readonly ended?: (work: Work, exit: Exit.Exit<unknown, E>) => void
  readonly timer?: PendingTimer
}

export class Works<R> {
  private readonly live = new Map<string, Work>()
  private readonly mailbox: Mailbox<Message>
  private unnamed = 0

  constructor(mailbox: Mailbox<Message>) {
    this.mailbox = mailbox
  }

  isLive(work: Work): boolean {
    return this.live.get(work.key) === work
  }

  /** The work has said all it had to say. */
  settle(work: Work | undefined): void {
    if (work !== undefined) this.live.delete(work.key)
  }

  /** Sends `event` after `delayMs`, unless cancelled by `id` before its turn comes. */
  arm(id: string | undefined, delayMs: number, event: EventObject): Effect.Effect<void> {
    // a time that does not come (an idle time of `never`) needs no timer, and has no moment to show
    if (delayMs === Number.POSITIVE_INFINITY) return Effect.void
    const key = `timer:${id ?? `#${this.unnamed++}`}`
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      this.launch(
        key,
        (work) =>
          Effect.zipRight(
            Effect.sleep(delayMs),
            Effect.sync(() => this.mailbox.internal({ event, work }))
          ),
        { timer: { event: event.type, due: now + delayMs } }
      )
    )
  }

  /** Those that run, in the order in which they were armed. */
  timers(): ReadonlyArray<PendingTimer> {
    return [...this.live.values()].flatMap(({ timer }) => (timer === undefined ? [] : [timer]))
  }

  cancel(id: string): Effect.Effect<void> {
    return this.remove(`timer:${id}`)
  }

  /** Runs an activity; how it ends comes back as a message. */
  enter(id: string, activity: Effect.Effect<unknown, unknown, R>): Effect.Effect<void, never, R> {
    return this.launch(`activity:${id}`, () => activity, {
      ended: (work, exit) => {
        // Interrupted on leaving its state it is no longer live, and `end` sees how it ended.
        if (this.isLive(work)) this.mailbox.internal(report(id, exit, work))
      }
    })
  }

  leave(id: string): Effect.Effect<void> {
    return this.remove(`activity:${id}`)
  }

  /** Interrupts all at once and waits for all; the defects of their finalizers come out together. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    const works = [...this.live.values()]
    this.live.clear()
    return Effect.forEach(works, end, { discard: true, concurrency: "unbounded" })
  })

  private launch<E, R1>(
    key: string,
    body: (work: Work) => Effect.Effect<unknown, E, R1>,
    { ended, timer }: Launch<E>
  ): Effect.Effect<void, never, R1> {
    return Effect.suspend(() => {
      const work: Work = timer === undefined ? { key, fiber: undefined } : { key, fiber: undefined, timer }
      return Effect.zipRight(
        this.remove(key),
        Effect.map(Effect.fork(Effect.interruptible(body(work))), (fiber) => {
          work.fiber = fiber
          this.live.set(key, work)
          // not as a step of its own: that would cost a short activity as much as itself
          if (ended !== undefined) fiber.addObserver((exit) => ended(work, exit))
        })
      )
    })
  }

  private remove(key: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const work = this.live.get(key)
      if (work === undefined) return Effect.void
      this.live.delete(key)
      return end(work)
    })
  }
}

/** Interrupts, waits, and lets a defect through: also one of a finalizer, and one not yet told. */
const end = (work: Work): Effect.Effect<void> =>
  work.fiber === undefined
    ? Effect.void
    : Effect.flatMap(Fiber.interrupt(work.fiber), (exit) =>
        Exit.isFailure(exit) && Cause.isDie(exit.cause) ? Effect.failCause(onlyDefects(exit.cause)) : Effect.void
      )

const report = (id: string, exit: Exit.Exit<unknown, unknown>, work: Work): Message => {
  if (Exit.isSuccess(exit)) {
    return { event: done(id, exit.value), work, output: exit.value }
  }
  const event = { type: `xstate.error.actor.${id}`, actorId: id, error: undefined as unknown }
  const failure = Cause.failureOption(exit.cause)
  if (Option.isSome(failure) && !Cause.isDie(exit.cause))
    return { event: { ...event, error: failure.value } as EventObject, work }
  // Interrupted from inside: it would never report otherwise, and the chart would wait in this state for ever.
  const defect = Cause.isDie(exit.cause)
    ? onlyDefects(exit.cause)
    : Cause.die(new Error(`activity ${id} was interrupted`))
  return { event, work, defect }
}

const onlyDefects = (cause: Cause.Cause<unknown>): Cause.Cause<never> =>
  Option.getOrElse(Cause.keepDefects(cause), () => Cause.empty)
