/**
 * One answer while it is decoded, and its event feed. This is the token path (docs/design.md#the-token-path): plain
 * calls and strings, no Effect, no schema and no log line a token. The frames of one event-loop turn leave in one
 * write.
 *
 * All frames stay here until the answer is over and read, so that the same request again gets every token, too. That is
 * bounded: by the slot's context, at some 60 bytes a token. Readers pull at their own pace; none of them can slow the
 * decoding or each other.
 */
import * as Effect from "effect/Effect"
import type { EventFeed, Sink } from "../../protocol/endpoint.ts"
import { frame } from "../../protocol/sse.ts"
import type { LoadedModel } from "../../layers/engine/index.ts"
import type { RbeeError } from "../../machines/errors.ts"
import type { AnswerForm } from "../../machines/dialect/answer-form.ts"
import type { TokenLogprob } from "../../machines/vocabulary/job.ts"
import type { InferDone } from "../../machines/vocabulary/worker.ts"
import { fullTokenFrame, promptFrame, tokenFrame } from "../../protocol/token-frame.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"

/** What the engine says, a bug of it, or the reason for which the worker stopped it. */
export type AnswerFailure =
  | Effect.Effect.Error<ReturnType<LoadedModel["generate"]>>
  | RbeeError<"INTERNAL" | "SHUTTING_DOWN">

export type End =
  | { readonly _tag: "Done"; readonly done: InferDone }
  | { readonly _tag: "Failed"; readonly error: AnswerFailure }
  | { readonly _tag: "Cancelled" }

/** characters that one write to a reader has at most, so that backpressure is felt while old frames are replayed */
const writeMax = 64 * 1024

const terminal = (end: End): string => {
  switch (end._tag) {
    case "Done":
      return frame({ event: "done", data: end.done })
    case "Failed": {
      const { code, message, details, status } = end.error
      return frame({ event: "error", data: { code, message, details: { ...details, status } } })
    }
    case "Cancelled":
      return frame({ event: "cancelled", data: {} })
  }
}

export interface AnswerOptions {
  readonly id: string
  readonly jobId: JobId
  readonly epoch: number
  /** as in its request */
  readonly alone: boolean
  /** index of its first token: how many tokens it continues from */
  readonly first: number
  /** milliseconds, of its creation */
  readonly now: number
  readonly atEndOfTurn: (work: () => void) => void
}

export class Answer {
  readonly id: string
  readonly jobId: JobId
  readonly epoch: number
  readonly alone: boolean
  readonly first: number
  /** index of the next token */
  next: number
  end: End | undefined
  /** why it is being stopped, where that is not a cancellation */
  stopReason: AnswerFailure | undefined
  /** since when nobody reads it, in milliseconds; undefined while somebody does */
  unreadSince: number | undefined
  private readonly atEndOfTurn: AnswerOptions["atEndOfTurn"]
  /** whole frames, one element a turn */
  private readonly turns: Array<string> = []
  private pending = ""
  /** goes before what is pending */
  private head = ""
  private readonly readers = new Set<() => void>()

  constructor(options: AnswerOptions) {
    this.id = options.id
    this.jobId = options.jobId
    this.epoch = options.epoch
    this.alone = options.alone
    this.first = options.first
    this.next = options.first
    this.unreadSince = options.now
    this.atEndOfTurn = options.atEndOfTurn
  }

  /** How many tokens its prompt has: before all else, and written with it. */
  readonly prompt = (tokens: number): void => {
    this.head = promptFrame(tokens)
  }

  /** How it is read: before its first token. */
  readonly form = (form: AnswerForm): void => {
    if (this.pending === "") this.atEndOfTurn(this.flush)
    this.pending += frame({ event: "form", data: form })
  }

  /** The engine's callback, once a token. */
  readonly token = (text: string, id: number, logprob?: TokenLogprob): void => {
    if (this.pending === "") this.atEndOfTurn(this.flush)
    const json = JSON.stringify(text)
    this.pending +=
      logprob === undefined
        ? tokenFrame(this.next, json, id)
        : fullTokenFrame(this.next, json, id, JSON.stringify(logprob))
    this.next++
  }

  /** The first end counts; the terminal event leaves with the tokens before it. */
  finish(end: End): void {
    if (this.end !== undefined) return
    this.end = end
    this.pending += terminal(end)
    this.flush()
  }

  /** Somebody reads, until the returned function is called. `onFrames` is called whenever there is more. */
  read(onFrames: () => void, now: () => number): () => void {
    this.readers.add(onFrames)
    this.unreadSince = undefined
    return () => {
      this.readers.delete(onFrames)
      if (this.readers.size === 0) this.unreadSince = now()
    }
  }

  /** From the first token, then live, until the terminal event is written. */
  feed(now: () => number): EventFeed {
    return (sink) =>
      Effect.async<void>((resume) => {
        const pump = this.pump(sink, () => {
          leave()
          resume(Effect.void)
        })
        const leave = this.read(pump.run, now)
        pump.run()
        return Effect.sync(() => {
          pump.stop()
          leave()
        })
      })
  }

  /** Writes what the reader has not, for as long as the reader takes it. */
  private pump(sink: Sink, onEnd: () => void): { readonly run: () => void; readonly stop: () => void } {
    let at = 0
    let waiting = false
    let over = false
    const blocked = (): boolean => over || waiting
    const run = (): void => {
      while (!blocked() && at < this.turns.length) {
        let text = this.turns[at++] ?? ""
        while (at < this.turns.length && text.length < writeMax) text += this.turns[at++]
        if (sink.write(text)) continue
        waiting = true
        sink.drain(() => {
          waiting = false
          run()
        })
      }
      if (blocked() || this.end === undefined || at < this.turns.length) return
      over = true
      onEnd()
    }
    return { run, stop: () => (over = true) }
  }

  private readonly flush = (): void => {
    if (this.pending === "") return
    this.turns.push(this.head + this.pending)
    this.head = ""
    this.pending = ""
    for (const onFrames of this.readers) onFrames()
  }
}
