/**
 * What inspectors read, gathered and encoded once for all of them: the last records, and what they add up to for one who
 * comes later. Bounded on every side: a reader that is behind has one piece on its way and a place here, and is told how
 * much it missed.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../machines/formats/json/decode.ts"
import type { Sink } from "../../protocol/endpoint.ts"
import { frame } from "../../protocol/sse.ts"
import { InspectRecord } from "../../machines/vocabulary/inspect.ts"
import { Present } from "./present.ts"

/** Time between batches, milliseconds: what happens meanwhile leaves together. */
export const batchMs = 50

/** Records: some seconds of a large cluster, a few megabytes. */
const capacity = 8192
/** characters that are given to a connection at once: so much waits in it for a reader that takes nothing */
const pieceMax = 128 * 1024
/** records that one who comes may read twice rather than that all is encoded anew */
const staleMax = 64

const decode = decoder(Schema.parseJson(InspectRecord))

interface Reader {
  readonly sink: Sink
  /** number of the record that it reads next */
  next: number
  /** begun, and not yet all on its way */
  text: string
  blocked: boolean
}

export class Trunk {
  private readonly daemon: string
  private readonly present = new Present()
  private readonly readers = new Set<Reader>()
  /** the records before `end` */
  private frames: Array<string> = []
  private end = 0
  private whole: { readonly end: number; readonly text: string } | undefined

  constructor(daemon: string) {
    this.daemon = daemon
  }

  readonly put = (records: ReadonlyArray<InspectRecord>): void => {
    for (const record of records) {
      this.present.add(record)
      this.push(frame({ data: record }))
    }
  }

  /** A record that is JSON already; what is none is nobody's business. */
  readonly putText = (json: string): void => {
    const record = decode(json)
    if (Either.isLeft(record)) return
    this.present.add(record.right)
    this.push(`data: ${json}\n\n`)
  }

  private push(text: string): void {
    this.frames.push(text)
    this.end++
    // a batch at a time: moving the rest down for each record would cost more than keeping a few too many
    if (this.frames.length >= capacity * 2) this.frames.splice(0, this.frames.length - capacity)
  }

  /** Never ends. */
  readonly read = (sink: Sink): Effect.Effect<never> =>
    Effect.async<never>(() => {
      const { end, text } = this.now()
      const reader: Reader = { sink, next: end, text, blocked: false }
      this.readers.add(reader)
      return Effect.sync(() => void this.readers.delete(reader))
    })

  /** Everything that is, as text; one text for all who come at about the same time. */
  private now(): { readonly end: number; readonly text: string } {
    if (this.whole === undefined || this.end - this.whole.end > staleMax) {
      const text = this.present.records().map((data) => frame({ data }))
      this.whole = { end: this.end, text: text.join("") }
    }
    return this.whole
  }

  /** Pours out what came, a batch at a time. Never ends. */
  readonly pour: Effect.Effect<never> = Effect.forever(
    Effect.flatMap(Clock.currentTimeMillis, (at) => {
      const batches = new Map<number, string>()
      for (const reader of this.readers) this.give(reader, at, batches)
      return Effect.sleep(batchMs)
    })
  )

  /** `batches`: texts by their first record, which readers share that are as far. */
  private give(reader: Reader, at: number, batches: Map<number, string>): void {
    while (!reader.blocked) {
      if (reader.text === "") reader.text = this.after(reader, at, batches)
      if (reader.text === "") return
      const cut = cutOf(reader.text)
      const piece = reader.text.slice(0, cut)
      reader.text = reader.text.slice(cut)
      if (reader.sink.write(piece)) continue
      reader.blocked = true
      reader.sink.drain(() => void (reader.blocked = false))
    }
  }

  private after(reader: Reader, at: number, batches: Map<number, string>): string {
    const oldest = this.end - Math.min(this.frames.length, capacity)
    const count = Math.max(0, oldest - reader.next)
    const lost = count === 0 ? "" : frame({ data: { kind: "lost", at, daemon: this.daemon, count } })
    const from = reader.next + count
    reader.next = this.end
    if (from === this.end) return lost
    const batch = batches.get(from) ?? this.frames.slice(from - this.end).join("")
    batches.set(from, batch)
    return lost + batch
  }
}

/** Where a piece of this text ends: between two frames, so that no character is torn. */
const cutOf = (text: string): number => {
  if (text.length <= pieceMax) return text.length
  const before = text.lastIndexOf("\n\n", pieceMax - 2)
  const border = before === -1 ? text.indexOf("\n\n", pieceMax) : before
  return border === -1 ? text.length : border + 2
}
