/** The words of the worker's chart: what happens to it, what it asks for, how it ends. */
import type { ErrorCode } from "./errors.ts"
import type { Blame, FailureWords } from "./policy/blame.ts"
import type { Shape } from "./policy/memory/fit.ts"
import type { ControlMessage, Exactness } from "./vocabulary/worker.ts"
import type { WorkerId } from "./vocabulary/ids.ts"

export type Beat = Omit<Extract<ControlMessage, { readonly t: "beat" }>, "t">

/** How long, in milliseconds, before a worker is given up; and when an idle one unloads. */
export interface WorkerLimits {
  readonly tickMs: number
  /** from the start of its process to its bind */
  readonly wakingMs: number
  /** without any word on the control pipe */
  readonly silenceMs: number
  /** loading without progress */
  readonly loadStallMs: number
  /** busy without progress, at least; ten times the expected batch if that is more */
  readonly workStallMs: number
  readonly idleMs: number
  /** what an idle one that unloads still gives to an answer that began just then */
  readonly drainMs: number
  /** between SIGTERM and SIGKILL */
  readonly graceMs: number
}

export const workerLimits: Omit<WorkerLimits, "idleMs" | "drainMs"> = {
  tickMs: 1000,
  wakingMs: 30_000,
  silenceMs: 10_000,
  loadStallMs: 60_000,
  workStallMs: 30_000,
  graceMs: 5000
}

export interface Ready {
  readonly backend: string
  readonly context: number
  readonly slots: number
  /** undefined until its self-test has ended */
  readonly exactness: Exactness | undefined
}

export interface WorkerInput {
  readonly id: WorkerId
  readonly shape: Shape
  readonly pinned: boolean
  readonly expectedBatchMs: number
  readonly limits: WorkerLimits
  readonly failures: FailureWords
}

/** How a process of this worker ended. */
export interface WorkerExit {
  /** milliseconds since 1970 */
  readonly at: number
  /** "exit code 134", "killed by SIGKILL", or the worker's own words */
  readonly reason: string
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** what the worker itself said before it went */
  readonly code: ErrorCode | undefined
  /** the code is the engine's own refusal of the file */
  readonly isEngines: boolean
  /** the ledger has the memory that was booked for it, now that it is gone */
  readonly hasRoom: boolean
  readonly lastWords: string
}

export type WorkerEvent =
  | { readonly type: "START" }
  | { readonly type: "BOUND"; readonly port: number | undefined; readonly url: string }
  /** the runtime is there, and so much of the model is loaded */
  | { readonly type: "LOADING"; readonly progress: number }
  | ({ readonly type: "READY" } & Ready)
  | { readonly type: "EXACT"; readonly exactness: Exactness }
  | { readonly type: "BEAT"; readonly beat: Beat }
  /** somebody counts on it from now on */
  | { readonly type: "JOIN"; readonly pin: boolean }
  /** running work may finish within `drainMs` */
  | { readonly type: "STOP"; readonly drainMs: number }
  | { readonly type: "GIVE_UP"; readonly reason: string; readonly code: ErrorCode | undefined }

export type WorkerCommand =
  | { readonly type: "bound"; readonly port: number | undefined; readonly url: string }
  | { readonly type: "progress"; readonly progress: number }
  | { readonly type: "ready" }
  /** what its self-test found, to be remembered for the next load */
  | { readonly type: "exact"; readonly exactness: Exactness }
  /** a process went and another will come; `boot`: it never was ready */
  | { readonly type: "restarting"; readonly n: number; readonly reason: string; readonly boot: boolean }
  | { readonly type: "shrunk"; readonly from: Shape; readonly to: Shape }
  /** the last command: how it went */
  | { readonly type: "ended"; readonly outcome: WorkerOutcome }

export type WorkerOutcome =
  | { readonly outcome: "stopped" }
  | {
      readonly outcome: "failed"
      readonly code: ErrorCode
      readonly blame: Blame
      readonly attempts: number
      readonly reason: string
      readonly lastWords: string
    }

/** What a worker remembers of itself. */
export interface WorkerContext {
  readonly id: WorkerId
  readonly limits: WorkerLimits
  /** what its last words mean, by its kind */
  readonly failures: FailureWords
  readonly shape: Shape
  readonly hasShrunk: boolean
  readonly pinned: boolean
  /** 1 is the first process */
  readonly tries: number
  readonly deaths: ReadonlyArray<number>
  /** in a row, while it was loading, of which the file may be the cause */
  readonly fileDeaths: number
  /** of the process that there is now: its runtime was there, so that the model could be tried */
  readonly hasRuntime: boolean
  readonly backoffMs: number
  readonly bound: { readonly port: number | undefined; readonly url: string } | undefined
  readonly ready: Ready | undefined
  readonly loadProgress: number
  readonly beat: Beat
  /** since it last said anything, and since its work last moved */
  readonly quietMs: number
  readonly stillMs: number
  /** smoothed from what its beats show */
  readonly batchMs: number
  readonly giveUp: { readonly reason: string; readonly code: ErrorCode | undefined } | undefined
  /** it shall not come back; running work may finish within this time */
  readonly stop: { readonly drainMs: number } | undefined
  readonly lastExit: WorkerExit | undefined
}
