/**
 * The queen's journal: every job with its event sequence, from which the next queen continues
 * (docs/design.md#what-is-kept-where).
 *
 * No call says when it is done but by its answer: behind the port may be a file (`sqlite.ts`) or a store of another
 * machine. Calls take effect in the order in which they were made; what is read is what was committed. A store within
 * the process is written with plain calls, and made a journal by `in-process.ts`.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { AnswerForm } from "../../machines/dialect/answer-form.ts"
import { Count } from "../../machines/vocabulary/common.ts"
import {
  FinishReason,
  type CheckedRequest,
  JobState,
  Placement,
  Timings,
  Usage,
  WireError
} from "../../machines/vocabulary/job.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"
import type { UsageDay } from "../../machines/vocabulary/people/usage.ts"

/** What is known of a job beside its events; the newest is kept. */
export const JobFacts = Schema.Struct({
  state: JobState,
  /** by what right it was made; absent: by the cluster's token, or of an earlier version */
  owner: Schema.optional(Schema.String),
  /** whom it is charged to, and to which day (machines/people); absent: of an earlier version */
  charged: Schema.optional(Schema.Struct({ to: Schema.String, day: Schema.String })),
  /** counts the infers of this job; tokens of an older epoch are refused */
  epoch: Count,
  /** written at the end */
  tokens: Schema.optional(Count),
  placement: Schema.optional(Placement),
  failovers: Count,
  /** it went on elsewhere where that is not exact: tokens after the interruption may be others */
  continued: Schema.optional(Schema.Literal(true)),
  timings: Timings,
  usage: Schema.optional(Usage),
  finish_reason: Schema.optional(FinishReason),
  /** tokens of its prompt, once a worker has read it */
  prompt_tokens: Schema.optional(Count),
  /** of devices, as far as its infers have ended */
  device_ms: Schema.optional(Schema.NonNegative),
  /** how its answer is read; absent: it is plain text */
  form: Schema.optional(AnswerForm),
  error: Schema.optional(WireError)
})
export type JobFacts = typeof JobFacts.Type

export interface NewJob {
  readonly id: JobId
  readonly request: CheckedRequest
  /** the `Idempotency-Key` it came with; the request itself tells whether a second one is the same */
  readonly key?: string | undefined
  /** milliseconds since 1970 */
  readonly createdAt: number
  readonly facts: JobFacts
}

export interface JournalJob extends NewJob {
  /** milliseconds since 1970; undefined until its terminal event is written */
  readonly endedAt: number | undefined
}

export type Write =
  /** one event; `data` is its JSON, on one line */
  | {
      readonly _tag: "Event"
      readonly job: JobId
      readonly id: number
      readonly event: string
      readonly data: string
    }
  /**
   * A run of `count` tokens with contiguous ids and indexes; `texts` and `tokenIds` are JSON arrays of that length.
   * `firstId` 0: kept for failover and not part of the sequence (`stream:false`).
   */
  | {
      readonly _tag: "Tokens"
      readonly job: JobId
      readonly firstId: number
      readonly firstIndex: number
      readonly count: number
      readonly texts: string
      readonly tokenIds: string
    }
  | { readonly _tag: "Facts"; readonly job: JobId; readonly facts: JobFacts; readonly endedAt: number | undefined }

/** A row of the sequence, as it was written. */
export type Entry =
  | { readonly _tag: "Event"; readonly id: number; readonly event: string; readonly data: string }
  | {
      readonly _tag: "Tokens"
      readonly firstId: number
      readonly firstIndex: number
      readonly texts: ReadonlyArray<string>
    }

/** What a job has answered: as many texts as ids. */
export interface Tokens {
  readonly texts: ReadonlyArray<string>
  readonly tokenIds: ReadonlyArray<number>
}

/** The id of the last event that the row holds. */
export const lastIdOf = (entry: Entry): number =>
  entry._tag === "Event" ? entry.id : entry.firstId + entry.texts.length - 1

/** Why a journal does not do what it was asked to; nothing of a batch is kept then. */
export class JournalError extends Data.TaggedError("JournalError")<{
  /** `full`: it has no room · `malformed`: what is in it makes no sense · `unavailable`: it cannot be reached or used */
  readonly kind: "full" | "malformed" | "unavailable"
  /** what was found, or the store's own code */
  readonly why: string
}> {
  override get message(): string {
    return `the journal is ${this.kind} (${this.why})`
  }
}

export interface JournalService {
  /**
   * Takes a job in, durably. Its id is new; with a key that came before nothing is written, and the job of then is
   * given. Who leaves before the end may have made it: `remove` follows then.
   */
  readonly create: (job: NewJob) => Effect.Effect<JournalJob | undefined, JournalError>
  /** Whether the job was created with this request. */
  readonly isSame: (id: JobId, request: CheckedRequest) => Effect.Effect<boolean, JournalError>
  /**
   * One transaction, all or nothing. `done` is called once, when the batch is durable or will never be: perhaps before
   * this returns. The one call of the token path, which has no fiber; the next one comes after `done`.
   */
  readonly commit: (writes: ReadonlyArray<Write>, done: (failure?: JournalError) => void) => void
  /** Rows that hold an event after `afterId`, in order, at most `limit` rows; the first may begin before it. */
  readonly replay: (job: JobId, afterId: number, limit: number) => Effect.Effect<ReadonlyArray<Entry>, JournalError>
  /** The last event id, 0 if none. */
  readonly lastId: (job: JobId) => Effect.Effect<number, JournalError>
  /** All tokens of the job so far. */
  readonly tokens: (job: JobId) => Effect.Effect<Tokens, JournalError>
  /** Of a long request without what it says, as `jobs`. */
  readonly job: (id: JobId) => Effect.Effect<JournalJob | undefined, JournalError>
  /** Newest first. */
  readonly jobs: (limit: number) => Effect.Effect<ReadonlyArray<JournalJob>, JournalError>
  /** Without a terminal event, oldest first: what a new queen continues. With all that they say. */
  readonly unfinished: Effect.Effect<ReadonlyArray<JournalJob>, JournalError>
  /** Nothing, of a job that is not there. */
  readonly remove: (id: JobId) => Effect.Effect<void, JournalError>
  /**
   * Removes the jobs that ended before `before` (milliseconds since 1970), and all but the newest `keep` ended ones;
   * the oldest first and not all at once: call again until none is left. Returns their ids.
   */
  readonly forget: (before: number, keep: number) => Effect.Effect<ReadonlyArray<JobId>, JournalError>
  /**
   * What ended jobs are charged with, by key and day, from a day on. A job is charged in the commit that ends it, once,
   * whoever removes it later.
   */
  readonly usage: (since: string) => Effect.Effect<ReadonlyArray<UsageDay>, JournalError>
  /** Forgets the sums of the days before. */
  readonly forgetUsage: (before: string) => Effect.Effect<void, JournalError>
  /** Moves the log into the file. Waits for the disk: for a moment when no token flows. */
  readonly checkpoint: Effect.Effect<void, JournalError>
}

export class Journal extends Context.Tag("rbee/Journal")<Journal, JournalService>() {}
