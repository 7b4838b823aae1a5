/**
 * A worker, as its hive sees it: one resident model on one device, over all processes that serve it in turn.
 *
 * The process is the activity `run`, alive as long as the chart is in `present`; its exit is an event like any other.
 * Beside it a pulse counts, in ticks, how long nothing was heard and nothing moved. Ticks and not one long timer: a
 * machine that slept wakes up to one late tick, and not to a worker that it takes for dead.
 */
import { assign, emit, enqueueActions, raise, setup } from "xstate"
import { activity } from "./activity.ts"
import type { ErrorCode } from "./errors.ts"
import { type Shape, shrunk } from "./policy/estimate.ts"
import { afterDeath, type RestartDecision, workerRestarts } from "./policy/restart.ts"
import type { ControlMessage } from "./vocabulary/worker.ts"

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
  /** between SIGTERM and SIGKILL */
  readonly graceMs: number
}

export const workerLimits: Omit<WorkerLimits, "idleMs"> = {
  tickMs: 1000,
  wakingMs: 30_000,
  silenceMs: 10_000,
  loadStallMs: 60_000,
  workStallMs: 30_000,
  graceMs: 5000
}

export interface WorkerInput {
  readonly id: string
  readonly shape: Shape
  readonly pinned: boolean
  readonly expectedBatchMs: number
  readonly limits: WorkerLimits
}

/** How a process of this worker ended. */
export interface WorkerExit {
  /** milliseconds since 1970 */
  readonly at: number
  /** "exit code 134", "killed by SIGKILL", or the worker's own words */
  readonly reason: string
  /** what the worker itself said before it went */
  readonly code: ErrorCode | undefined
  readonly outOfMemory: boolean
  readonly lastWords: string
}

export type WorkerEvent =
  | { readonly type: "START" }
  | { readonly type: "BOUND"; readonly port: number | undefined; readonly url: string }
  | { readonly type: "LOADING"; readonly progress: number }
  | { readonly type: "READY"; readonly backend: string; readonly context: number; readonly slots: number }
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
      readonly attempts: number
      readonly reason: string
      readonly lastWords: string
    }

/** Another try would end the same way. */
const hopeless: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["MODEL_INVALID", "MODEL_NOT_FOUND", "BACKEND_UNAVAILABLE"])

const silent: Beat = { busy: 0, tokens_out: 0, progress: 0, infers: [] }

interface Context {
  readonly id: string
  readonly limits: WorkerLimits
  readonly shape: Shape
  readonly hasShrunk: boolean
  readonly pinned: boolean
  /** 1 is the first process */
  readonly tries: number
  readonly deaths: ReadonlyArray<number>
  readonly backoffMs: number
  readonly bound: { readonly port: number | undefined; readonly url: string } | undefined
  readonly ready: { readonly backend: string; readonly context: number; readonly slots: number } | undefined
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

const decide = (context: Context, exit: WorkerExit): RestartDecision =>
  afterDeath(workerRestarts, context.deaths, exit.at)

/** With a give-up, its reason explains the death better than the signal that it led to. */
const explain = (context: Context, exit: WorkerExit): WorkerExit => ({
  ...exit,
  reason: context.giveUp?.reason ?? exit.reason,
  code: context.giveUp?.code ?? exit.code
})

const stallLimitMs = (context: Context): number => Math.max(context.limits.workStallMs, 10 * context.batchMs)

/** Why the worker is given up at the next tick, if it is. */
const verdict = (context: Context): { reason: string; code: ErrorCode | undefined } | undefined => {
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

const afterBeat = (context: Context, beat: Beat): Partial<Context> => {
  const steps = beat.progress - context.beat.progress
  const moved = steps > 0 || beat.busy === 0
  const batchMs = steps > 0 && context.beat.busy > 0 ? (context.batchMs + context.stillMs / steps) / 2 : context.batchMs
  return { beat, quietMs: 0, stillMs: moved ? 0 : context.stillMs, batchMs }
}

const outcomeOf = (context: Context): WorkerOutcome => {
  if (context.stop !== undefined || context.lastExit === undefined) return { outcome: "stopped" }
  const { code, reason, lastWords } = context.lastExit
  const decision = decide(context, context.lastExit)
  const attempts = decision._tag === "Spent" ? decision.attempts : decision.n
  return { outcome: "failed", code: code ?? "WORKER_START_FAILED", attempts, reason, lastWords }
}

const machine = setup({
  types: {
    context: {} as Context,
    input: {} as WorkerInput,
    events: {} as WorkerEvent,
    emitted: {} as WorkerCommand,
    output: {} as WorkerOutcome,
    tags: {} as "cold" | "waking" | "loading" | "healthy" | "degraded" | "stopping" | "stopped" | "failed"
  },
  actors: {
    /** one process, from start to exit */
    run: activity<WorkerExit, { readonly attempt: number; readonly shape: Shape }>(),
    /** asks it to take no new work and to go when its work is done */
    drain: activity<void, { readonly drainMs: number }>(),
    /** SIGTERM, `graceMs`, SIGKILL; with 0 SIGKILL at once */
    end: activity<void, { readonly graceMs: number }>()
  },
  delays: {
    tick: ({ context }) => context.limits.tickMs,
    idle: ({ context }) => context.limits.idleMs,
    backoff: ({ context }) => context.backoffMs,
    drained: ({ context }) => context.stop?.drainMs ?? 0
  }
})

const noteStop = machine.assign(({ event }) => (event.type === "STOP" ? { stop: { drainMs: event.drainMs } } : {}))
const notePin = machine.assign(({ context, event }) =>
  event.type === "JOIN" ? { pinned: context.pinned || event.pin } : {}
)
const ended = machine.emit(({ context }) => ({ type: "ended" as const, outcome: outcomeOf(context) }))
const noteBeat = machine.assign(({ context, event }) => (event.type === "BEAT" ? afterBeat(context, event.beat) : {}))

export const workerMachine = machine.createMachine({
  id: "worker",
  context: ({ input }) => ({
    id: input.id,
    limits: input.limits,
    shape: input.shape,
    hasShrunk: false,
    pinned: input.pinned,
    tries: 0,
    deaths: [],
    backoffMs: 0,
    bound: undefined,
    ready: undefined,
    loadProgress: 0,
    beat: silent,
    quietMs: 0,
    stillMs: 0,
    batchMs: input.expectedBatchMs,
    giveUp: undefined,
    stop: undefined,
    lastExit: undefined
  }),
  initial: "cold",
  states: {
    cold: { tags: "cold", on: { START: "present", STOP: { target: "stopped", actions: noteStop } } },
    present: {
      type: "parallel",
      entry: assign(({ context }) => ({
        tries: context.tries + 1,
        bound: undefined,
        ready: undefined,
        loadProgress: 0,
        beat: silent,
        quietMs: 0,
        stillMs: 0,
        giveUp: undefined
      })),
      invoke: {
        src: "run",
        input: ({ context }) => ({ attempt: context.tries, shape: context.shape }),
        onDone: [
          { guard: ({ context }) => context.stop !== undefined, target: "stopped" },
          {
            guard: ({ context, event }) =>
              hopeless.has(explain(context, event.output).code ?? "INTERNAL") ||
              decide(context, event.output)._tag === "Spent",
            target: "failed",
            actions: assign(({ context, event }) => ({ lastExit: explain(context, event.output) }))
          },
          {
            target: "degraded",
            actions: enqueueActions(({ context, event, enqueue }) => {
              const exit = explain(context, event.output)
              const decision = decide(context, event.output)
              const smaller = exit.outOfMemory && !context.hasShrunk ? shrunk(context.shape) : undefined
              enqueue.assign({ lastExit: exit })
              if (decision._tag === "Restart") {
                enqueue.assign({ deaths: decision.deaths, backoffMs: decision.delayMs })
                const boot = context.ready === undefined
                enqueue.emit({ type: "restarting", n: decision.n, reason: exit.reason, boot })
              }
              if (smaller !== undefined) {
                enqueue.emit({ type: "shrunk", from: context.shape, to: smaller })
                enqueue.assign({ shape: smaller, hasShrunk: true })
              }
            })
          }
        ]
      },
      states: {
        phase: {
          initial: "waking",
          on: {
            GIVE_UP: {
              target: ".ending",
              actions: assign(({ event: { reason, code } }) => ({ giveUp: { reason, code } }))
            },
            JOIN: { actions: notePin }
          },
          states: {
            waking: {
              tags: "waking",
              on: {
                BOUND: {
                  target: "loading",
                  actions: [
                    assign(({ event: { port, url } }) => ({ bound: { port, url }, quietMs: 0, stillMs: 0 })),
                    emit(({ event: { port, url } }) => ({ type: "bound" as const, port, url }))
                  ]
                },
                STOP: { target: "ending", actions: noteStop }
              }
            },
            loading: {
              tags: "loading",
              on: {
                LOADING: {
                  actions: [
                    assign(({ context, event }) => ({
                      quietMs: 0,
                      stillMs: event.progress > context.loadProgress ? 0 : context.stillMs,
                      loadProgress: Math.max(context.loadProgress, event.progress)
                    })),
                    emit(({ event }) => ({ type: "progress" as const, progress: event.progress }))
                  ]
                },
                BEAT: {
                  actions: assign(({ context, event }) => ({
                    quietMs: 0,
                    stillMs: event.beat.progress > context.beat.progress ? 0 : context.stillMs,
                    beat: event.beat
                  }))
                },
                READY: {
                  target: "healthy",
                  actions: [
                    assign(({ event: { backend, context, slots } }) => ({
                      ready: { backend, context, slots },
                      loadProgress: 1,
                      quietMs: 0,
                      stillMs: 0
                    })),
                    emit({ type: "ready" as const })
                  ]
                },
                STOP: { target: "ending", actions: noteStop }
              }
            },
            healthy: {
              tags: "healthy",
              initial: "idle",
              on: {
                BEAT: { actions: noteBeat },
                STOP: [
                  { guard: ({ event }) => event.drainMs <= 0, target: "ending", actions: noteStop },
                  { target: ".draining", reenter: true, actions: noteStop }
                ]
              },
              states: {
                idle: {
                  after: {
                    idle: {
                      guard: ({ context }) => !context.pinned,
                      target: "draining",
                      actions: assign({ stop: { drainMs: 30_000 } })
                    }
                  },
                  on: {
                    JOIN: {
                      target: "idle",
                      reenter: true,
                      actions: notePin
                    },
                    BEAT: [
                      {
                        guard: ({ event }) => event.beat.busy > 0,
                        target: "busy",
                        actions: noteBeat
                      },
                      {
                        // It answered something between two beats: that was use, too.
                        guard: ({ context, event }) => event.beat.tokens_out > context.beat.tokens_out,
                        target: "idle",
                        reenter: true,
                        actions: noteBeat
                      },
                      { actions: noteBeat }
                    ]
                  }
                },
                busy: {
                  on: {
                    BEAT: [
                      {
                        guard: ({ event }) => event.beat.busy === 0,
                        target: "idle",
                        actions: noteBeat
                      },
                      { actions: noteBeat }
                    ]
                  }
                },
                draining: {
                  tags: "stopping",
                  invoke: {
                    src: "drain",
                    input: ({ context }) => ({ drainMs: context.stop?.drainMs ?? 0 }),
                    // Done: it was told, and its exit is what counts. An error: it cannot be told any more.
                    onError: "#worker.present.phase.ending"
                  },
                  after: { drained: "#worker.present.phase.ending" }
                }
              }
            },
            ending: {
              tags: "stopping",
              invoke: {
                src: "end",
                input: ({ context }) => ({ graceMs: context.giveUp === undefined ? context.limits.graceMs : 0 })
              },
              on: {
                GIVE_UP: {},
                STOP: { actions: noteStop }
              }
            }
          }
        },
        pulse: {
          initial: "counting",
          states: {
            counting: {
              after: {
                tick: [
                  {
                    guard: ({ context }) => verdict(context) !== undefined,
                    target: "done",
                    actions: raise(({ context }) => ({
                      type: "GIVE_UP" as const,
                      ...(verdict(context) ?? { reason: "", code: undefined })
                    }))
                  },
                  {
                    target: "counting",
                    reenter: true,
                    actions: assign(({ context }) => ({
                      quietMs: context.quietMs + context.limits.tickMs,
                      stillMs: context.stillMs + context.limits.tickMs
                    }))
                  }
                ]
              }
            },
            done: {}
          }
        }
      }
    },
    degraded: {
      tags: "degraded",
      after: { backoff: "present" },
      on: {
        STOP: { target: "stopped", actions: noteStop },
        JOIN: { actions: notePin }
      }
    },
    stopped: { tags: "stopped", type: "final", entry: ended },
    failed: { tags: "failed", type: "final", entry: ended }
  },
  output: ({ context }) => outcomeOf(context)
})
