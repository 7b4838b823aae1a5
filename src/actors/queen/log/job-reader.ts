/**
 * One reader of a job's sequence: a cursor and a sink. It takes everything that waits for it in one write, stops when
 * the sink is full and goes on when it has drained; so it slows nobody but itself, and nothing is queued for it.
 */
import type { Sink } from "../../../protocol/endpoint.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"

/** What a reader reads from. */
export interface Source {
  /** the last id that readers may see */
  readonly committed: () => number
  /** the committed id is the terminal event's */
  readonly complete: () => boolean
  /** Frames after `id`, not always all; undefined if they cannot be read. */
  readonly after: (id: number) => { readonly frames: string; readonly last: number } | undefined
  /** Runs `work` in a later turn of the event loop. */
  readonly later: (work: () => void) => void
}

export class JobReader {
  private blocked = false
  private closed = false
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
    if (this.cursor < this.source.committed()) {
      const part = this.source.after(this.cursor)
      if (part === undefined) return this.fail(rbeeError("INTERNAL", "the journal of this job cannot be read"))
      this.write(part.frames, part.last)
      // a long backlog from the disk shares the event loop with everybody else
      if (!this.blocked && part.last < this.source.committed()) this.pause((resume) => resume())
    }
    this.finishIfComplete()
  }

  fail(failure: RbeeError): void {
    if (this.closed) return
    this.closed = true
    this.done(failure)
  }

  close(): void {
    this.closed = true
  }

  private write(frames: string, last: number): void {
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
