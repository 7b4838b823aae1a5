/**
 * A job's durable event sequence (API.md, SSE): narration, state, token, failover and terminal events share ids
 * 1, 2, 3, …; `progress` has none and may be lost. What is appended in one turn of the event loop is committed to the
 * journal in one transaction and only then written to readers, so nothing that a reader has seen can be forgotten.
 *
 * Appending is synchronous and cheap: the token path calls it (DESIGN §8).
 */
import type { RbeeError } from "../../machines/errors.ts"
import type { Line } from "../../machines/narration.ts"
import type { DoneEvent } from "../../machines/vocabulary/job.ts"
import type { ProgressEvent } from "../../machines/vocabulary/model.ts"
import type { EventFeed } from "../../layers/api/endpoint.ts"

/** Speaks one line to whoever waits for it. */
export type Narrate = (line: Line, ids?: { readonly hiveId?: string; readonly workerId?: string }) => void

export type Terminal =
  | { readonly _tag: "Done"; readonly event: DoneEvent }
  | { readonly _tag: "Error"; readonly error: RbeeError }
  | { readonly _tag: "Cancelled" }

export interface JobLog {
  readonly jobId: string
  readonly narrate: Narrate
  readonly progress: (event: ProgressEvent) => void
  readonly stateChanged: (machine: string, id: string, from: string, to: string) => void
  /** the next token of the answer: text and token id */
  readonly token: (text: string, id: number) => void
  readonly failover: (from: string, to: string, resampled: boolean) => void
  /** Ends the sequence. The first call wins; later calls and later appends are ignored. */
  readonly end: (terminal: Terminal) => void
  readonly ended: () => boolean
  /** tokens so far, their text and ids: what another worker continues from */
  readonly tokens: () => number
  readonly text: () => string
  readonly tokenIds: () => ReadonlyArray<number>
  /** The sequence after `lastEventId` (absent: from 1), then live, until the terminal event. */
  readonly feed: (lastEventId?: string) => EventFeed
}
