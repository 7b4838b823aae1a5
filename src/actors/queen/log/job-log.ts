/**
 * A job's durable event sequence (docs/api.md#streams): narration, state, token, failover and terminal events share ids
 * 1, 2, 3, …; `progress` has none and may be lost. What is appended in one turn of the event loop, or while the journal
 * is at the commit before, is committed in one transaction and only then written to readers (`commits.ts`), so nothing
 * that a reader has seen can be forgotten.
 *
 * Appending is synchronous and cheap: the token path calls it (docs/design.md#the-token-path).
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { EventFeed } from "../../../protocol/endpoint.ts"
import type { JournalLost } from "./commits.ts"
import type { JobFacts, JournalJob } from "../../../layers/journal/index.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import type { Line } from "../../../machines/narration.ts"
import type { DoneEvent, CheckedRequest, TokenLogprob } from "../../../machines/vocabulary/job.ts"
import type { ProgressEvent } from "../../../machines/vocabulary/model.ts"
import type { JobId, HiveId } from "../../../machines/vocabulary/ids.ts"
import type { UsageDay } from "../../../machines/vocabulary/people/usage.ts"

/** Speaks one line to whoever waits for it. */
export type Narrate = (line: Line, ids?: { readonly hiveId?: HiveId; readonly workerId?: string }) => void

export type Terminal =
  | { readonly _tag: "Done"; readonly event: DoneEvent }
  | { readonly _tag: "Error"; readonly error: RbeeError }
  | { readonly _tag: "Cancelled" }

/** A job as the journal has it: what may be told of it. */
export interface Shown extends JournalJob {
  /** tokens of its answer */
  readonly tokens: number
}

/** How an answer that went on elsewhere may differ from the undisturbed one. */
export interface FailoverMarks {
  /** its draws come from another kind of device */
  readonly resampled?: true
  /** not exact: tokens after the interruption may be others */
  readonly continued?: true
}

export interface JobLog {
  readonly jobId: JobId
  readonly request: CheckedRequest
  /** milliseconds since 1970 */
  readonly createdAt: number
  readonly narrate: Narrate
  readonly progress: (event: ProgressEvent) => void
  readonly stateChanged: (machine: string, id: string, from: string, to: string) => void
  /**
   * The next token of the answer: text and token id. With `stream:false` it is kept (and journaled now and then)
   * without an event; `end` with Done then gives the whole text in a single `token` event.
   */
  readonly token: (text: string, id: number, logprob?: TokenLogprob) => void
  /** The same for a text that is a JSON string already, and stays one on its way to readers and journal. */
  readonly tokenJson: (json: string, id: number, logprob?: TokenLogprob) => void
  readonly failover: (from: string, to: string, marks: FailoverMarks) => void
  /**
   * Ends the sequence. The first call wins; later calls and later appends are ignored. Writes state, finish reason,
   * usage, timings and error of the terminal into the facts.
   */
  readonly end: (terminal: Terminal) => void
  readonly ended: () => boolean
  /** Much of the answer waits for the journal: its worker is to wait too, until `drain` calls back. */
  readonly isFull: () => boolean
  readonly drain: (resume: () => void) => void
  /** tokens so far, their text and ids: what another worker continues from; of a job of this queen */
  readonly tokens: () => number
  readonly text: () => string
  readonly tokenIds: () => ReadonlyArray<number>
  /**
   * Waits for the first token (or the end of an answer without any) to be visible, and gives the id of the event before
   * it; fails as the job does. Of a job of this queen.
   */
  readonly begun: Effect.Effect<number, RbeeError>
  /** What is known of the job beside its events. */
  readonly facts: () => JobFacts
  /** Changes facts; they are journaled with the turn's events. Still possible after the end. */
  readonly record: (patch: Partial<JobFacts>) => void
  /**
   * Commits at once what was gathered, and waits until it is durable: for what must be so before the next step (a new
   * epoch). Fails where the journal is lost, and the queen with it.
   */
  readonly sync: Effect.Effect<void, JournalLost>
  /** The epoch of the next infer, durable before it is asked for: older ones are refused from then on. */
  readonly nextEpoch: Effect.Effect<number, JournalLost>
  /** What is known of the job as far as it is committed. */
  readonly shown: () => Shown
  /** The same for somebody who asks: what a job that nobody watched has held back is committed first. */
  readonly look: Effect.Effect<Shown, JournalLost>
  /** The sequence after `lastEventId` (absent: from 1), then live, until the terminal event. */
  readonly feed: (lastEventId?: string) => EventFeed
}

export interface OpenJob {
  readonly id: JobId
  readonly request: CheckedRequest
  readonly idempotencyKey?: string | undefined
  /** by what right, where that is not the one to everything */
  readonly owner?: string
  /** whom it is charged to; absent: nobody */
  readonly account?: string
}

/** All jobs of the journal, live or ended. */
export class JobLogs extends Context.Tag("rbee/JobLogs")<
  JobLogs,
  {
    /**
     * Takes a job in, durably. The same idempotency key with the same request gives the job of the first call
     * (`fresh` false); with another request it is a conflict.
     */
    readonly open: (
      job: OpenJob
    ) => Effect.Effect<{ readonly log: JobLog; readonly fresh: boolean }, RbeeError<"CONFLICT"> | JournalLost>
    readonly get: (jobId: JobId) => Effect.Effect<JobLog, RbeeError<"JOB_NOT_FOUND"> | JournalLost>
    /** Newest first. */
    readonly list: (limit?: number) => Effect.Effect<ReadonlyArray<JournalJob>, JournalLost>
    /** Without a terminal event, oldest first: what a new queen continues. */
    readonly unfinished: () => ReadonlyArray<JobLog>
    /** What jobs have used, by key and day, from a day on: ended ones, and the others so far. */
    readonly usage: (since: string) => Effect.Effect<ReadonlyArray<UsageDay>, JournalLost>
    readonly remove: (jobId: JobId) => Effect.Effect<void, JournalLost>
    /** Fails once the journal can no longer be written; all readers are cut then. Its supervisor starts it anew. */
    readonly faulted: Effect.Effect<never, JournalLost>
  }
>() {}
