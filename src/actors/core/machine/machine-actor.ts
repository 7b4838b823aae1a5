/**
 * One actor: a pure chart interpreted by one fiber. The chart says what should happen; this file makes it happen:
 * `after` is a fiber sleeping on Effect's Clock, `invoke` a named activity, `emit` a one-shot command. A throw in the
 * chart, a defect of an activity, an action that is none of these: the fiber dies and its supervisor decides.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type {
  AnyStateMachine,
  EmittedFrom,
  EventFromLogic,
  EventObject,
  InputFrom,
  OutputFrom,
  SnapshotFrom
} from "xstate"
import { invariant } from "../../../machines/invariant.ts"
import type { ActorRef } from "../actor.ts"
import type { Activities, Requirements, SelfOf, Unscoped } from "./chart-types.ts"
import { type ByHeart, idOf, type Retraced, retrace } from "./by-heart.ts"
import { type ChartAction, type Step, type Stepper, stepper } from "./chart-step.ts"
import { forkOwned } from "../fork.ts"
import { Mailbox } from "../mailbox.ts"
import { Observers } from "../observers.ts"
import { type ActorEntry, ActorSystem, Lineage } from "../system.ts"
import { type Message, Works } from "./works.ts"

/** Messages of each class that a mailbox holds, unless the actor says otherwise. */
export const mailboxMax = 64

/** Snapshots that a reader of `changes` may lag behind before it loses the oldest. */
const changesMax = 64

export type MachineActorOptions<M extends AnyStateMachine, A, P> = {
  readonly path: string
  readonly machine: M
  /** `emit` of the chart: runs inside the actor's turn, in order; so it must be short, and must not fail. */
  readonly perform?: (command: EmittedFrom<M>, self: SelfOf<M>) => Effect.Effect<void, never, P>
  /** Bound of the mailbox, for each class by itself. */
  readonly capacity?: number
  /** It begins in the middle, and does without its chart as long as what happens is known beforehand. */
  readonly byHeart?: ByHeart<M> | undefined
} & (undefined extends InputFrom<M> ? { readonly input?: InputFrom<M> } : { readonly input: InputFrom<M> }) &
  /** What each `invoke` of the chart does, by `src`; interrupted and awaited when the state is left. */
  ([keyof Activities<M>] extends [never] ? { readonly activities?: A } : { readonly activities: A & Unscoped<A> })

export interface MachineActor<M extends AnyStateMachine> {
  readonly ref: ActorRef<EventFromLogic<M>, SnapshotFrom<M>>
  /** Ends with the chart's output in a final state; dies of a defect. Never fails: expected failures are states. */
  readonly fiber: Fiber.RuntimeFiber<OutputFrom<M>>
}

/**
 * Starts an actor in the current scope and returns once its initial state is entered. Closing the scope interrupts and
 * awaits the actor with all its activities and timers.
 */
// long: one actor is one closure: its chart, mailbox and turn are nobody else's to reach
export const machineActor = <M extends AnyStateMachine, const A extends Activities<M> = Activities<M>, P = never>(
  options: MachineActorOptions<M, A, P>
): Effect.Effect<MachineActor<M>, never, ActorSystem | Scope.Scope | Requirements<A> | NoInfer<P>> =>
  Effect.gen(function* () {
    type Event = EventFromLogic<M>
    const { byHeart, machine, path, perform } = options
    const system = yield* ActorSystem
    const mailbox = new Mailbox<Message>(path, options.capacity ?? mailboxMax)
    const observers = new Observers<SnapshotFrom<M>>()
    let asked: Stepper<M> | undefined
    const chart = (): Stepper<M> => (asked ??= stepper(machine, path))
    /** the way that is behind it already, and where it is; found out where that is asked for */
    let way: ReadonlyArray<Retraced<M>> | undefined
    const wayTo = (known: ByHeart<M>) => (way ??= retrace(chart(), options.input, known))
    let latest: Step<M> | undefined
    const now = (): Step<M> =>
      (latest ??= byHeart === undefined ? chart().initial(options.input) : lastOf(wayTo(byHeart)).step)
    if (byHeart === undefined) {
      const { error, status } = yield* Effect.sync(now)
      if (status === "error") return yield* Effect.die(error)
    }

    const ref: ActorRef<Event, SnapshotFrom<M>> = {
      path,
      tell: (event) => mailbox.control({ event }),
      offer: (event) => mailbox.outside({ event }),
      latest: (key, event) => mailbox.latest(key, { event }),
      state: Effect.sync(() => now().snapshot),
      changes: observers.stream(changesMax, () => now().snapshot)
    }
    const works = new Works<Requirements<A>>(mailbox)
    const entry: ActorEntry = {
      path,
      kind: "machine",
      machine,
      ref,
      lineage: yield* Lineage,
      startedAt: yield* Clock.currentTimeMillis,
      vitals: () => ({ mailbox: mailbox.size, timers: works.timers() })
    }
    yield* system.register(entry)
    // The names and inputs of `enter` come from this very chart, whose types bound A: so each fits its activity.
    const activities = (options.activities ?? {}) as Readonly<
      Record<string, (input: unknown, self: SelfOf<M>) => Effect.Effect<unknown, unknown, Requirements<A>>>
    >

    const run = (action: ChartAction): Effect.Effect<void, never, Requirements<A> | P> => {
      switch (action.kind) {
        case "timer":
          return works.arm(action.id, action.delayMs, action.event)
        case "cancel":
          return works.cancel(action.id)
        case "enter": {
          const work = Object.hasOwn(activities, action.name) ? activities[action.name] : undefined
          return work === undefined
            ? Effect.dieMessage(`${path}: no activity named ${action.name}`)
            : works.enter(
                action.id,
                Effect.suspend(() => work(action.input, ref))
              )
        }
        case "leave":
          return works.leave(action.id)
        case "command":
          return perform === undefined
            ? Effect.dieMessage(`${path}: nobody performs ${action.event.type}`)
            : // Everything a chart emits has the type that its setup declares.
              perform(action.event as EmittedFrom<M>, ref)
        case "impure":
          return Effect.dieMessage(`${path}: impure action ${action.type}`)
      }
    }
    const runAll = (list: ReadonlyArray<ChartAction>) =>
      list.length === 0 ? Effect.void : Effect.forEach(list, run, { discard: true })

    const advance = (event: EventObject) =>
      Effect.suspend(() => {
        // Senders are typed by the ref; timers and activities send what the chart itself asked for.
        latest = chart().next(now().snapshot, event as Event)
        const { snapshot, actions } = latest
        observers.publish(snapshot)
        if (system.watched()) system.publish({ type: "snapshot", path, event, snapshot })
        return runAll(actions)
      })

    const turn = ({ event, work, defect }: Message): Effect.Effect<void, never, Requirements<A> | P> => {
      if (work !== undefined && !works.isLive(work)) return Effect.void
      if (defect !== undefined) return Effect.failCause(defect)
      works.settle(work)
      // Told before the step, so that the event an actor dies of is seen.
      if (system.watched()) system.publish({ type: "event", path, event })
      return advance(event)
    }

    const ready = yield* Deferred.make<void>()
    const byChart = Effect.gen(function* () {
      while (now().status === "active") yield* Effect.flatMap(mailbox.take, turn)
      const { error, output, status } = now()
      // An activity failed and the chart has no `onError` for it: the chart is wrong.
      if (status === "error") return yield* Effect.die(error)
      return output as OutputFrom<M>
    })
    /** What comes first: the end that is known, or the chart is asked from here on. */
    const firstTurn = (known: ByHeart<M>, first: Message) => {
      const isIts = first.work !== undefined && works.isLive(first.work) && first.defect === undefined
      // who looks on is told of each step as the chart takes it
      const end = isIts && "output" in first && !system.watched() ? known.end(first.output) : undefined
      if (end === undefined) return Effect.zipRight(turn(first), byChart)
      works.settle(first.work)
      const commands = end.commands.map((event): ChartAction => ({ kind: "command", event }))
      return Effect.as(runAll(commands), end.output)
    }
    const begin = (known: ByHeart<M>) =>
      run({ kind: "enter", id: idOf(machine, known, now), name: known.now.activity, input: known.now.input })
    const life = Effect.gen(function* () {
      yield* byHeart === undefined ? runAll(now().actions) : begin(byHeart)
      yield* Deferred.succeed(ready, undefined)
      if (byHeart === undefined) return yield* byChart
      return yield* Effect.flatMap(mailbox.take, (first) => firstTurn(byHeart, first))
    })
    const end = (exit: Exit.Exit<unknown, never>) =>
      Effect.gen(function* () {
        system.leaving(entry)
        mailbox.close()
        yield* works.stop.pipe(
          Effect.ensuring(
            Effect.gen(function* () {
              observers.end()
              if (system.watched()) system.publish({ type: "stopped", path, exit })
              yield* Deferred.done(ready, Exit.isSuccess(exit) ? Exit.void : Exit.failCause(exit.cause))
            })
          )
        )
      })
    if (system.watched()) tellStart(system, path, entry, byHeart === undefined ? [{ step: now() }] : wayTo(byHeart))
    // The mask: interrupted before its first step the fiber must still run `end`. Its life can be interrupted even
    // where this very start cannot, as in an acquire: else nobody could ever stop it.
    const fiber = yield* forkOwned(Effect.onExit(Effect.interruptible(life), end))
    yield* Deferred.await(ready)
    return { ref, fiber }
  })

/** To who looks on it is as if it had gone all the way that is behind it. */
const tellStart = <M extends AnyStateMachine>(
  system: ActorSystem["Type"],
  path: string,
  entry: ActorEntry,
  way: ReadonlyArray<Partial<Retraced<M>> & Pick<Retraced<M>, "step">>
): void => {
  for (const { event, step } of way) {
    const { snapshot } = step
    if (event === undefined) system.publish({ type: "started", path, entry, snapshot })
    else {
      system.publish({ type: "event", path, event })
      system.publish({ type: "snapshot", path, event, snapshot })
    }
  }
}

const lastOf = <A>(all: ReadonlyArray<A>): A => {
  const last = all.at(-1)
  invariant(last !== undefined, "a way has its start")
  return last
}
