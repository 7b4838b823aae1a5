/**
 * One event sequence that every reader gets from its beginning: a download, an installation, one life of a worker. Ids
 * count from 1, and a worker's next life counts on, so that who has read the last one misses nothing; `progress` has
 * none and reaches only who has caught up. A slow reader waits alone.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EventFeed, Sink } from "../../../protocol/endpoint.ts"
import { frame } from "../../../protocol/sse.ts"
import { rbeeError } from "../../../machines/errors.ts"
import type { Line, Narration } from "../../../machines/narration.ts"
import type { ProgressEvent } from "../../../machines/vocabulary/model.ts"

/** What every line of one sequence is stamped with. */
export type Stamp = Pick<Narration, "hiveId" | "workerId" | "modelRef">

export class EventLog {
  private readonly frames: Array<string> = []
  private readonly readers = new Set<Reader>()
  private readonly stamp: Stamp
  private readonly before: number
  private over = false

  /** `before`: the last id of the sequence that this one follows */
  constructor(stamp: Stamp, before = 0) {
    this.stamp = stamp
    this.before = before
  }

  get lastId(): number {
    return this.before + this.frames.length
  }

  get ended(): boolean {
    return this.over
  }

  /** Those who read it now. */
  get readerCount(): number {
    return this.readers.size
  }

  /** `at`: milliseconds since 1970 */
  narrate(line: Line, at: number): void {
    const narration: Narration = { ...line, ...this.stamp, at }
    this.append("narration", narration)
  }

  append(event: string, data: unknown): void {
    if (this.over) return
    this.frames.push(frame({ id: this.lastId + 1, event, data }))
    for (const reader of this.readers) reader.pump()
  }

  progress(data: ProgressEvent): void {
    if (this.over || this.readers.size === 0) return
    const text = frame({ event: "progress", data })
    for (const reader of this.readers) reader.passing(text)
  }

  /** The terminal event; nothing follows. */
  end(event: string, data: unknown): void {
    this.append(event, data)
    this.over = true
    for (const reader of this.readers) reader.pump()
  }

  /** From the event after `lastEventId` on; ends after the terminal event. */
  feed(lastEventId: string | undefined): EventFeed {
    const after = Math.max(0, (Math.trunc(Number(lastEventId ?? 0)) || 0) - this.before)
    return (sink) => Effect.async<void>((resume) => this.read(sink, after, () => resume(Effect.void)))
  }

  private read(sink: Sink, after: number, done: () => void): Effect.Effect<void> {
    const source = {
      frames: this.frames,
      ended: () => this.over,
      done: () => {
        this.readers.delete(reader)
        done()
      }
    }
    const reader = new Reader(source, sink, after)
    this.readers.add(reader)
    reader.pump()
    return Effect.sync(() => this.readers.delete(reader))
  }
}

/** A cursor and a sink. It writes all that waits for it at once, and stops while the sink is full. */
class Reader {
  private blocked = false
  private finished = false
  private cursor: number
  private readonly sink: Sink
  private readonly source: {
    readonly frames: ReadonlyArray<string>
    readonly ended: () => boolean
    readonly done: () => void
  }

  constructor(source: Reader["source"], sink: Sink, after: number) {
    this.source = source
    this.sink = sink
    this.cursor = after
  }

  pump(): void {
    while (!this.blocked && this.cursor < this.source.frames.length) {
      const text = this.source.frames.slice(this.cursor).join("")
      this.cursor = this.source.frames.length
      this.write(text)
    }
    if (this.blocked || this.finished || !this.source.ended()) return
    this.finished = true
    this.source.done()
  }

  /** Lost for who is behind. */
  passing(text: string): void {
    if (!this.blocked && this.cursor === this.source.frames.length) this.write(text)
  }

  private write(text: string): void {
    if (this.sink.write(text)) return
    this.blocked = true
    this.sink.drain(() => {
      this.blocked = false
      this.pump()
    })
  }
}

/** Sequences by id. Those that ended stay readable until so many others came after them. */
export class EventLogs {
  private readonly logs = new Map<string, EventLog>()
  private readonly max: number

  constructor(max = 128) {
    this.max = max
  }

  get(id: string): EventLog | undefined {
    return this.logs.get(id)
  }

  set(id: string, log: EventLog): void {
    this.logs.delete(id)
    this.logs.set(id, log)
    for (const [old, each] of this.logs) {
      if (this.logs.size <= this.max) return
      if (each.ended) this.logs.delete(old)
    }
  }
}

/** Of this hive. */
export class CurrentLogs extends Context.Tag("rbee/hive/EventLogs")<CurrentLogs, EventLogs>() {
  static readonly layer = Layer.sync(CurrentLogs, () => new EventLogs())
}

/** The events of one of these, as its reader asks for them. */
export const feedOf =
  <Code extends "NOT_FOUND" | "WORKER_NOT_FOUND">(what: string, code: Code) =>
  ({ id, last_event_id }: { readonly id: string; readonly last_event_id?: string | undefined }) =>
    Effect.gen(function* () {
      const log = (yield* CurrentLogs).get(id)
      if (log !== undefined) return log.feed(last_event_id)
      return yield* rbeeError(code, `this hive knows no such id of ${what}`)
    })
