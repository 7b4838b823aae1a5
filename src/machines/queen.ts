/**
 * The queen's own life (docs/design.md#shutdown): serving, and then the shutdown protocol, run while her tree is up so
 * that the streams can carry the goodbye: refuse new work → drain → workers → hives → goodbye → end the streams.
 * Without a cascade her workers and hives live on. The deadlines are absolute, counted from the first request to end.
 */
import { assign, emit, setup } from "xstate"
import { activity } from "./activity.ts"

export interface QueenTimes {
  /** out of use this long, milliseconds, she ends by herself; infinite: never */
  readonly idleMs: number
}

export interface QueenContext extends QueenTimes {
  readonly cascade: boolean
}

export type QueenEvent =
  /** jobs run, or somebody uses her */
  | { readonly type: "BUSY" }
  /** nothing does any more */
  | { readonly type: "IDLE" }
  /** she ends no more for being idle */
  | { readonly type: "STAY" }
  | { readonly type: "SHUTDOWN"; readonly cascade: boolean }

export type QueenState = "serving" | "draining" | "stopping_workers" | "stopping_hives" | "goodbye"

export type QueenCommand = { readonly type: "entered"; readonly state: QueenState }

const setupQueen = setup({
  types: {
    // Types alone: XState reads no value here.
    context: {} as QueenContext,
    events: {} as QueenEvent,
    emitted: {} as QueenCommand,
    input: {} as QueenTimes,
    tags: {} as "healthy" | "stopping" | "stopped"
  },
  actors: {
    /** queued jobs end at once, running ones at the end of draining */
    drain: activity(),
    /** asks every hive to stop its workers */
    stopWorkers: activity(),
    /** all hives at once: gracefully, then by force */
    stopHives: activity(),
    /** the last words reach the readers, then their streams end */
    endStreams: activity()
  },
  delays: { idle: ({ context }) => context.idleMs },
  guards: { isCascade: ({ context }) => context.cascade }
})

const shutdown = setupQueen.assign({
  // A cascade that is asked for once is not taken back.
  cascade: ({ event, context }) => context.cascade || (event.type === "SHUTDOWN" && event.cascade)
})

const stay = setupQueen.assign({ idleMs: Number.POSITIVE_INFINITY })

export const queenMachine = setupQueen.createMachine({
  id: "queen",
  context: ({ input }) => ({ ...input, cascade: false }),
  initial: "serving",
  on: { SHUTDOWN: { actions: shutdown } },
  states: {
    serving: {
      tags: "healthy",
      entry: emit({ type: "entered", state: "serving" }),
      on: { SHUTDOWN: { target: "draining", actions: shutdown }, STAY: { actions: stay } },
      initial: "idle",
      states: {
        // BUSY and IDLE in one turn are use as well: the clock starts anew.
        idle: {
          on: {
            BUSY: "busy",
            IDLE: { target: "idle", reenter: true },
            STAY: { target: "idle", reenter: true, actions: stay }
          },
          after: { idle: { target: "#queen.draining", actions: assign({ cascade: false }) } }
        },
        busy: { on: { IDLE: "idle" } }
      }
    },
    draining: {
      tags: "stopping",
      entry: emit({ type: "entered", state: "draining" }),
      invoke: { src: "drain", onDone: [{ guard: "isCascade", target: "stoppingWorkers" }, { target: "goodbye" }] }
    },
    stoppingWorkers: {
      tags: "stopping",
      entry: emit({ type: "entered", state: "stopping_workers" }),
      invoke: { src: "stopWorkers", onDone: "stoppingHives" }
    },
    stoppingHives: {
      tags: "stopping",
      entry: emit({ type: "entered", state: "stopping_hives" }),
      invoke: { src: "stopHives", onDone: "goodbye" }
    },
    goodbye: {
      tags: "stopping",
      entry: emit({ type: "entered", state: "goodbye" }),
      invoke: { src: "endStreams", onDone: "stopped" }
    },
    stopped: { type: "final", tags: "stopped" }
  }
})
