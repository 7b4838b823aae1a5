/** The live actors of one process (or of one simulated process): a registry by path, and a hook to watch them all. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { AnyStateMachine, EventFromLogic, SnapshotFrom } from "xstate"
import type { Line } from "../../machines/narration.ts"
import type { PendingTimer, Restarts } from "../../machines/vocabulary/inspect.ts"
import type { ActorRef } from "./actor.ts"
import { Observers } from "./observers.ts"
import type { ReportContext } from "./reports.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"

/** Whose child an actor is. Every supervisor tells its children. */
export class Lineage extends Context.Reference<Lineage>()("rbee/Lineage", {
  defaultValue: (): { readonly supervisor: string; readonly child: string } | undefined => undefined
}) {}

/** What an actor shows of itself beside its state. */
export interface Vitals {
  /** messages that wait */
  readonly mailbox?: number
  readonly timers?: ReadonlyArray<PendingTimer>
  readonly restarts?: Restarts
}

/** A live actor as the registry knows it. */
export interface ActorEntry {
  readonly path: string
  readonly kind: "machine" | "supervisor"
  readonly lineage: Lineage["Type"]
  /** milliseconds since 1970 */
  readonly startedAt: number
  readonly vitals: (nowMs: number) => Vitals
  /** The chart of a machine actor. */
  readonly machine: AnyStateMachine | undefined
  readonly ref: Pick<ActorRef<never, unknown>, "path" | "state">
}

/** What an observer sees. `seq` has gaps where a slow observer lost records; `atMs` is the clock's time. */
export type Observation = { readonly seq: number; readonly atMs: number; readonly path: string } & (
  | { readonly type: "started"; readonly entry: ActorEntry; readonly snapshot: unknown }
  | { readonly type: "event"; readonly event: { readonly type: string } }
  | { readonly type: "snapshot"; readonly event: { readonly type: string }; readonly snapshot: unknown }
  | { readonly type: "stopped"; readonly exit: Exit.Exit<unknown, unknown> }
  | {
      /** a supervisor, or a chart that restarts a process, says what became of a child */
      readonly type: "supervision"
      readonly child: string
      readonly context: ReportContext | "restarting"
      readonly reason: unknown
      readonly restarts?: Restarts
      readonly backoffMs?: number
    }
  | {
      readonly type: "narration"
      readonly line: Line
      readonly job: JobId | undefined
    }
)

type Unstamped<T> = T extends unknown ? Omit<T, "seq" | "atMs"> : never

/** Records a buffer of an observer holds before the oldest are lost. */
const observationsMax = 1024

export class ActorSystem extends Context.Tag("rbee/ActorSystem")<
  ActorSystem,
  {
    /** The live actor at this path. */
    readonly lookup: (path: string) => Effect.Effect<Option.Option<ActorEntry>>
    /** The live actor at this path, if it runs this very chart: then its events and snapshots are known. */
    readonly find: <M extends AnyStateMachine>(
      machine: M,
      path: string
    ) => Effect.Effect<Option.Option<ActorRef<EventFromLogic<M>, SnapshotFrom<M>>>>
    /** All live actors at or below `path`, in order of their start. */
    readonly list: (path?: string) => Effect.Effect<ReadonlyArray<ActorEntry>>
    /** Everything that happens from now on. Can never slow an actor; costs nothing while nobody watches. */
    readonly observe: Stream.Stream<Observation>
    /** The same as a box that fills from now on. */
    readonly subscribe: Effect.Effect<Mailbox.ReadonlyMailbox<Observation>, never, Scope.Scope>
    /** The same, called within the turn of the actor: for the simulator. Must not throw. Returns how to leave. */
    readonly tap: (observer: (observation: Observation) => void) => () => void
    /** For the core: enters an actor until the scope closes. Two living actors at one path are a defect. */
    readonly register: (entry: ActorEntry) => Effect.Effect<void, never, Scope.Scope>
    /** For the core: the actor at this path has begun to stop, so that a successor may take its path. */
    readonly leaving: (entry: ActorEntry) => void
    readonly watched: () => boolean
    /** The `seq` of the next observation. */
    readonly nextSeq: () => number
    readonly publish: (observation: Unstamped<Observation>) => void
  }
>() {
  static readonly make = Effect.map(Effect.clock, (clock) => {
    const entries = new Map<string, ActorEntry>()
    const stopping = new WeakSet<ActorEntry>()
    const observers = new Observers<Observation>()
    let seq = 0

    const register = (entry: ActorEntry) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          const holder = entries.get(entry.path)
          if (holder !== undefined && !stopping.has(holder)) return Effect.dieMessage(`two actors at ${entry.path}`)
          entries.delete(entry.path)
          entries.set(entry.path, entry)
          return Effect.void
        }),
        () =>
          Effect.sync(() => {
            if (entries.get(entry.path) === entry) entries.delete(entry.path)
          })
      )

    return ActorSystem.of({
      lookup: (path) => Effect.sync(() => Option.fromNullable(entries.get(path))),
      find: <M extends AnyStateMachine>(machine: M, path: string) =>
        Effect.sync(() => {
          const entry = entries.get(path)
          return entry?.machine === machine
            ? // The chart is the same object, so the ref was made by machineActor for exactly this M.
              Option.some(entry.ref as ActorRef<EventFromLogic<M>, SnapshotFrom<M>>)
            : Option.none()
        }),
      list: (path) =>
        Effect.sync(() =>
          [...entries.values()].filter(
            (entry) => path === undefined || entry.path === path || entry.path.startsWith(`${path}/`)
          )
        ),
      observe: observers.stream(observationsMax),
      subscribe: observers.subscribe(observationsMax),
      tap: (observer) => observers.tap(observer),
      register,
      leaving: (entry) => stopping.add(entry),
      watched: () => observers.watched,
      nextSeq: () => seq,
      publish: (observation) => observers.publish({ ...observation, seq: seq++, atMs: clock.unsafeCurrentTimeMillis() })
    })
  })

  static readonly layer = Layer.effect(ActorSystem, ActorSystem.make)
}
