/**
 * `/events` (docs/api.md#streams): narration that no job waits for, and every machine's state changes. A ring: it forgets the oldest,
 * and tells a reader so with a `gap` event. Ids are `<queen-epoch>-<n>`; those of another epoch are a gap too.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type EventFeed, type Sink } from "../../../protocol/endpoint.ts"
import { frame } from "../../../protocol/sse.ts"
import { QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { Turns } from "../../../layers/turns/index.ts"
import { ActorSystem } from "../../core/system.ts"
import type { Narrate } from "./job-log.ts"

export interface EventRing {
  readonly narrate: Narrate
  readonly stateChanged: (machine: string, id: string, from: string, to: string) => void
  /**
   * What follows `lastEventId`, then live, until `end`. Without an id: live only. A reader that falls out of the ring
   * gets `gap` `{from?, to}` with the first and last id that it missed, and goes on behind it; `from` is not known
   * after another epoch.
   */
  readonly feed: (lastEventId?: string) => EventFeed
  /** Nothing follows: readers get what they still miss, then their stream ends. */
  readonly end: () => void
}

const CAPACITY = 4096

/** `epoch` counts this queen's starts. */
export const makeEventRing = (epoch: number, capacity: number = CAPACITY): Effect.Effect<EventRing, never, Turns> =>
  Effect.gen(function* () {
    const turns = yield* Turns
    const clock = yield* Effect.clock
    return new Ring(epoch, capacity, () => clock.unsafeCurrentTimeMillis(), turns.atEndOfTurn)
  })

/** This queen's own. Its lines reach who watches her actors, too. */
export class Events extends Context.Tag("rbee/queen/Events")<Events, EventRing>() {
  static readonly layer = Layer.effect(
    Events,
    Effect.gen(function* () {
      const { identity } = yield* QueenCatalog
      const system = yield* ActorSystem
      const ring = yield* makeEventRing(identity.epoch)
      return {
        ...ring,
        narrate: (line, ids) => {
          ring.narrate(line, ids)
          if (system.watched()) system.publish({ type: "narration", path: "queen", line, job: undefined })
        }
      }
    })
  )
}

class Ring implements EventRing {
  private readonly epoch: number
  private readonly capacity: number
  private readonly now: () => number
  private readonly later: (work: () => void) => void
  /** frames `oldest`…`newest` */
  private readonly frames: Array<string> = []
  private newest = 0
  private ended = false
  private readonly readers = new Set<RingReader>()
  private scheduled = false

  constructor(epoch: number, capacity: number, now: () => number, later: (work: () => void) => void) {
    this.epoch = epoch
    this.capacity = capacity
    this.now = now
    this.later = later
  }

  readonly narrate: Narrate = (line, ids) =>
    this.append("narration", {
      actor: line.actor,
      action: line.action,
      human: line.human,
      level: line.level,
      ...ids,
      at: this.now()
    })

  readonly stateChanged = (machine: string, id: string, from: string, to: string): void =>
    this.append("state", { machine, id, from, to })

  readonly end = (): void => {
    this.ended = true
    this.wake()
  }

  readonly feed =
    (lastEventId?: string): EventFeed =>
    (sink) =>
      Effect.async<void>((resume) => {
        const reader: RingReader = { sink, cursor: this.newest, blocked: false, done: () => resume(Effect.void) }
        if (lastEventId !== undefined) this.place(reader, lastEventId)
        this.readers.add(reader)
        this.pump(reader)
        return Effect.sync(() => {
          reader.blocked = true
          this.readers.delete(reader)
        })
      })

  private append(event: string, data: unknown): void {
    if (this.ended) return
    this.newest++
    this.frames.push(frame({ id: this.idOf(this.newest), event, data }))
    // a batch at a time: moving the rest down for each event would cost more than keeping a few too many
    if (this.frames.length >= this.capacity * 2) this.frames.splice(0, this.frames.length - this.capacity)
    this.wake()
  }

  private idOf(n: number): string {
    return `${this.epoch}-${n}`
  }

  private oldest(): number {
    return this.newest - Math.min(this.frames.length, this.capacity) + 1
  }

  /** Where a reader goes on that has seen `lastEventId`. */
  private place(reader: RingReader, lastEventId: string): void {
    const [, epoch, n] = /^(\d{1,15})-(\d{1,15})$/.exec(lastEventId) ?? []
    if (Number(epoch) === this.epoch && Number(n) <= this.newest) reader.cursor = Number(n)
    else {
      // another queen's event: what came between is not known, so everything that is kept follows
      reader.cursor = this.oldest() - 1
      reader.gap = this.gap(undefined, reader.cursor)
    }
  }

  private gap(from: number | undefined, to: number): string {
    const missed = { ...(from === undefined ? {} : { from: this.idOf(from) }), to: this.idOf(to) }
    return frame({ id: this.idOf(to), event: "gap", data: missed })
  }

  /** Readers are served once a turn, whatever happened in it. */
  private wake(): void {
    if (this.scheduled) return
    this.scheduled = true
    this.later(() => {
      this.scheduled = false
      for (const reader of this.readers) this.pump(reader)
    })
  }

  private pump(reader: RingReader): void {
    if (reader.blocked) return
    let text = reader.gap ?? ""
    delete reader.gap
    const oldest = this.oldest()
    if (reader.cursor < oldest - 1) {
      text += this.gap(reader.cursor + 1, oldest - 1)
      reader.cursor = oldest - 1
    }
    if (reader.cursor < this.newest) text += this.frames.slice(reader.cursor - this.newest).join("")
    reader.cursor = this.newest
    if (text !== "" && !reader.sink.write(text)) {
      reader.blocked = true
      reader.sink.drain(() =>
        this.later(() => {
          reader.blocked = false
          if (this.readers.has(reader)) this.pump(reader)
        })
      )
    } else if (this.ended) {
      this.readers.delete(reader)
      reader.done()
    }
  }
}

interface RingReader {
  readonly sink: Sink
  /** the last number that was written */
  cursor: number
  blocked: boolean
  /** tells of what another epoch had, before anything else */
  gap?: string
  readonly done: () => void
}
