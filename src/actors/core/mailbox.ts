/**
 * The mailbox of one actor: bounded, first in first out over all classes, one reader. Three classes of sender, because
 * they fail differently: control waits, beats overwrite each other, outside commands are refused. A fourth, internal,
 * carries timers and finished activities; the chart bounds it (one entry per live timer or activity), so it never waits.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as MutableList from "effect/MutableList"

/** An outside command found `capacity` others waiting. Edges answer 429 or 503. */
export class MailboxFull extends Data.TaggedError("MailboxFull")<{
  readonly path: string
  readonly capacity: number
}> {}

/** An outside command for an actor that has ended. */
export class MailboxClosed extends Data.TaggedError("MailboxClosed")<{ readonly path: string }> {}

interface Slot<A> {
  readonly class: "control" | "beat" | "outside" | "internal"
  key: string
  message: A
}

interface Sender<A> {
  readonly slot: Slot<A>
  readonly resume: (effect: Effect.Effect<void>) => void
}

export class Mailbox<A> {
  readonly path: string
  /** The bound of each class by itself, in messages (for beats: in keys). */
  readonly capacity: number
  private readonly slots = MutableList.empty<Slot<A>>()
  private closed = false
  private readonly counts = { control: 0, beat: 0, outside: 0, internal: 0 }
  private readonly beats = new Map<string, Slot<A>>()
  private readonly senders = new Set<Sender<A>>()
  private reader: ((effect: Effect.Effect<A>) => void) | undefined

  constructor(path: string, capacity: number) {
    this.path = path
    this.capacity = capacity
  }

  /** The next message; waits while there is none. */
  readonly take: Effect.Effect<A> = Effect.suspend(() => {
    const slot = this.shift()
    if (slot !== undefined) return Effect.succeed(slot.message)
    return Effect.async<A>((resume) => {
      // To resume a reader that was interrupted does nothing: what it would have taken waits for the next.
      this.reader = resume
    })
  })

  /** Control: waits while the class is full. Sent to an actor that has ended, a message is lost, as in Erlang. */
  control(message: A): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.closed) return Effect.void
      const slot: Slot<A> = { class: "control", key: "", message }
      if (this.counts.control < this.capacity) {
        this.push(slot)
        return Effect.void
      }
      return Effect.async<void>((resume) => {
        const sender = { slot, resume }
        this.senders.add(sender)
        return Effect.sync(() => {
          this.senders.delete(sender)
        })
      })
    })
  }

  /** Outside command: accepted at once or refused with a typed error. */
  outside(message: A): Effect.Effect<void, MailboxFull | MailboxClosed> {
    return Effect.suspend((): Effect.Effect<void, MailboxFull | MailboxClosed> => {
      if (this.closed) return new MailboxClosed({ path: this.path })
      if (this.counts.outside >= this.capacity) return new MailboxFull({ path: this.path, capacity: this.capacity })
      this.push({ class: "outside", key: "", message })
      return Effect.void
    })
  }

  /** Beat: replaces the waiting one of the same key; with too many keys the oldest waiting one is overwritten. */
  latest(key: string, message: A): Effect.Effect<void> {
    return Effect.sync(() => {
      if (this.closed) return
      let slot = this.beats.get(key)
      if (slot === undefined && this.beats.size >= this.capacity) slot = this.beats.values().next().value
      if (slot === undefined) {
        const fresh: Slot<A> = { class: "beat", key, message }
        this.beats.set(key, fresh)
        this.push(fresh)
        return
      }
      this.beats.delete(slot.key)
      slot.key = key
      slot.message = message
      this.beats.set(key, slot)
    })
  }

  /** From the actor's own timers and activities. */
  internal(message: A): void {
    if (!this.closed) this.push({ class: "internal", key: "", message })
  }

  /** Ends the mailbox: what waits is dropped, waiting senders go on. */
  close(): void {
    this.closed = true
    MutableList.reset(this.slots)
    this.beats.clear()
    for (const sender of this.senders) sender.resume(Effect.void)
    this.senders.clear()
  }

  /** Messages waiting, all classes together. */
  get size(): number {
    return MutableList.length(this.slots)
  }

  private push(slot: Slot<A>): void {
    this.counts[slot.class]++
    MutableList.append(this.slots, slot)
    const reader = this.reader
    if (reader === undefined) return
    this.reader = undefined
    reader(this.take)
  }

  private shift(): Slot<A> | undefined {
    const slot = MutableList.shift(this.slots)
    if (slot === undefined) return undefined
    this.counts[slot.class]--
    if (slot.class === "beat") this.beats.delete(slot.key)
    if (slot.class === "control") this.admit()
    return slot
  }

  private admit(): void {
    const sender = this.senders.values().next().value
    if (sender === undefined) return
    this.senders.delete(sender)
    this.push(sender.slot)
    sender.resume(Effect.void)
  }
}
