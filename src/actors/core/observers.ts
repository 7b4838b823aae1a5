/** Fan-out that can never slow its source: every subscriber has a sliding buffer, and nobody watching costs nothing. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Mailbox from "effect/Mailbox"
import * as Stream from "effect/Stream"

export class Observers<A> {
  private readonly boxes = new Set<Mailbox.Mailbox<A>>()
  private ended = false

  get watched(): boolean {
    return this.boxes.size > 0
  }

  publish(value: A): void {
    for (const box of this.boxes) box.unsafeOffer(value)
  }

  /** Ends all streams after what they still hold. */
  end(): void {
    this.ended = true
    for (const box of this.boxes) box.unsafeDone(Exit.void)
    this.boxes.clear()
  }

  /** A subscriber that falls more than `capacity` values behind loses the oldest. `first` is read at subscription. */
  stream(capacity: number, first?: () => A): Stream.Stream<A> {
    const subscribe = Effect.gen(this, function* () {
      const box = yield* Mailbox.make<A>({ capacity, strategy: "sliding" })
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          if (first !== undefined) box.unsafeOffer(first())
          if (this.ended) box.unsafeDone(Exit.void)
          else this.boxes.add(box)
        }),
        () => Effect.sync(() => this.boxes.delete(box))
      )
      return Mailbox.toStream(box)
    })
    return Stream.unwrapScoped(subscribe)
  }
}
