/** What a worker is given, and what it is just now: what its calls are answered from. */
import type { WorkerPlan } from "../../layers/worker-launcher/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { ControlMessage } from "../../machines/vocabulary/worker.ts"
import type { Answers } from "./answers.ts"

export interface WorkerOptions {
  readonly plan: WorkerPlan
  /** of the process that it runs in */
  readonly pid: number
  /** the hive's ear; must not throw */
  readonly tell: (message: ControlMessage) => void
}

/** loading: no answers yet; healthy: answers; draining: no new ones */
export interface WorkerStatus {
  /** 0…1 */
  loaded: number
  answers: Answers | undefined
  slots: number
  draining: boolean
  /** uses nothing any more that was read for this account, or for any */
  forget: (scope?: string) => void
}

export const shuttingDown = (): RbeeError<"SHUTTING_DOWN"> => rbeeError("SHUTTING_DOWN", "the worker is shutting down")
