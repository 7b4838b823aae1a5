/** What a failure on the way to an answer means for the job: pure policy, read by the job's chart. */
import type { ErrorCode, RbeeError } from "../errors.ts"
import { fact } from "../facts.ts"

/**
 * - `candidate`: this device is out for this job, the next one may do;
 * - `retry`: something on the way went away (a hive, a connection), the same place may do in a moment;
 * - `fatal`: nowhere will it be otherwise, the job fails.
 */
export type FailureClass = "candidate" | "retry" | "fatal"

const failureClasses: Partial<Record<ErrorCode, FailureClass>> = {
  VRAM_EXHAUSTED: "candidate",
  BACKEND_UNAVAILABLE: "candidate",
  WORKER_START_FAILED: "candidate",
  LOADING_STALLED: "candidate",
  HIVE_OWNED: "candidate",
  CONNECTION_TIMEOUT: "retry",
  WORKER_CRASHED: "retry",
  WORKER_NOT_FOUND: "retry",
  HIVE_NOT_FOUND: "retry",
  ALL_SLOTS_BUSY: "retry",
  // by the worker itself, as it ends: what the user cancels is interrupted here and never fails
  CANCELLED: "retry",
  SHUTTING_DOWN: "retry"
}

/** A file that one device's engine dies of may do on another one: what is wrong with its header is wrong everywhere. */
const isOfDevice = (error: Pick<RbeeError, "code" | "details">): boolean =>
  error.code === "MODEL_INVALID" && fact(error, "quarantined") === true

export const failureClassOf = (error: Pick<RbeeError, "code" | "details">): FailureClass =>
  isOfDevice(error) ? "candidate" : (failureClasses[error.code] ?? "fatal")

/** Did a running answer break because its worker went away, so that another one can continue it? */
export const losesWorker = (error: Pick<RbeeError, "code" | "details">): boolean => failureClassOf(error) !== "fatal"

/** A request may take this many workers down with it: twice in a row with no token gained, or this often in all. */
export const deathsWithoutTokenMax = 2
export const deathsMax = 5
/** Tries of one job to find its place again before it gives up with the last failure. */
export const retriesMax = 8

/** Milliseconds before the nth retry (n = 1, 2, …): at once, then 0.1 s doubling to 2 s. */
export const retryDelay = (n: number): number => (n <= 1 ? 0 : Math.min(2000, 100 * 2 ** (n - 2)))
