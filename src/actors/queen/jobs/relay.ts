/**
 * From a worker's stream into the job's log. Nothing but plain calls happen for a token: the tokens of a network chunk
 * are cut out of its text and appended (docs/design.md#the-token-path).
 *
 * The relay trusts a worker with nothing but its own answer: tokens must continue the job's exactly, and only a
 * terminal event ends an answer. A stream that just ends is a worker lost.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { optionDecoder, textDecoder } from "../../../machines/formats/json/decode.ts"
import type { EventFeed, Sink } from "../../../protocol/endpoint.ts"
import { makeSseParser } from "../../../protocol/sse.ts"
import { inferIdHeader, type WorkerApi } from "../../../protocol/worker.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { AnswerForm } from "../../../machines/dialect/answer-form.ts"
import type { TokenLogprob } from "../../../machines/vocabulary/job.ts"
import { InferDone, type InferRequest, InferToken } from "../../../machines/vocabulary/worker.ts"
import { endFiber } from "../../core/fork.ts"
import type { JobLog } from "../log/job-log.ts"
import { parseError } from "../log/terminal-events.ts"
import { type FrameReader, promptIn, readFrames } from "../../../protocol/token-frame.ts"
import { fact } from "../../../machines/facts.ts"

export interface RelayOptions {
  readonly worker: WorkerApi
  /** with `resume` when the log already has tokens */
  readonly request: InferRequest
  readonly log: Pick<JobLog, "drain" | "isFull" | "tokenJson" | "tokens">
  /** how the answer is read, where it is not plain text: before its first token */
  readonly onForm?: (form: AnswerForm) => void
  /** how many tokens the prompt has: before the first token of its answer */
  readonly onPrompt?: (tokens: number) => void
  /** The request goes to the worker now. */
  readonly onSent?: () => void
  /** The worker has taken the request: what goes wrong from here on happened with it. */
  readonly onReached?: () => void
  /** its first token is there */
  readonly onFirstToken?: () => void
  /** Calls `ended` when nothing more can come of it; what it returns ends that. */
  readonly onGone?: (ended: (error: RbeeError) => void) => () => void
}

/** how long the stream may stay open after its terminal event */
const LINGER = "1 second"
/** how long a worker may take to acknowledge that an answer is no longer wanted */
const CANCEL = "2 seconds"

/**
 * Runs one infer to its end. Fails with the worker's own error, with CANCELLED if it was cancelled there, with
 * WORKER_CRASHED where the stream broke or made no sense, and with what `onGone` says where that comes first. Unless
 * the worker itself has ended the answer, it is told to stop.
 */
export const relay = (options: RelayOptions): Effect.Effect<InferDone, RbeeError> =>
  Effect.suspend(() => {
    const answer = new Answer(options)
    return Effect.onExit(answer.read, () => answer.abandoned)
  })

const decodeForm = textDecoder(AnswerForm)
const decodeDone = textDecoder(InferDone)

const abandon = (worker: WorkerApi, id: string): Effect.Effect<void> =>
  worker.cancelInfer({ id }).pipe(Effect.interruptible, Effect.timeoutOption(CANCEL), Effect.ignore)

class Answer implements FrameReader {
  private readonly options: RelayOptions
  private started = false
  private settled: (() => void) | undefined
  private outcome: Either.Either<InferDone, RbeeError> | undefined
  /** the worker itself has ended the answer */
  private complete = false
  /** of the infer, once the worker has taken it */
  private id: string | undefined
  private unwatch: (() => void) | undefined

  constructor(options: RelayOptions) {
    this.options = options
  }

  /** By hand: Effect's race would take two fibers more, and a good part of a short answer's time. */
  readonly read: Effect.Effect<InferDone, RbeeError> = Effect.suspend(() =>
    Effect.acquireUseRelease(
      Effect.fork(Effect.interruptible(this.talk)),
      (talking) =>
        Effect.async<unknown, RbeeError>((resume) => {
          this.settled = () => resume(this.complete ? lingering(talking) : Effect.void)
          if (this.outcome !== undefined) this.settled()
          talking.addObserver(resume)
          this.unwatch = this.options.onGone?.((error) => resume(error))
        }),
      (talking) => {
        this.unwatch?.()
        return endFiber(talking)
      }
    )
  ).pipe(Effect.flatMap(() => this.outcome ?? lost("its stream ended in mid-answer")))

  /** The worker is told to stop, where it has the request and has not ended it. */
  readonly abandoned: Effect.Effect<void> = Effect.suspend(() => {
    const { id } = this
    return this.complete || id === undefined ? Effect.void : abandon(this.options.worker, id)
  })

  /** Asks, and reads what comes until the worker ends its stream. */
  private readonly talk: Effect.Effect<unknown, RbeeError> = Effect.suspend(() => {
    const { onSent, request, worker } = this.options
    onSent?.()
    return worker.infer({ ...request, stream: true })
  }).pipe(
    Effect.mapError((error): RbeeError => {
      if (brokeOff(error)) return lost(`it went before it took the request: ${error.what}`)
      return isNotUnderstood(error) ? nonsense("its answer") : error
    }),
    Effect.flatMap((answer) => {
      this.id = answer.headers?.[inferIdHeader]
      if (answer._tag !== "Events" || this.id === undefined) return nonsense("its answer")
      this.options.onReached?.()
      return this.follow(answer.feed)
    })
  )

  private follow(feed: EventFeed): Effect.Effect<unknown, RbeeError> {
    return Effect.catchAll(feed(this.sink), (error) => this.outcome ?? lost(error.what))
  }

  private readonly sink: Sink = {
    write: (frames) => {
      try {
        readFrames(frames, this)
      } catch {
        this.refuse("an event that is far too long")
      }
      return !this.options.log.isFull()
    },
    drain: (resume) => this.options.log.drain(resume)
  }

  /** Called for each token. */
  token(index: number, json: string, id: number, logprob?: TokenLogprob): void {
    if (this.outcome !== undefined) return
    const { log, onFirstToken } = this.options
    const next = log.tokens()
    if (Number.isNaN(id)) this.refuse("a token without its id")
    else if (index > next) this.refuse(`token ${index} after ${next} tokens`)
    else if (index === next) {
      log.tokenJson(json, id, logprob)
      if (!this.started) {
        this.started = true
        onFirstToken?.()
      }
    }
    // below: told twice on the way, and already there
  }

  /** Called with every frame that is not plainly a token. */
  other(frame: string): void {
    this.parse(frame)
  }

  private readonly parse = makeSseParser(({ event, data }) => {
    if (this.outcome !== undefined) return
    if (event === "token") {
      const token = parseToken(data)
      if (token === undefined) this.refuse("a token")
      else this.token(token.i, JSON.stringify(token.t), token.k, token.p)
    } else if (event === "prompt") {
      const tokens = promptIn(data)
      if (tokens === undefined) this.refuse("how long its prompt is")
      else this.options.onPrompt?.(tokens)
    } else if (event === "form") {
      const form = decodeForm(data)
      if (Either.isLeft(form)) this.refuse("how its answer is read")
      else this.options.onForm?.(form.right)
    } else if (event === "done") {
      const done = decodeDone(data)
      this.end(
        Either.mapLeft(done, () => nonsense("its last event")),
        true
      )
    } else if (event === "error") this.end(Either.left(parseError(data) ?? nonsense("its error")), true)
    else if (event === "cancelled") this.end(Either.left(rbeeError("CANCELLED", "the answer was cancelled")), true)
  })

  private refuse(what: string): void {
    this.end(Either.left(nonsense(what)), false)
  }

  private end(outcome: Either.Either<InferDone, RbeeError>, complete: boolean): void {
    if (this.outcome !== undefined) return
    this.outcome = outcome
    this.complete = complete
    this.settled?.()
  }
}

/** The stream's end follows its terminal event at once, and leaves the connection for the next call; or it is cut. */
const lingering = (reading: Fiber.RuntimeFiber<unknown, RbeeError>) =>
  Effect.zipRight(
    Effect.yieldNow(),
    Effect.suspend(() =>
      reading.unsafePoll() === null ? Effect.raceFirst(Fiber.await(reading), Effect.sleep(LINGER)) : Effect.void
    )
  )

const decodeToken = optionDecoder(Schema.parseJson(InferToken))
const parseToken = (data: string) => Option.getOrUndefined(decodeToken(data))

/** The request was on its way there: the worker may have died of it. One that nobody listens for was never sent. */
const brokeOff = (error: RbeeError): boolean =>
  error.code === "CONNECTION_TIMEOUT" && /^(ECONNRESET|EPIPE|BROKEN)$/.test(fact(error, "reason") ?? "")

const isNotUnderstood = (error: RbeeError): boolean =>
  error.code === "INTERNAL" && fact(error, "reason") === "not_understood"

const lost = (reason: string): RbeeError<"WORKER_CRASHED"> =>
  rbeeError("WORKER_CRASHED", `the worker was lost (${reason})`, "See `rbee logs worker`")

const nonsense = (what: string): RbeeError<"WORKER_CRASHED"> =>
  rbeeError(
    "WORKER_CRASHED",
    `the worker does not keep to the protocol: ${what}`,
    "Check that its version is the queen's"
  )
