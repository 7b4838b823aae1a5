/**
 * A hive as its queen sees it (docs/design.md#the-states): cold → waking → loading (first heartbeat, capabilities) →
 * healthy ⇄ degraded (beats late) → lost → waking again with backoff, or failed; stopping → stopped from anywhere. Where
 * its machine may sleep: healthy → suspending → asleep → waking, as soon as somebody wants it. One actor a known hive; it
 * ends only when the hive is forgotten, so that a stopped or failed one can be woken again.
 */
import { assign, emit, setup } from "xstate"
import { activity } from "./activity.ts"
import { type ErrorCode, type RbeeError, rbeeError } from "./errors.ts"
import type { Lifecycle } from "./vocabulary/common.ts"
import { fact } from "./facts.ts"

/** A hive process that this queen has claimed. */
export interface Claimed {
  readonly url: string
  readonly instance: string
  readonly version: string
}

export interface HiveTimes {
  /** milliseconds without a heartbeat until degraded, and until lost */
  readonly lateMs: number
  readonly lostMs: number
}

export interface HiveContext extends HiveTimes {
  readonly claimed: Claimed | undefined
  /** somebody waits for this hive */
  readonly wanted: boolean
  /** ENSUREs so far: tells those who wait whether theirs has been heard */
  readonly asked: number
  /** of them, those before it was last tried to wake it */
  readonly askedBefore: number
  /** STOPs so far, likewise */
  readonly told: number
  /** SUSPECTs that were looked into */
  readonly looked: number
  /** wakings that failed or did not last, one after another */
  readonly attempts: number
  /** the process that beat last before the claim was answered */
  readonly heard: string | undefined
  /** why it failed; of a stopped one: why it is not known to be gone */
  readonly error: RbeeError | undefined
  /** of a stopped one, or one whose machine sleeps: the instance that was claimed last */
  readonly ended: string | undefined
  /** its machine sleeps, and nobody is to look whether it does */
  readonly asleep: boolean
}

/** `asleep`: as an earlier queen left it */
export type HiveInput = HiveTimes & { readonly asleep?: boolean }

/** How the queen found the machine after the hive was lost. */
export interface Recovered {
  /** it is wanted back: jobs wait for it, or it had workers */
  readonly wakeAgain: boolean
  /** it runs and answers: it is claimed again, whether or not anybody wants it now */
  readonly answers?: boolean
  /** its machine is one that can be woken, and is not there */
  readonly sleeps?: boolean
}

export type HiveEvent =
  /** somebody needs it awake */
  | { readonly type: "ENSURE" }
  /** this process of it beats, and is claimed or about to be; what it says of devices and workers is taken over already */
  | { readonly type: "BEAT"; readonly instance: string }
  /** a call to it failed, or a strange instance beats in its name: look now, do not wait for the beats to be late */
  | { readonly type: "SUSPECT" }
  /** it was stopped, and another process beats in its name */
  | { readonly type: "ATTACH" }
  /** what is known of its devices is too old */
  | { readonly type: "REFRESH" }
  /** nobody has wanted anything of it for so long that its machine may be put to sleep */
  | { readonly type: "REST" }
  | { readonly type: "STOP" }

export type HiveCommand =
  | { readonly type: "entered"; readonly state: Lifecycle }
  /** its workers leave the view, its jobs fail over */
  | { readonly type: "lost" }
  /** it was stopped, or its machine sleeps: its workers leave the view */
  | { readonly type: "gone" }

/** Wakings in a row before it is failed; what cannot get better by trying again fails at once. */
export const wakeMax = 3
const hopeless: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "CONFLICT",
  "HIVE_OWNED",
  "VERSION_MISMATCH",
  "INVALID_REQUEST",
  "NODE_MISSING",
  "NOT_INSTALLED",
  "SSH_AUTH_FAILED",
  "SSH_HOST_KEY_UNKNOWN",
  "SSH_HOST_KEY_CHANGED"
])

/** Milliseconds before the waking that follows the nth failure: 0.25 s, 0.5 s, 1 s, … 30 s. */
export const wakeDelay = (attempts: number): number => Math.min(30_000, 250 * 2 ** Math.max(0, attempts - 1))

/** Awake this long, milliseconds, a hive counts as recovered. */
const stableMs = 30_000

/** How long after the claim the first heartbeat may take, milliseconds. */
const firstBeatMs = 10_000

const silent = () =>
  rbeeError("CONNECTION_TIMEOUT", `the hive sent no heartbeat for ${firstBeatMs / 1000} s`, "See `rbee logs hive`")

const away = () => rbeeError("CONNECTION_TIMEOUT", "the hive sends no heartbeats any more", "See `rbee logs hive`")

// Activities fail with errors of ours alone; anything else is a defect and never arrives here.
const errorOf = (event: { readonly error: unknown }): RbeeError => event.error as RbeeError

const setupHive = setup({
  types: {
    // Types alone: XState reads no value here.
    context: {} as HiveContext,
    events: {} as HiveEvent,
    emitted: {} as HiveCommand,
    input: {} as HiveInput,
    tags: {} as "cold" | "asleep" | "waking" | "loading" | "healthy" | "degraded" | "stopping" | "stopped" | "failed"
  },
  actors: {
    /** finds the hive if it runs already and claims it; or its machine is one that can be woken, and is not there */
    attach: activity<Claimed | "asleep" | undefined>(),
    /** wakes it (or adopts the one that runs) and claims it */
    wake: activity<Claimed>(),
    /** its devices: as registered if they are of this instance and fresh, else asked */
    checkCapabilities: activity<void, Claimed | undefined>(),
    /** comes true when its last beat is so many milliseconds old */
    watch: activity<void, number>(),
    /** does the claimed process still answer? fails if not */
    probe: activity<void, Claimed | undefined>(),
    /** looks at the machine of a lost hive: ends what is there and does not answer */
    recover: activity<Recovered>(),
    /** agreed with the hive, which ends what idles there: its machine sleeps. Fails where it is of use, or will not */
    suspend: activity<void, Claimed | undefined>(),
    /** gracefully, then by force; returns when it is gone, fails where that cannot be known */
    stop: activity<void, Claimed | undefined>()
  },
  guards: {
    isWanted: ({ context }) => context.wanted,
    isFound: (_, { claimed }: { readonly claimed: Claimed | "asleep" | undefined }) => typeof claimed === "object",
    isAway: (_, { claimed }: { readonly claimed: Claimed | "asleep" | undefined }) => claimed === "asleep",
    isAsleep: ({ context }) => context.asleep,
    /** nobody wants it any more, and its machine was not up yet */
    isCalledOff: ({ context }, { code }: Pick<RbeeError, "code">) =>
      code === "CANCELLED" && context.asked === context.askedBefore,
    isSleeping: (_, { sleeps }: Recovered) => sleeps === true,
    hasBeaten: ({ context }) => context.heard !== undefined && context.heard === context.claimed?.instance,
    isNeeded: ({ context }, { wakeAgain }: Recovered) => wakeAgain || context.wanted,
    isOutOfReach: ({ context }) => context.error !== undefined,
    isAnswering: (_, { answers }: Recovered) => answers === true,
    isHopeless: ({ context }) =>
      context.attempts >= wakeMax ||
      (context.error !== undefined && (hopeless.has(context.error.code) || fact(context.error, "permanent") === true))
  },
  delays: {
    lost: ({ context }) => Math.max(0, context.lostMs - context.lateMs),
    firstBeat: firstBeatMs,
    stable: stableMs,
    wakeDelay: ({ context }) => wakeDelay(context.attempts)
  }
})

const want = setupHive.assign({ wanted: true, asked: ({ context }) => context.asked + 1 })
/** The last wish counts: whoever waited for it hears that it was stopped. */
const giveUp = setupHive.assign({ wanted: false, told: ({ context }) => context.told + 1 })
const look = setupHive.assign({ looked: ({ context }) => context.looked + 1 })
const hear = setupHive.assign({
  heard: ({ event, context }) => (event.type === "BEAT" ? event.instance : context.heard)
})

export const hiveMachine = setupHive.createMachine({
  id: "hive",
  context: ({ input: { asleep = false, lateMs, lostMs } }) => ({
    lateMs,
    lostMs,
    claimed: undefined,
    wanted: false,
    asked: 0,
    askedBefore: 0,
    told: 0,
    looked: 0,
    attempts: 0,
    heard: undefined,
    error: undefined,
    ended: undefined,
    asleep
  }),
  initial: "attaching",
  on: {
    // a wish that comes later wakes it again
    STOP: { target: ".stopping", actions: giveUp },
    ENSURE: { actions: want }
  },
  states: {
    /** It may run already: its queen was away, or another one woke it. */
    attaching: {
      tags: "waking",
      always: { guard: "isAsleep", target: "asleep" },
      entry: emit({ type: "entered", state: "waking" }),
      on: { BEAT: { actions: hear } },
      invoke: {
        src: "attach",
        onDone: [
          {
            guard: { type: "isFound", params: ({ event }) => ({ claimed: event.output }) },
            target: "loading",
            actions: assign({
              claimed: ({ event }) => (typeof event.output === "object" ? event.output : undefined)
            })
          },
          { guard: "isWanted", target: "waking" },
          { guard: { type: "isAway", params: ({ event }) => ({ claimed: event.output }) }, target: "asleep" },
          { target: "cold" }
        ],
        // Found, but not ours to claim: whoever wants it is told.
        onError: { target: "failed", actions: assign({ error: ({ event }) => errorOf(event) }) }
      }
    },

    cold: {
      tags: "cold",
      entry: [assign({ wanted: false, claimed: undefined, attempts: 0 }), emit({ type: "entered", state: "cold" })],
      on: { ENSURE: { target: "waking", actions: want } }
    },

    /** Nobody looks at it: it is woken for whoever wants it, and for nothing else. */
    asleep: {
      tags: "asleep",
      always: { guard: "isWanted", target: "waking" },
      entry: [
        assign({
          claimed: undefined,
          attempts: 0,
          heard: undefined,
          error: undefined,
          ended: ({ context }) => context.claimed?.instance,
          asleep: true
        }),
        emit({ type: "gone" }),
        emit({ type: "entered", state: "asleep" })
      ],
      exit: assign({ asleep: false }),
      on: {
        ENSURE: { target: "waking", actions: want },
        STOP: { target: "stopped", actions: giveUp },
        // somebody else has woken it
        ATTACH: "attaching"
      }
    },

    waking: {
      tags: "waking",
      entry: [assign({ askedBefore: ({ context }) => context.asked }), emit({ type: "entered", state: "waking" })],
      on: { BEAT: { actions: hear } },
      invoke: {
        src: "wake",
        onDone: { target: "loading", actions: assign({ claimed: ({ event }) => event.output }) },
        onError: [
          {
            guard: { type: "isCalledOff", params: ({ event }) => ({ code: errorOf(event).code }) },
            target: "asleep",
            actions: assign({ wanted: false })
          },
          {
            target: "backingOff",
            actions: assign({
              error: ({ event }) => errorOf(event),
              attempts: ({ context }) => context.attempts + 1
            })
          }
        ]
      }
    },

    backingOff: {
      tags: "degraded",
      always: { guard: "isHopeless", target: "failed" },
      entry: emit({ type: "entered", state: "degraded" }),
      after: { wakeDelay: "waking" }
    },

    loading: {
      tags: "loading",
      entry: emit({ type: "entered", state: "loading" }),
      initial: "listening",
      states: {
        listening: {
          always: { guard: "hasBeaten", target: "checking" },
          on: { BEAT: "checking" },
          after: { firstBeat: { target: "#hive.lost", actions: assign({ error: silent }) } }
        },
        checking: {
          invoke: {
            src: "checkCapabilities",
            input: ({ context }) => context.claimed,
            onDone: "#hive.healthy",
            onError: {
              target: "#hive.lost",
              actions: assign({ error: ({ event }) => errorOf(event) })
            }
          }
        }
      }
    },

    healthy: {
      tags: "healthy",
      initial: "beating",
      entry: [
        assign({ wanted: false, heard: undefined, error: undefined }),
        emit({ type: "entered", state: "healthy" })
      ],
      states: {
        // Of a healthy hive only that no beat comes is an event.
        beating: {
          on: { SUSPECT: "suspected" },
          invoke: { src: "watch", input: ({ context }) => context.lateMs, onDone: "#hive.degraded" }
        },
        suspected: {
          exit: look,
          invoke: {
            src: "probe",
            input: ({ context }) => context.claimed,
            onDone: "beating",
            onError: "#hive.lost"
          }
        }
      },
      on: { REFRESH: "loading.checking", REST: "suspending" },
      after: { stable: { actions: assign({ attempts: 0 }) } }
    },

    /** It gets no new work, and says whether it has any. Whoever wants it meanwhile has it woken again at once. */
    suspending: {
      tags: "stopping",
      entry: [assign({ wanted: false }), emit({ type: "entered", state: "stopping" })],
      invoke: {
        src: "suspend",
        input: ({ context }) => context.claimed,
        onDone: "asleep",
        onError: "healthy"
      }
    },

    /** Beats are late: it keeps its jobs and gets no new ones. */
    degraded: {
      tags: "degraded",
      entry: emit({ type: "entered", state: "degraded" }),
      on: {
        BEAT: "healthy",
        SUSPECT: ".suspected"
      },
      initial: "waiting",
      states: {
        waiting: {},
        suspected: {
          exit: look,
          invoke: {
            src: "probe",
            input: ({ context }) => context.claimed,
            onDone: "waiting",
            onError: "#hive.lost"
          }
        }
      },
      after: { lost: "lost" }
    },

    /** Nobody can use it any more; now look at its machine. */
    lost: {
      tags: "degraded",
      entry: [
        assign({
          attempts: ({ context }) => context.attempts + 1,
          heard: undefined,
          claimed: undefined,
          error: ({ context }) => context.error ?? away()
        }),
        emit({ type: "lost" }),
        emit({ type: "entered", state: "degraded" })
      ],
      invoke: {
        src: "recover",
        onDone: [
          { guard: { type: "isNeeded", params: ({ event }) => event.output }, target: "backingOff" },
          { guard: { type: "isSleeping", params: ({ event }) => event.output }, target: "asleep" },
          { guard: { type: "isAnswering", params: ({ event }) => event.output }, target: "attaching" },
          { target: "cold" }
        ]
      }
    },

    failed: {
      tags: "failed",
      entry: [assign({ wanted: false, claimed: undefined }), emit({ type: "entered", state: "failed" })],
      on: { ENSURE: { target: "waking", actions: [want, assign({ attempts: 0 })] } }
    },

    stopping: {
      tags: "stopping",
      entry: emit({ type: "entered", state: "stopping" }),
      on: { STOP: { actions: giveUp }, ENSURE: { actions: want } },
      invoke: {
        src: "stop",
        input: ({ context }) => context.claimed,
        onDone: [
          { guard: "isWanted", target: "waking" },
          { target: "stopped", actions: assign({ error: undefined }) }
        ],
        onError: [
          { guard: "isWanted", target: "waking" },
          { target: "stopped", actions: assign({ error: ({ event }) => errorOf(event) }) }
        ]
      }
    },

    /**
     * One that was out of reach then is stopped as soon as it is heard of. Where another process beats in its name, one
     * that was slow to start or that somebody has started there, that one is taken in: nothing runs that nobody ends.
     */
    stopped: {
      tags: "stopped",
      entry: [
        assign({ wanted: false, claimed: undefined, attempts: 0, ended: ({ context }) => context.claimed?.instance }),
        emit({ type: "gone" }),
        emit({ type: "entered", state: "stopped" })
      ],
      on: {
        STOP: [{ guard: "isOutOfReach", target: "stopping", actions: giveUp }, { actions: giveUp }],
        SUSPECT: { guard: "isOutOfReach", target: "stopping" },
        ATTACH: "attaching",
        ENSURE: { target: "waking", actions: want }
      }
    }
  }
})
