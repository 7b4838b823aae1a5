/** The worker chart's decisions, as pure functions of what it remembers. */
import type { ErrorCode } from "./errors.ts"
import { type Blame, blameOf, fileDeathsMax, type Phase } from "./policy/blame.ts"
import { afterDeath, type RestartDecision, workerRestarts } from "./policy/restart.ts"
import type { Beat, WorkerContext, WorkerExit, WorkerOutcome } from "./worker-terms.ts"

const phaseOf = ({ hasRuntime, ready }: WorkerContext): Phase =>
  ready === undefined ? (hasRuntime ? "load" : "boot") : "serve"

export const silent: Beat = { busy: 0, tokens_out: 0, progress: 0, infers: [] }

/** A request that took a worker down before decodes without neighbours: it is blamed for this death, not the device. */
const isTheRequests = ({ beat }: WorkerContext): boolean => beat.infers.some(({ alone }) => alone === true)

/** What the death of the process that there was is charged to. */
export const charge = (context: WorkerContext, exit: WorkerExit): Blame =>
  blameOf(
    { ...explain(context, exit), phase: phaseOf(context), isGivenUp: context.giveUp !== undefined },
    context.failures
  )

export const decide = (context: WorkerContext, exit: WorkerExit): RestartDecision =>
  isTheRequests(context)
    ? { _tag: "Restart", n: context.deaths.length, delayMs: 0, deaths: context.deaths }
    : afterDeath(workerRestarts, context.deaths, exit.at)

/** With a give-up, its reason explains the death better than the signal that it led to. */
export const explain = (context: WorkerContext, exit: WorkerExit): WorkerExit => ({
  ...exit,
  reason: context.giveUp?.reason ?? exit.reason,
  code: context.giveUp?.code ?? exit.code
})

const stallLimitMs = (context: WorkerContext): number => Math.max(context.limits.workStallMs, 10 * context.batchMs)

/** Why the worker is given up at the next tick, if it is. */
export const verdict = (context: WorkerContext): { reason: string; code: ErrorCode | undefined } | undefined => {
  const { limits } = context
  const quietMs = context.quietMs + limits.tickMs
  const stillMs = context.stillMs + limits.tickMs
  const seconds = (ms: number) => `${Math.round(ms / 1000)} s`
  if (context.bound === undefined) {
    if (quietMs < limits.wakingMs) return undefined
    return { reason: `did not bind a port within ${seconds(limits.wakingMs)}`, code: undefined }
  }
  if (quietMs >= limits.silenceMs) return { reason: `silent for ${seconds(quietMs)}`, code: undefined }
  if (context.ready === undefined) {
    if (stillMs < limits.loadStallMs) return undefined
    return { reason: `loading stalled at ${Math.round(context.loadProgress * 100)}%`, code: "LOADING_STALLED" }
  }
  if (context.beat.busy === 0 || stillMs < stallLimitMs(context)) return undefined
  return { reason: `busy without progress for ${seconds(stillMs)}`, code: undefined }
}

export const afterBeat = (context: WorkerContext, beat: Beat): Partial<WorkerContext> => {
  const steps = beat.progress - context.beat.progress
  const moved = steps > 0 || beat.busy === 0
  const batchMs = steps > 0 && context.beat.busy > 0 ? (context.batchMs + context.stillMs / steps) / 2 : context.batchMs
  return { beat, quietMs: 0, stillMs: moved ? 0 : context.stillMs, batchMs }
}

/** The code of a failure that nobody has named. */
const codeOf = (blame: Blame): ErrorCode => {
  switch (blame) {
    case "file":
      return "MODEL_INVALID"
    case "memory":
      return "VRAM_EXHAUSTED"
    case "installation":
      return "BACKEND_UNAVAILABLE"
    default:
      return "WORKER_START_FAILED"
  }
}

export const outcomeOf = (context: WorkerContext): WorkerOutcome => {
  if (context.stop !== undefined || context.lastExit === undefined) return { outcome: "stopped" }
  const { code, reason, lastWords } = context.lastExit
  const charged = charge(context, context.lastExit)
  // once is not enough for a file, however its worker ended before
  const blame = charged === "file" && context.fileDeaths + 1 < fileDeathsMax ? "unclear" : charged
  const decision = decide(context, context.lastExit)
  const attempts = decision._tag === "Spent" ? decision.attempts : decision.n
  return { outcome: "failed", code: code ?? codeOf(blame), blame, attempts, reason, lastWords }
}

/** No further try: it would end the same way, or the restarts are spent. */
export const isEnd = (context: WorkerContext, exit: WorkerExit): boolean => {
  const blame = charge(context, exit)
  if (blame === "explained" || explain(context, exit).code === "BACKEND_UNAVAILABLE") return true
  if (blame === "file" && context.fileDeaths + 1 >= fileDeathsMax) return true
  return decide(context, exit)._tag === "Spent"
}
