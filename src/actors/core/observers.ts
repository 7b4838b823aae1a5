/** Fan-out that can never slow its source: every subscriber has a sliding buffer, and nobody watching costs nothing. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Mailbox from "effect/Mailbox"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

export class Observers<A> {
  private readonly boxes = new Set<Mailbox.Mailbox<A>>()
  private readonly taps = new Set<(value: A) => void>()
  private ended = false

  get watched(): boolean {
    return this.boxes.size > 0 || this.taps.size > 0
  }

  publish(value: A): void {
    for (const box of this.boxes) box.unsafeOffer(value)
    for (const tap of this.taps) tap(value)
  }

  /** Calls `observer` at once with every value, until what is returned is called. */
  tap(observer: (value: A) => void): () => void {
    this.taps.add(observer)
    return () => void this.taps.delete(observer)
  }

  /** Ends all streams after what they still hold. */
  end(): void {
    this.ended = true
    for (const box of this.boxes) box.unsafeDone(Exit.void)
    this.boxes.clear()
  }

  /** A subscriber that falls more than `capacity` values behind loses the oldest. `first` is read at subscription. */
  stream(capacity: number, first?: () => A): Stream.Stream<A> {
    // made when it is read: every actor has one, and few of them are
    return Stream.suspend(() =>
      Stream.unwrapScoped(Effect.map(this.subscribe(capacity, first), (box) => Mailbox.toStream(box)))
    )
  }

  /** The same, subscribed at once: nothing is missed between now and the first reading. */
  subscribe(capacity: number, first?: () => A): Effect.Effect<Mailbox.ReadonlyMailbox<A>, never, Scope.Scope> {
    return Effect.gen(this, function* () {
      const box = yield* Mailbox.make<A>({ capacity, strategy: "sliding" })
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          if (first !== undefined) box.unsafeOffer(first())
          if (this.ended) box.unsafeDone(Exit.void)
          else this.boxes.add(box)
        }),
        () => Effect.sync(() => this.boxes.delete(box))
      )
      return box
    })
  }
}
