/**
 * The queen's journal: every job with its event sequence, from which the next queen continues
 * (docs/design.md#what-is-kept-where).
 *
 * All calls are synchronous: the token path has no fiber, and what a turn of the event loop gathered is committed in
 * one transaction before any reader sees it. What could hold everybody up is done in steps. A call that throws is a fault of the disk or a bug, never an expected
 * failure; nothing of the batch is kept then.
 */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import { Count } from "../../machines/vocabulary/common.ts"
import {
  FinishReason,
  type JobRequest,
  JobState,
  Placement,
  Timings,
  Usage,
  WireError
} from "../../machines/vocabulary/job.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"

/** What is known of a job beside its events; the newest is kept. */
export const JobFacts = Schema.Struct({
  state: JobState,
  /** by what right it was made; absent: by the cluster's token, or of an earlier version */
  owner: Schema.optional(Schema.String),
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
  error: Schema.optional(WireError)
})
export type JobFacts = typeof JobFacts.Type

export interface NewJob {
  readonly id: JobId
  readonly request: JobRequest
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

/** The id of the last event that the row holds. */
export const lastIdOf = (entry: Entry): number =>
  entry._tag === "Event" ? entry.id : entry.firstId + entry.texts.length - 1

/** Long work that its caller does in steps, each of them short: others have their turn in between. */
export type Steps<A = void> = IterableIterator<undefined, A, undefined>

export interface JournalService {
  /** Writes a long request ahead of `create`, in steps; left before the end, or never created, nothing of it is kept. */
  readonly prepare: (job: NewJob) => Steps
  /** Commits the job by itself. The id and the key must be new. */
  readonly create: (job: NewJob) => void
  /** Whether the job was created with this request, found out in steps. */
  readonly isSame: (id: JobId, request: JobRequest) => Steps<boolean>
  /** One transaction; all or nothing. */
  readonly commit: (writes: ReadonlyArray<Write>) => void
  /** Rows that hold an event after `afterId`, in order, at most `limit` rows; the first may begin before it. */
  readonly replay: (job: JobId, afterId: number, limit: number) => ReadonlyArray<Entry>
  /** The last event id, 0 if none. */
  readonly lastId: (job: JobId) => number
  /** All tokens of the job so far. */
  readonly tokens: (job: JobId) => { readonly texts: ReadonlyArray<string>; readonly tokenIds: ReadonlyArray<number> }
  /** Of a long request without what it says, as `byKey` and `jobs`. */
  readonly job: (id: JobId) => JournalJob | undefined
  readonly byKey: (key: string) => JournalJob | undefined
  /** Newest first. */
  readonly jobs: (limit: number) => ReadonlyArray<JournalJob>
  /** Without a terminal event, oldest first: what a new queen continues. With all that they say. */
  readonly unfinished: () => ReadonlyArray<JournalJob>
  readonly remove: (id: JobId) => void
  /**
   * Removes the jobs that ended before `before` (milliseconds since 1970), and all but the newest `keep` ended ones;
   * the oldest first and not all at once: call again until none is left. Returns their ids.
   */
  readonly forget: (before: number, keep: number) => ReadonlyArray<JobId>
  /** Moves the log into the file. Waits for the disk: for a moment when no token flows. */
  readonly checkpoint: () => void
}

export class Journal extends Context.Tag("rbee/Journal")<Journal, JournalService>() {}
