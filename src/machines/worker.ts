/**
 * A worker, as its hive sees it: one resident model on one device, over all processes that serve it in turn.
 *
 * The process is the activity `run`, alive as long as the chart is in `present`; its exit is an event like any other.
 * Beside it a pulse counts, in ticks, how long nothing was heard and nothing moved. Ticks and not one long timer: a
 * machine that slept wakes up to one late tick, and not to a worker that it takes for dead.
 */
import { assign, emit, enqueueActions, raise, setup } from "xstate"
import { activity } from "./activity.ts"
import { type Shape, shrunk } from "./policy/memory/fit.ts"
import { afterBeat, charge, decide, explain, isEnd, outcomeOf, silent, verdict } from "./worker-judgement.ts"
import type {
  WorkerCommand,
  WorkerContext,
  WorkerEvent,
  WorkerExit,
  WorkerInput,
  WorkerOutcome
} from "./worker-terms.ts"

const machine = setup({
  types: {
    context: {} as WorkerContext,
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
  guards: {
    isStopped: ({ context }) => context.stop !== undefined,
    isSpent: ({ context }, exit: WorkerExit) => isEnd(context, exit),
    isAtOnce: ({ event }) => event.type === "STOP" && event.drainMs <= 0,
    isUnpinned: ({ context }) => !context.pinned,
    isAtWork: ({ event }) => event.type === "BEAT" && event.beat.busy > 0,
    isAtRest: ({ event }) => event.type === "BEAT" && event.beat.busy === 0,
    /** It answered something between two beats: that was use, too. */
    hasAnswered: ({ context, event }) => event.type === "BEAT" && event.beat.tokens_out > context.beat.tokens_out,
    isHung: ({ context }) => verdict(context) !== undefined
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
    failures: input.failures,
    shape: input.shape,
    hasShrunk: false,
    pinned: input.pinned,
    tries: 0,
    deaths: [],
    fileDeaths: 0,
    hasRuntime: false,
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
        hasRuntime: false,
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
          { guard: "isStopped", target: "stopped" },
          {
            guard: { type: "isSpent", params: ({ event }) => event.output },
            target: "failed",
            actions: assign(({ context, event }) => ({ lastExit: explain(context, event.output) }))
          },
          {
            target: "degraded",
            actions: enqueueActions(({ context, event, enqueue }) => {
              const exit = explain(context, event.output)
              const decision = decide(context, event.output)
              const blame = charge(context, event.output)
              const smaller = blame === "memory" && !context.hasShrunk ? shrunk(context.shape) : undefined
              enqueue.assign({ lastExit: exit, fileDeaths: blame === "file" ? context.fileDeaths + 1 : 0 })
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
                      hasRuntime: true,
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
                    assign(({ event: { backend, context, exactness, slots } }) => ({
                      ready: { backend, context, exactness, slots },
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
                EXACT: {
                  actions: [
                    assign(({ context, event }) =>
                      context.ready === undefined ? {} : { ready: { ...context.ready, exactness: event.exactness } }
                    ),
                    emit(({ event }) => ({ type: "exact" as const, exactness: event.exactness }))
                  ]
                },
                STOP: [
                  { guard: "isAtOnce", target: "ending", actions: noteStop },
                  { target: ".draining", reenter: true, actions: noteStop }
                ]
              },
              states: {
                idle: {
                  after: {
                    idle: {
                      guard: "isUnpinned",
                      target: "draining",
                      actions: assign(({ context }) => ({ stop: { drainMs: context.limits.drainMs } }))
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
                        guard: "isAtWork",
                        target: "busy",
                        actions: noteBeat
                      },
                      {
                        guard: "hasAnswered",
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
                        guard: "isAtRest",
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
                    guard: "isHung",
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
