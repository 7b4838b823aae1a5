/**
 * A job, from the request to its one end (docs/design.md#the-states): it waits for its turn, is placed, gets model and
 * runtime side by side, a worker, and its tokens. Whatever breaks on the way leads back to `placing` as long as there
 * is hope, and a worker lost in mid-answer leads there with the text so far. Runs in the queen, one actor a job.
 */
import * as Data from "effect/Data"
import { assign, emit, setup } from "xstate"
import { activity } from "./activity.ts"
import { RbeeError, rbeeError } from "./errors.ts"
import { isShrunk, type Need, neededContext, outgrownContext } from "./policy/memory/context.ts"
import {
  deathsMax,
  deathsWithoutTokenMax,
  losesWorker,
  retriesMax,
  retryDelay,
  failureClassOf
} from "./policy/failure-class.ts"
import type { Place } from "./policy/placement/placement.ts"
import type { JobState, Placement } from "./vocabulary/job.ts"
import type { InferDone } from "./vocabulary/worker.ts"
import type { WorkerId, HiveId, DeviceId } from "./vocabulary/ids.ts"

/** A worker with a slot that is reserved for this job. */
export interface SlotLease {
  readonly worker: WorkerId
  /** of which life of that worker the slot is */
  readonly instance: string
  readonly hive: HiveId
  readonly device: DeviceId
}

interface Resident {
  readonly kind: "resident"
  readonly lease: SlotLease
  readonly placement: Placement
}

/** What placing decided. `full`: fitting workers are there, all their slots are busy, so the job waits its turn. */
export type Placed =
  | Resident
  | { readonly kind: "fresh"; readonly place: Place; readonly placement: Placement }
  | { readonly kind: "full" }

/** A fresh worker is awake; `full`: others took its last slot meanwhile. */
export type Started = { readonly kind: "ready"; readonly lease: SlotLease } | { readonly kind: "full" }

/**
 * An answer that broke off. `reached` is false when the worker did not acknowledge the request: then nothing was moved.
 * `sent`: it had it in its hands all the same, and may have died of it.
 */
export class InferFailed extends Data.TaggedError("InferFailed")<{
  readonly error: RbeeError
  /** tokens that the job has by now */
  readonly tokens: number
  readonly reached: boolean
  readonly sent: boolean
}> {}

/** Why the last place did not work out: narrated once another one is found, and the job's error if there is none. */
export interface Fallen {
  readonly place: Place
  readonly error: RbeeError
}

/** The answer was interrupted and goes on elsewhere. */
export interface Failover {
  readonly from: Place
  readonly tokens: number
}

export interface JobContext {
  /** tokens that the job has, as of its last checkpoint */
  readonly tokens: number
  /** the longest answer that is wanted */
  readonly maxTokens: number | undefined
  /** where it runs, or is about to */
  readonly place: Place | undefined
  readonly lease: SlotLease | undefined
  /** places that are out for this job */
  readonly excluded: ReadonlyArray<Place>
  readonly fallen: Fallen | undefined
  /** set from the loss of a worker until the job has a place again */
  readonly failover: Failover | undefined
  /** once a worker was too small for it */
  readonly needs: Need | undefined
  /** workers that died under it: in all, and in a row with no token gained */
  readonly deaths: number
  readonly deathsWithoutToken: number
  /** failures in a row that were nobody's fault */
  readonly retries: number
  readonly error: RbeeError | undefined
  /** how its answer ended; set already while it looks for a larger context to go on in */
  readonly done: InferDone | undefined
}

export interface PlaceInput {
  readonly excluded: ReadonlyArray<Place>
  readonly fallen: Fallen | undefined
  readonly failover: Failover | undefined
  /** after a death without a token: with no neighbour in the batch, so that neighbours are never blamed */
  readonly alone: boolean
  /** after a worker that was too small */
  readonly needs: Need | undefined
}

export type JobEvent =
  | { readonly type: "CANCEL" }
  /** its answer gives way to one of somebody who has had less, with so many tokens */
  | { readonly type: "PAUSE"; readonly tokens: number }
  /** the queen ends the job: she shuts down, or its deadline has passed */
  | { readonly type: "END"; readonly error: RbeeError }

/** What the chart wants done at once. */
export type JobCommand =
  | { readonly type: "entered"; readonly state: JobState }
  /** gives back the slot, if one is held */
  | { readonly type: "release" }
  /** `cause`: why an answer that was to go on elsewhere does not */
  | { readonly type: "finish"; readonly done: InferDone; readonly cause: RbeeError | undefined }
  | { readonly type: "fail"; readonly error: RbeeError }
  | { readonly type: "cancel" }

/** What an event carries as its error. Activities fail with errors of ours alone, so there is one where it is asked for. */
const errorIn = (event: { readonly type: string }): RbeeError => {
  const error = "error" in event ? event.error : undefined
  if (error instanceof InferFailed) return error.error
  return error instanceof RbeeError ? error : rbeeError("INTERNAL", `${event.type} carries no error`)
}

const poison = (context: JobContext): RbeeError =>
  rbeeError(
    "POISON_REQUEST",
    context.deathsWithoutToken >= deathsWithoutTokenMax
      ? `${context.deathsWithoutToken} workers in a row died on this request before they gave a token`
      : `${context.deaths} workers died on this request`,
    "Try another model, a shorter prompt or a smaller context; the last words are in `rbee logs worker`",
    { deaths: context.deaths, tokens: context.tokens, cause: context.error?.what }
  )

const given = (error: RbeeError | undefined): RbeeError =>
  error ?? rbeeError("INTERNAL", "the job failed for no reason")

/** tokens of the job once this infer has ended */
const answered = (context: JobContext, done: InferDone): number => context.tokens + done.tokens

const setupJob = setup({
  types: {
    // Types alone: XState reads no value here.
    context: {} as JobContext,
    events: {} as JobEvent,
    emitted: {} as JobCommand,
    input: {} as { readonly tokens: number; readonly maxTokens?: number },
    tags: {} as "cold" | "waking" | "loading" | "healthy" | "degraded"
  },
  actors: {
    /** waits for the job's turn among those that want the same model */
    admit: activity<void, Pick<PlaceInput, "alone" | "needs">>(),
    /** steps 3–5: a hive that is awake, a device, room on it; or a slot of a resident worker */
    place: activity<Placed, PlaceInput>(),
    /** step 6 */
    ensureModel: activity<void, Place | undefined>(),
    /** step 7 */
    ensureRuntime: activity<void, Place | undefined>(),
    /** step 8 */
    startWorker: activity<Started, { readonly place: Place | undefined } & Pick<PlaceInput, "alone" | "needs">>(),
    /** step 9 */
    infer: activity<InferDone, { readonly lease: SlotLease | undefined; readonly alone: boolean }>()
  },
  guards: {
    isFull: (_, { kind }: Placed | Started) => kind === "full",
    isResident: (_, { kind }: Placed) => kind === "resident",
    losesWorker: ({ event }) => losesWorker(errorIn(event)),
    isShrunk: ({ context, event }) => context.needs !== undefined && isShrunk(context.needs, errorIn(event)),
    /** once: what a worker of that size says then is the answer */
    needsContext: ({ context, event }) =>
      context.needs === undefined && neededContext(errorIn(event), context.maxTokens) !== undefined,
    /** its answer has filled the worker's context, and is not yet as long as it may be */
    isOutgrown: ({ context }, done: InferDone) =>
      context.retries <= retriesMax && outgrownContext(done, answered(context, done), context.maxTokens) !== undefined,
    /** which ends with what it has where it cannot go on */
    hasAnswer: ({ context }) => context.done !== undefined,
    isCandidate: ({ event }) => failureClassOf(errorIn(event)) === "candidate",
    isPassing: ({ event }) => failureClassOf(errorIn(event)) === "retry",
    isPoison: ({ context }) => context.deathsWithoutToken >= deathsWithoutTokenMax || context.deaths >= deathsMax,
    isSpentAnswer: ({ context }) => context.retries > retriesMax && context.done !== undefined,
    isSpent: ({ context }) => context.retries > retriesMax
  },
  actions: {
    keepError: assign({ error: ({ event }) => errorIn(event) }),
    /** looked for anew, as a worker with more room */
    grow: assign(({ context, event }) => ({
      error: errorIn(event),
      needs: neededContext(errorIn(event), context.maxTokens),
      lease: undefined
    })),
    outgrow: assign(({ context }, done: InferDone) => ({
      done,
      error: undefined,
      tokens: answered(context, done),
      deathsWithoutToken: 0,
      // a worker that came up no larger than the one before gives no token: looked for again, but not for ever
      retries: done.tokens > 0 ? 0 : context.retries + 1,
      needs: outgrownContext(done, answered(context, done), context.maxTokens),
      lease: undefined
    })),
    retry: assign(({ event, context }) => ({ error: errorIn(event), retries: context.retries + 1 })),
    /** this place is out for this job: the next one may do */
    exclude: assign(({ event, context }) =>
      context.place === undefined
        ? { error: errorIn(event) }
        : {
            error: errorIn(event),
            excluded: [...context.excluded, context.place],
            fallen: { place: context.place, error: errorIn(event) }
          }
    )
  },
  delays: { retryDelay: ({ context }) => retryDelay(context.retries) }
})

/** Nothing is left to try. */
const hopeless = [
  { guard: "hasAnswer", target: "#job.done", actions: "keepError" },
  { target: "#job.failed", actions: "keepError" }
] as const

/** What the failure of a place means for the job. */
const onFailure = [
  { guard: "isCandidate", target: "#job.placing", actions: "exclude" },
  { guard: "isPassing", target: "#job.degraded", actions: "retry" },
  ...hopeless
] as const

export const jobMachine = setupJob.createMachine({
  id: "job",
  context: ({ input }) => ({
    tokens: input.tokens,
    maxTokens: input.maxTokens,
    needs: undefined,
    place: undefined,
    lease: undefined,
    excluded: [],
    fallen: undefined,
    failover: undefined,
    deaths: 0,
    deathsWithoutToken: 0,
    retries: 0,
    error: undefined,
    done: undefined
  }),
  on: {
    CANCEL: ".cancelled",
    END: [
      { guard: "hasAnswer", target: ".done", actions: assign({ error: ({ event }) => event.error }) },
      { target: ".failed", actions: assign({ error: ({ event }) => event.error }) }
    ]
  },
  initial: "queued",
  states: {
    queued: {
      tags: "cold",
      entry: [emit({ type: "release" }), emit({ type: "entered", state: "queued" })],
      invoke: {
        src: "admit",
        input: ({ context }) => ({ alone: context.deathsWithoutToken > 0, needs: context.needs }),
        onDone: "placing"
      }
    },

    placing: {
      tags: "waking",
      entry: emit({ type: "entered", state: "placing" }),
      invoke: {
        src: "place",
        input: ({ context: { excluded, fallen, failover, deathsWithoutToken, needs } }) => ({
          excluded,
          fallen,
          failover,
          alone: deathsWithoutToken > 0,
          needs
        }),
        onDone: [
          { guard: { type: "isFull", params: ({ event }) => event.output }, target: "queued" },
          {
            guard: { type: "isResident", params: ({ event }) => event.output },
            target: "streaming",
            actions: assign(({ event }) =>
              event.output.kind === "resident"
                ? {
                    lease: event.output.lease,
                    place: { hive: event.output.lease.hive, device: event.output.lease.device },
                    fallen: undefined,
                    failover: undefined
                  }
                : {}
            )
          },
          {
            target: "provisioning",
            actions: assign(({ event }) =>
              event.output.kind === "fresh"
                ? {
                    place: event.output.place,
                    fallen: undefined,
                    failover: undefined
                  }
                : {}
            )
          }
        ],
        onError: hopeless
      }
    },

    provisioning: {
      tags: "loading",
      entry: emit({ type: "entered", state: "provisioning" }),
      type: "parallel",
      states: {
        model: {
          initial: "ensuring",
          states: {
            ensuring: {
              invoke: {
                src: "ensureModel",
                input: ({ context }) => context.place,
                onDone: "ready",
                onError: onFailure
              }
            },
            ready: { type: "final" }
          }
        },
        runtime: {
          initial: "ensuring",
          states: {
            ensuring: {
              invoke: {
                src: "ensureRuntime",
                input: ({ context }) => context.place,
                onDone: "ready",
                onError: onFailure
              }
            },
            ready: { type: "final" }
          }
        }
      },
      onDone: "starting"
    },

    starting: {
      tags: "loading",
      entry: emit({ type: "entered", state: "starting" }),
      invoke: {
        src: "startWorker",
        input: ({ context: { deathsWithoutToken, needs, place } }) => ({ place, alone: deathsWithoutToken > 0, needs }),
        onDone: [
          { guard: { type: "isFull", params: ({ event }) => event.output }, target: "queued" },
          {
            target: "streaming",
            actions: assign(({ event }) => (event.output.kind === "ready" ? { lease: event.output.lease } : {}))
          }
        ],
        onError: onFailure
      }
    },

    streaming: {
      tags: "healthy",
      entry: [assign({ done: undefined, error: undefined }), emit({ type: "entered", state: "streaming" })],
      // as one that has outgrown its worker: into the line again, with the tokens that it has
      on: {
        PAUSE: {
          target: "queued",
          actions: assign(({ context, event }) => ({
            tokens: event.tokens,
            lease: undefined,
            deathsWithoutToken: event.tokens > context.tokens ? 0 : context.deathsWithoutToken
          }))
        }
      },
      invoke: {
        src: "infer",
        input: ({ context }) => ({ lease: context.lease, alone: context.deathsWithoutToken > 0 }),
        onDone: [
          {
            guard: { type: "isOutgrown", params: ({ event }) => event.output },
            target: "queued",
            actions: { type: "outgrow", params: ({ event }) => event.output }
          },
          { target: "done", actions: assign({ done: ({ event }) => event.output }) }
        ],
        onError: [
          {
            guard: "losesWorker",
            target: "degraded",
            actions: assign(({ event, context }) => lost(context, event.error))
          },
          { guard: "needsContext", target: "queued", actions: "grow" },
          { guard: "isShrunk", target: "degraded", actions: "retry" },
          { target: "failed", actions: "keepError" }
        ]
      }
    },

    /** Failing over with the text so far, or waiting for what went away to come back. */
    degraded: {
      tags: "degraded",
      entry: [emit({ type: "release" }), emit({ type: "entered", state: "degraded" })],
      always: [
        { guard: "isPoison", target: "failed", actions: assign({ error: ({ context }) => poison(context) }) },
        { guard: "isSpentAnswer", target: "done" },
        { guard: "isSpent", target: "failed" }
      ],
      after: { retryDelay: "placing" }
    },

    done: {
      type: "final",
      entry: [
        emit({ type: "release" }),
        emit({ type: "entered", state: "done" }),
        emit(({ context }) =>
          context.done === undefined
            ? { type: "fail", error: given(undefined) }
            : { type: "finish", done: context.done, cause: context.error }
        )
      ]
    },
    failed: {
      type: "final",
      entry: [
        emit({ type: "release" }),
        emit({ type: "entered", state: "failed" }),
        emit(({ context }) => ({ type: "fail", error: given(context.error) }))
      ]
    },
    cancelled: {
      type: "final",
      entry: [emit({ type: "release" }), emit({ type: "entered", state: "cancelled" }), emit({ type: "cancel" })]
    }
  }
})

/** The context after the loss of the worker: who is to blame, and from where the answer goes on. */
const lost = (context: JobContext, error: unknown): Partial<JobContext> => {
  if (!(error instanceof InferFailed))
    return { error: given(undefined), retries: context.retries + 1, lease: undefined }
  const { reached, sent, tokens } = error
  const gained = tokens > context.tokens
  // A worker that never got the request did not die of it, and one that ended as it was told to did not die.
  const died = (reached || sent) && error.error.code === "WORKER_CRASHED" ? 1 : 0
  return {
    error: error.error,
    lease: undefined,
    tokens,
    deaths: context.deaths + died,
    deathsWithoutToken: gained ? 0 : context.deathsWithoutToken + died,
    retries: gained ? 0 : context.retries + 1 - died,
    failover:
      reached && context.lease !== undefined
        ? { from: { hive: context.lease.hive, device: context.lease.device }, tokens }
        : undefined
  }
}

/**
 * The way of a job that finds a slot and has to wait for nothing, and its end: what the chart says of it, which is held to
 * that by its test.
 */
export const straightTo = ({ lease, placement }: Pick<Resident, "lease" | "placement">) => ({
  past: [
    { activity: "admit", output: undefined },
    { activity: "place", output: { kind: "resident", lease, placement } satisfies Placed }
  ],
  now: { activity: "infer", input: { lease, alone: false } }
})

/** Undefined: it does not end with that. */
export const straightEnd = (done: InferDone, maxTokens: number | undefined): ReadonlyArray<JobCommand> | undefined =>
  outgrownContext(done, done.tokens, maxTokens) === undefined
    ? [{ type: "release" }, { type: "entered", state: "done" }, { type: "finish", done, cause: undefined }]
    : undefined
