/** What others see of an actor: a path, three ways to send, its state. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { MailboxClosed, MailboxFull } from "./mailbox.ts"

export interface ActorRef<in Event, out Snapshot> {
  /** Where it lives: `queen/hives/localhost`. */
  readonly path: string
  /**
   * Control: waits while the actor's mailbox is full. Never call it from another actor's turn (`perform`): two full
   * actors would wait for each other for ever; send from an activity. Lost without a word once the actor has ended.
   */
  readonly tell: (event: Event) => Effect.Effect<void>
  /** Outside command: never waits. */
  readonly offer: (event: Event) => Effect.Effect<void, MailboxFull | MailboxClosed>
  /** Beats: of all waiting events with one key the actor sees only the latest. */
  readonly latest: (key: string, event: Event) => Effect.Effect<void>
  /** The snapshot after the last turn. */
  readonly state: Effect.Effect<Snapshot>
  /** The current snapshot and all later ones; a slow reader loses the oldest. Ends when the actor ends. */
  readonly changes: Stream.Stream<Snapshot>
}

/** What a supervisor needs of a started child. The fiber's exit is the child's exit. */
export interface Started {
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
}

/** The actor ended before what was awaited came true. */
export class ActorStopped extends Data.TaggedError("ActorStopped")<{ readonly path: string }> {}

/** Waits until a snapshot satisfies the predicate, and returns it. */
export const until = <Snapshot>(
  ref: Pick<ActorRef<never, Snapshot>, "path" | "changes">,
  predicate: (snapshot: Snapshot) => boolean
): Effect.Effect<Snapshot, ActorStopped> =>
  ref.changes.pipe(
    Stream.filter(predicate),
    Stream.runHead,
    Effect.flatMap(
      Option.match({ onNone: () => new ActorStopped({ path: ref.path }), onSome: (found) => Effect.succeed(found) })
    )
  )
