/**
 * Getting one model file onto a hive: from its reference to a verified file in the catalog. Every source goes this way
 * (bundled, a file in place, a hub). Nothing is published that was not verified; what was received survives a stall.
 */
import { assign, emit, setup } from "xstate"
import { activity } from "./activity.ts"
import { type RbeeError, rbeeError } from "./errors.ts"
import { backoffMs } from "./policy/restart.ts"
import type { ModelRef } from "./vocabulary/ids.ts"
import { fact } from "./facts.ts"

export interface DownloadInput {
  /** canonical reference */
  readonly ref: ModelRef
}

/** What resolving a reference found. */
export interface Resolved {
  readonly bytes: number
  /** bytes of it that an earlier try left here */
  readonly partial: number
}

export type DownloadEvent =
  | { readonly type: "START" }
  | { readonly type: "PROGRESS"; readonly received: number; readonly rate: number }

export type DownloadCommand =
  | { readonly type: "resolved"; readonly bytes: number; readonly partial: number }
  | { readonly type: "progress"; readonly received: number; readonly total: number; readonly rate: number }
  | { readonly type: "retrying"; readonly attempt: number; readonly error: RbeeError }
  /** a transfer goes on from here */
  | { readonly type: "resuming"; readonly received: number; readonly total: number }
  /** the last command: how it went */
  | { readonly type: "ended"; readonly outcome: DownloadOutcome }

export type DownloadOutcome =
  | { readonly outcome: "published"; readonly file: string }
  | { readonly outcome: "failed"; readonly error: RbeeError }

/** Transfers that may fail before the download does. */
export const attemptsMax = 6

/** Trying again later, from the last byte, may help. */
export const isPassing = (error: RbeeError): boolean =>
  error.code === "DOWNLOAD_FAILED" ? fact(error, "permanent") !== true : error.code === "DOWNLOAD_STALLED"

/** Tries of the first word with a hub: whoever waits for one that is down learns of it within seconds. */
const firstAttemptsOf = (error: RbeeError): number => {
  const isDown = fact(error, "unreachable") === true || (fact(error, "http_status") ?? 0) >= 500
  const later = fact(error, "retry_after_ms") ?? 0
  // it was waited for already, or asks for longer than anybody watches
  if (fact(error, "silent") === true || (isDown && later > 3000)) return 1
  return isDown ? 4 : attemptsMax
}

const passing = (error: unknown): boolean => isPassing(asError(error))

/** Wait before try `attempt` + 1: what the server asks for where that is longer than ours. */
export const retryAfterMs = (error: RbeeError | undefined, attempt: number): number => {
  const asked = error === undefined ? undefined : fact(error, "retry_after_ms")
  return Math.max(backoffMs(attempt), asked ?? 0)
}

const asError = (error: unknown): RbeeError =>
  // The activities of this chart fail with RbeeError only; anything else would be a defect, which never arrives here.
  error as RbeeError

interface Context {
  readonly ref: ModelRef
  readonly bytes: number
  readonly received: number
  readonly attempt: number
  /** a hash that does not fit discards the file and is tried once more from zero */
  readonly discarded: boolean
  readonly file: string | undefined
  readonly error: RbeeError | undefined
}

const outcomeOf = ({ file, error }: Context): DownloadOutcome =>
  file === undefined
    ? { outcome: "failed", error: error ?? rbeeError("DOWNLOAD_FAILED", "the download failed") }
    : { outcome: "published", file }

const machine = setup({
  types: {
    context: {} as Context,
    input: {} as DownloadInput,
    events: {} as DownloadEvent,
    emitted: {} as DownloadCommand,
    output: {} as DownloadOutcome,
    tags: {} as "cold" | "waking" | "loading" | "healthy" | "degraded" | "failed"
  },
  actors: {
    /** size, hash and place of the file; leases the disk for it */
    resolve: activity<Resolved, { readonly ref: ModelRef }>(),
    /** from the last byte that is here to the last one; tells PROGRESS */
    transfer: activity<void, { readonly ref: ModelRef }>(),
    /** hash and GGUF header, then the atomic rename and the catalog row; gives the file's path */
    publish: activity<string, { readonly ref: ModelRef }>(),
    discard: activity<void, { readonly ref: ModelRef }>()
  },
  guards: {
    isPassing: ({ context }, { error }: { readonly error: unknown }) =>
      passing(error) && context.attempt + 1 < attemptsMax,
    /** who is down at the first word is not waited for as one who breaks off in the middle */
    isPassingAtFirst: ({ context }, { error }: { readonly error: unknown }) =>
      passing(error) && context.attempt + 1 < firstAttemptsOf(asError(error)),
    isCorrupt: ({ context }, { error }: { readonly error: unknown }) =>
      asError(error).code === "CHECKSUM_MISMATCH" && !context.discarded
  },
  delays: { backoff: ({ context }) => retryAfterMs(context.error, context.attempt) }
})

const ended = machine.emit(({ context }) => ({ type: "ended" as const, outcome: outcomeOf(context) }))

export const downloadMachine = machine.createMachine({
  id: "download",
  context: ({ input }) => ({
    ref: input.ref,
    bytes: 0,
    received: 0,
    attempt: 0,
    discarded: false,
    file: undefined,
    error: undefined
  }),
  initial: "cold",
  states: {
    cold: { tags: "cold", on: { START: "waking" } },
    waking: {
      tags: "waking",
      invoke: {
        src: "resolve",
        input: ({ context }) => ({ ref: context.ref }),
        onDone: {
          target: "loading",
          actions: [
            assign(({ event }) => ({ bytes: event.output.bytes, received: event.output.partial })),
            emit(({ event }) => ({ type: "resolved" as const, ...event.output }))
          ]
        },
        onError: [
          {
            guard: { type: "isPassingAtFirst", params: ({ event }) => ({ error: event.error }) },
            target: "degraded.resolving",
            actions: assign(({ context, event }) => ({ attempt: context.attempt + 1, error: asError(event.error) }))
          },
          { target: "failed", actions: assign(({ event }) => ({ error: asError(event.error) })) }
        ]
      }
    },
    loading: {
      tags: "loading",
      on: {
        PROGRESS: {
          actions: [
            assign(({ event }) => ({ received: event.received })),
            emit(({ context, event: { received, rate } }) => ({
              type: "progress" as const,
              received,
              total: context.bytes,
              rate
            }))
          ]
        }
      },
      invoke: {
        src: "transfer",
        input: ({ context }) => ({ ref: context.ref }),
        onDone: "verifying",
        onError: [
          {
            guard: { type: "isPassing", params: ({ event }) => ({ error: event.error }) },
            target: "degraded.transferring",
            actions: assign(({ context, event }) => ({ attempt: context.attempt + 1, error: asError(event.error) }))
          },
          { target: "failed", actions: assign(({ event }) => ({ error: asError(event.error) })) }
        ]
      }
    },
    verifying: {
      tags: "loading",
      invoke: {
        src: "publish",
        input: ({ context }) => ({ ref: context.ref }),
        onDone: { target: "healthy", actions: assign(({ event }) => ({ file: event.output })) },
        onError: [
          {
            guard: { type: "isCorrupt", params: ({ event }) => ({ error: event.error }) },
            target: "discarding",
            actions: assign(({ event }) => ({ discarded: true, received: 0, error: asError(event.error) }))
          },
          { target: "failed", actions: assign(({ event }) => ({ error: asError(event.error) })) }
        ]
      }
    },
    discarding: {
      tags: "loading",
      invoke: {
        src: "discard",
        input: ({ context }) => ({ ref: context.ref }),
        onDone: "loading",
        onError: { target: "failed", actions: assign(({ event }) => ({ error: asError(event.error) })) }
      }
    },
    degraded: {
      tags: "degraded",
      entry: emit(({ context }) => ({
        type: "retrying" as const,
        attempt: context.attempt,
        error: context.error ?? rbeeError("DOWNLOAD_FAILED", "the download failed")
      })),
      initial: "transferring",
      states: {
        resolving: { after: { backoff: "#download.waking" } },
        transferring: {
          after: {
            backoff: {
              target: "#download.loading",
              actions: emit(({ context: { bytes, received } }) => ({
                type: "resuming" as const,
                received,
                total: bytes
              }))
            }
          }
        }
      }
    },
    healthy: { tags: "healthy", type: "final", entry: ended },
    failed: { tags: "failed", type: "final", entry: ended }
  },
  output: ({ context }) => outcomeOf(context)
})
