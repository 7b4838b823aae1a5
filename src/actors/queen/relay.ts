/**
 * From a worker's stream into the job's log. Nothing but plain calls happen for a token: the text of a network chunk is
 * parsed, and each token appended (DESIGN §8).
 *
 * The relay trusts a worker with nothing but its own answer: tokens must continue the job's exactly, and only a
 * terminal event ends an answer. A stream that just ends is a worker lost.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberId from "effect/FiberId"
import * as Schema from "effect/Schema"
import { readEvents, type SseEvent } from "../../layers/api/sse.ts"
import { InferStarted, type WorkerApi } from "../../layers/worker-api/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { InferDone, type InferRequest } from "../../machines/vocabulary/worker.ts"
import type { JobLog } from "./job-log.ts"
import { parseError } from "./terminal-events.ts"

export interface RelayOptions {
  readonly worker: WorkerApi
  /** with `resume` when the log already has tokens */
  readonly request: InferRequest
  readonly log: Pick<JobLog, "token" | "tokens">
  /** The worker has taken the request: what goes wrong from here on happened with it. */
  readonly onReached?: () => void
  /** its first token is there */
  readonly onFirstToken?: () => void
}

/** how long the stream may stay open after its terminal event; its connection is given up then */
const LINGER = "1 second"
/** how long a worker may take to acknowledge that an answer is no longer wanted */
const CANCEL = "2 seconds"

/**
 * Runs one infer to its end. Fails with the worker's own error, with CANCELLED if it was cancelled there, and with
 * WORKER_CRASHED where the stream broke or made no sense. When it fails in another way or is interrupted, the worker is
 * told to stop.
 */
export const relay = (options: RelayOptions): Effect.Effect<InferDone, RbeeError> =>
  Effect.uninterruptibleMask((restore) =>
    restore(options.worker.infer({ ...options.request, stream: true })).pipe(
      Effect.flatMap((reply) =>
        reply._tag === "Json"
          ? Effect.mapError(decodeStarted(reply.body), () => nonsense("its answer"))
          : nonsense("its answer")
      ),
      Effect.flatMap(({ infer_id: id }) => {
        options.onReached?.()
        const answer = new Answer(options)
        return restore(answer.read(id)).pipe(
          Effect.onExit(() => (answer.complete ? Effect.void : abandon(options.worker, id)))
        )
      })
    )
  )

const decodeStarted = Schema.decodeUnknown(InferStarted)
const decodeDone = Schema.decodeUnknownEither(Schema.parseJson(InferDone))

const abandon = (worker: WorkerApi, id: string): Effect.Effect<void> =>
  worker.cancelInfer({ id }).pipe(Effect.interruptible, Effect.timeoutOption(CANCEL), Effect.ignore)

class Answer {
  private readonly options: RelayOptions
  private started = false
  private readonly over = Deferred.unsafeMake<void>(FiberId.none)
  private outcome: Either.Either<InferDone, RbeeError> | undefined
  /** the worker itself has ended the answer */
  complete = false

  constructor(options: RelayOptions) {
    this.options = options
  }

  read(id: string): Effect.Effect<InferDone, RbeeError> {
    const stream = Effect.flatMap(this.options.worker.inferEvents({ id }), (feed) => readEvents(feed, this.take)).pipe(
      Effect.catchAll((error) => this.outcome ?? lost(error.what))
    )
    const enough = Effect.flatMap(Deferred.await(this.over), () => (this.complete ? Effect.sleep(LINGER) : Effect.void))
    return Effect.flatMap(
      Effect.raceFirst(stream, enough),
      () => this.outcome ?? lost("its stream ended in mid-answer")
    )
  }

  private readonly take = ({ event, data }: SseEvent): void => {
    if (this.outcome !== undefined) return
    if (event === "token") this.token(data)
    else if (event === "done")
      this.end(
        Either.mapLeft(decodeDone(data), () => nonsense("its last event")),
        true
      )
    else if (event === "error") this.end(Either.left(parseError(data) ?? nonsense("its error")), true)
    else if (event === "cancelled") this.end(Either.left(rbeeError("CANCELLED", "the answer was cancelled")), true)
  }

  private token(data: string): void {
    const token = parseToken(data)
    const { log, onFirstToken } = this.options
    const next = log.tokens()
    if (token === undefined) this.end(Either.left(nonsense("a token")), false)
    else if (token.i === next) {
      log.token(token.t, token.k)
      if (!this.started) {
        this.started = true
        onFirstToken?.()
      }
    } else if (token.i > next) this.end(Either.left(nonsense(`token ${token.i} after ${next} tokens`)), false)
    // below: told twice on the way, and already there
  }

  private end(outcome: Either.Either<InferDone, RbeeError>, complete: boolean): void {
    this.outcome = outcome
    this.complete = complete
    Deferred.unsafeDone(this.over, Effect.void)
  }
}

interface Token {
  readonly i: number
  readonly t: string
  readonly k: number
}

/** A check by hand: a schema would cost more than all the rest of a token. */
const parseToken = (data: string): Token | undefined => {
  try {
    const token: Partial<Token> | null = JSON.parse(data)
    return typeof token?.i === "number" && typeof token.t === "string" && typeof token.k === "number"
      ? { i: token.i, t: token.t, k: token.k }
      : undefined
  } catch {
    return undefined
  }
}

const lost = (reason: string): RbeeError<"WORKER_CRASHED"> =>
  rbeeError("WORKER_CRASHED", `the worker was lost (${reason})`, "See `rbee logs worker`")

const nonsense = (what: string): RbeeError<"WORKER_CRASHED"> =>
  rbeeError(
    "WORKER_CRASHED",
    `the worker does not keep to the protocol: ${what}`,
    "Check that its version is the queen's"
  )
