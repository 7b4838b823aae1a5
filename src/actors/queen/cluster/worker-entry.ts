/** What is known of one worker. */
import type { JobId } from "../../../machines/vocabulary/ids.ts"
import type { WorkerView } from "../../../machines/vocabulary/hive.ts"
import type { WorkerBeat } from "../../../machines/vocabulary/worker.ts"

export interface WorkerEntry {
  view: WorkerView
  /** job → slots that it holds */
  readonly leases: Map<JobId, number>
  /** beats in a row that did not name it */
  missed: number
  /** since when it serves, milliseconds since 1970; undefined: not yet */
  readyAt: number | undefined
  /** called when this life of the worker has left the view */
  readonly onGone: Set<() => void>
}

export const serving = (worker: WorkerBeat): boolean => worker.state === "idle" || worker.state === "busy"

export const newEntry = (view: WorkerView): WorkerEntry => ({
  view,
  leases: new Map(),
  missed: 0,
  readyAt: undefined,
  onGone: new Set()
})

export const freeOf = (entry: WorkerEntry): number => {
  let taken = 0
  for (const slots of entry.leases.values()) taken += slots
  return Math.max(0, entry.view.slots - taken)
}
