/**
 * One reader of a job's sequence: a cursor and a sink. It takes everything that waits for it in one write, stops when
 * the sink is full and goes on when it has drained; so it slows nobody but itself, and nothing is queued for it.
 */
import type { Sink } from "../../../protocol/endpoint.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { invariant } from "../../../machines/invariant.ts"

/** Frames up to id `last`. */
export interface Page {
  readonly frames: string
  readonly last: number
}

/** What a reader reads from. */
export interface Source {
  /** the last id that readers may see */
  readonly committed: () => number
  /** the committed id is the terminal event's */
  readonly complete: () => boolean
  /** Frames after `id` that are in memory, not always all; undefined where they are not. */
  readonly recent: (id: number) => Page | undefined
  /** The same from the journal, perhaps at once; undefined if they cannot be read. Returns how to leave it. */
  readonly page: (id: number, then: (page: Page | undefined) => void) => () => void
  /** Runs `work` in a later turn of the event loop. */
  readonly later: (work: () => void) => void
}

export class JobReader {
  private blocked = false
  private closed = false
  /** leaves the page that is being read */
  private leave: (() => void) | undefined
  private readonly source: Source
  private readonly sink: Sink
  /** the last id that was written */
  private cursor: number
  private readonly done: (failure?: RbeeError) => void

  constructor(source: Source, sink: Sink, cursor: number, done: (failure?: RbeeError) => void) {
    this.source = source
    this.sink = sink
    this.cursor = cursor
    this.done = done
  }

  /** New frames `first`…`last` were committed. `passing` has no ids and is dropped for who is behind. */
  published(first: number, last: number, frames: string, passing: string): void {
    if (this.blocked || this.closed) return
    if (this.cursor === first - 1) {
      if (frames !== "" || passing !== "") this.write(frames + passing, last)
      this.finishIfComplete()
    } else this.pump()
  }

  /** Writes what is there and was not yet written. */
  pump(): void {
    if (this.blocked || this.closed) return
    if (this.cursor >= this.source.committed()) return this.finishIfComplete()
    const part = this.source.recent(this.cursor)
    if (part === undefined) this.readPage()
    else this.take(part)
  }

  private readPage(): void {
    this.blocked = true
    let isRead = false
    const leave = this.source.page(this.cursor, (page) => {
      isRead = true
      this.leave = undefined
      if (this.closed) return
      this.blocked = false
      if (page === undefined) this.fail(rbeeError("INTERNAL", "the journal of this job cannot be read"))
      else this.take(page)
    })
    if (!isRead) this.leave = leave
  }

  private take({ frames, last }: Page): void {
    this.write(frames, last)
    // a long backlog from the disk shares the event loop with everybody else
    if (!this.blocked && last < this.source.committed()) this.pause((resume) => resume())
    this.finishIfComplete()
  }

  fail(failure: RbeeError): void {
    if (this.closed) return
    this.close()
    this.done(failure)
  }

  close(): void {
    this.closed = true
    this.leave?.()
    this.leave = undefined
  }

  private write(frames: string, last: number): void {
    invariant(last <= this.source.committed(), () => `event ${last} is shown before it is committed`)
    this.cursor = last
    if (!this.sink.write(frames)) this.pause((resume) => this.sink.drain(resume))
  }

  private pause(until: (resume: () => void) => void): void {
    this.blocked = true
    until(() =>
      // in a turn of its own: a sink that drains at once must not recurse
      this.source.later(() => {
        this.blocked = false
        this.pump()
      })
    )
  }

  private finishIfComplete(): void {
    if (this.blocked || this.closed || this.cursor < this.source.committed() || !this.source.complete()) return
    this.closed = true
    this.done()
  }
}
