/** The worker chart's decisions, as pure functions of what it remembers. */
import type { ErrorCode } from "./errors.ts"
import { afterDeath, type RestartDecision, workerRestarts } from "./policy/restart.ts"
import type { Beat, WorkerContext, WorkerExit, WorkerOutcome } from "./worker-terms.ts"

/** Another try would end the same way. */
const hopeless: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["MODEL_INVALID", "MODEL_NOT_FOUND", "BACKEND_UNAVAILABLE"])

export const silent: Beat = { busy: 0, tokens_out: 0, progress: 0, infers: [] }

/** A request that took a worker down before decodes without neighbours: it is blamed for this death, not the device. */
const isTheRequests = ({ beat }: WorkerContext): boolean => beat.infers.some(({ alone }) => alone === true)

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

export const outcomeOf = (context: WorkerContext): WorkerOutcome => {
  if (context.stop !== undefined || context.lastExit === undefined) return { outcome: "stopped" }
  const { code, reason, lastWords } = context.lastExit
  const decision = decide(context, context.lastExit)
  const attempts = decision._tag === "Spent" ? decision.attempts : decision.n
  return { outcome: "failed", code: code ?? "WORKER_START_FAILED", attempts, reason, lastWords }
}

/** No further try: it would end the same way, or the restarts are spent. */
export const isEnd = (context: WorkerContext, exit: WorkerExit): boolean =>
  hopeless.has(explain(context, exit).code ?? "INTERNAL") || decide(context, exit)._tag === "Spent"
