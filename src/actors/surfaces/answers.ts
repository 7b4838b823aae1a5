/**
 * What a surface reads of a job: its answer. How the queen keeps and tells a job's events is her own business, and no
 * surface has a path of its own to a worker.
 */
import type * as Effect from "effect/Effect"
import type { Failing, ofAnswering, ofStore } from "../../protocol/failures.ts"
import type { DoneEvent, TokenLogprob } from "../../machines/vocabulary/job.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"

export interface AnswerReader {
  /** More of what it says: a JSON string already, which may stay one. */
  readonly content: (json: string) => void
  readonly reasoning: (text: string) => void
  /** It calls a tool. The id is 9 letters and digits, the same for every reader; its arguments follow. */
  readonly call: (index: number, id: string, name: string) => void
  /** more of a call's arguments: JSON, as text */
  readonly argument: (index: number, text: string) => void
  /** Of the token whose text comes next, if any, where the job asks for it. */
  readonly logprob?: (one: TokenLogprob) => void
  /** it is whole */
  readonly done: (event: DoneEvent) => void
  /** it failed, or was cancelled */
  readonly error: (error: AnswerError) => void
  /** That was all for now. `false`: the reader is slow, nothing more until it has drained. */
  readonly told: () => boolean
  /** Calls `resume` once the reader has caught up; at once if it has. */
  readonly drain: (resume: () => void) => void
}

/** What becomes of a job, and of who asked for it. */
export type AnswerError = Failing<typeof ofAnswering>
/** Its events are in a store, which may fail. */
export type Unreadable = Failing<typeof ofStore>

/** Completes when `done` or `error` was told, or when the job's events ended without; fails where they cannot be read. */
export type ReadAnswer = (reader: AnswerReader) => Effect.Effect<void, Unreadable>

export interface JobAnswer {
  readonly jobId: JobId
  /** milliseconds since 1970 */
  readonly createdAt: number
  /** tokens of its prompt: once it has begun, where its worker has told */
  readonly promptTokens: () => number | undefined
  /** from its first token, whenever that comes; a job that is not streamed has one token, the whole text */
  readonly read: ReadAnswer
  /** Waits until it has begun, and gives what reads from there; fails as a job does that ends before. */
  readonly begun: Effect.Effect<ReadAnswer, AnswerError>
}
