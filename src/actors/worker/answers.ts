/**
 * The answers of a worker: who gets a slot, which epoch of a job may decode, and when an answer that nobody reads is
 * given up. A slot is free again when its answer's fiber is gone, not before.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { GenerateRequest, GenerateResult, LoadedModel, MeasureRequest } from "../../layers/engine/index.ts"
import type { AnswerForm } from "../../machines/dialect/answer-form.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { TokenLogprob } from "../../machines/vocabulary/job.ts"
import type { InferDone, InferRequest } from "../../machines/vocabulary/worker.ts"
import { Answer, type AnswerFailure, type End } from "./answer.ts"

/**
 * Checked once a second, so an abandoned decode stops within 10 s of losing its reader
 * (docs/design.md#when-something-fails).
 */
const unreadMs = 9000
/** jobs whose highest epoch is remembered */
const jobsRemembered = 4096

export type Refused = RbeeError<"ALL_SLOTS_BUSY" | "CONFLICT">
export type GenerateFailure = Effect.Effect.Error<ReturnType<LoadedModel["generate"]>>

/** What the engine is asked, without its callbacks. */
export type Asked =
  | ({ readonly _tag: "Generate" } & Omit<GenerateRequest, "onPrompt" | "onForm" | "onToken">)
  | ({ readonly _tag: "Measure" } & Omit<MeasureRequest, "onToken">)

/** Who hears an answer beside its readers. */
export type Heard = Required<Pick<GenerateRequest, "onForm">> & { readonly onToken: (text: string) => void }

type Decoding = Effect.Effect<GenerateResult, GenerateFailure>

export interface Running {
  readonly answer: Answer
  readonly fiber: Fiber.RuntimeFiber<GenerateResult, GenerateFailure>
}

export const doneOf = ({ outgrown, stopSequence, ...result }: GenerateResult): InferDone => ({
  tokens: result.completionTokens,
  finish_reason: result.finishReason,
  ...(stopSequence === undefined ? {} : { stop_sequence: stopSequence }),
  ...(outgrown === undefined ? {} : { outgrown: { context: outgrown.context, trained_context: outgrown.trained } }),
  usage: {
    prompt_tokens: result.promptTokens,
    completion_tokens: result.completionTokens,
    cached_tokens: result.cachedTokens
  }
})

export const bug = (): RbeeError<"INTERNAL"> => rbeeError("INTERNAL", "the worker failed while decoding")

export class Answers {
  /** tokens decoded since the start */
  tokensOut = 0
  private readonly model: LoadedModel
  private readonly clock: Clock.Clock
  private readonly fork: (decoding: Decoding) => Running["fiber"]
  private readonly atEndOfTurn: (work: () => void) => void
  private readonly beat: () => void
  /** those that hold a slot, by job */
  private readonly active = new Map<string, Running>()
  /** whose prompt is being read: nothing else runs meanwhile */
  private taking: Answer | undefined
  /** highest epoch of each job, oldest job first */
  private readonly epochs = new Map<string, number>()
  /** called once when nothing runs any more */
  private readonly waitingForIdle = new Set<() => void>()

  constructor(options: {
    readonly model: LoadedModel
    readonly clock: Clock.Clock
    /** decoding ends with it */
    readonly scope: Scope.Scope
    readonly runtime: Runtime.Runtime<never>
    readonly atEndOfTurn: (work: () => void) => void
    /** tells the hive at once what is decoded */
    readonly beat: () => void
  }) {
    this.model = options.model
    this.clock = options.clock
    const runFork = Runtime.runFork(options.runtime)
    this.fork = (decoding) => runFork(decoding, { scope: options.scope })
    this.atEndOfTurn = options.atEndOfTurn
    this.beat = options.beat
  }

  readonly now = (): number => this.clock.unsafeCurrentTimeMillis()
  readonly running = (): ReadonlyArray<Answer> => [
    ...[...this.active.values()].map(({ answer }) => answer),
    ...(this.taking === undefined ? [] : [this.taking])
  ]

  /**
   * Starts decoding at once. The same request again (same job, epoch and place) is the same answer; a higher epoch of
   * the job ends the older answer first; a lower one is CONFLICT.
   */
  start(id: string, request: InferRequest, asked: Asked, heard?: Heard): Effect.Effect<Running, Refused> {
    return Effect.suspend(() => {
      const known = this.epochs.get(request.job_id) ?? request.epoch
      if (request.epoch < known)
        return Effect.fail(
          rbeeError("CONFLICT", `epoch ${request.epoch} of this job is over`, "", {
            epoch: request.epoch,
            newest: known
          })
        )
      const active = this.active.get(request.job_id)
      if (active !== undefined) {
        const first = request.resume?.token_ids.length ?? 0
        if (active.answer.epoch === request.epoch && active.answer.first === first) return Effect.succeed(active)
        this.remember(request)
        return Effect.zipRight(this.stop(active), this.start(id, request, asked, heard))
      }
      if (this.active.size >= this.model.slots)
        return Effect.fail(
          rbeeError("ALL_SLOTS_BUSY", `all ${this.model.slots} slots are busy`, "", { slots: this.model.slots })
        )
      this.remember(request)
      return Effect.succeed(this.decode(id, request, asked, heard))
    })
  }

  /** Ends one answer and returns when its slot is free. Nothing happens to one that has ended. */
  cancel(id: string): Effect.Effect<void> {
    for (const running of this.active.values()) if (running.answer.id === id) return this.stop(running)
    return Effect.void
  }

  /** Ends all that run, for this reason or as cancelled, and returns when their slots are free. */
  endAll(reason?: AnswerFailure): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.active.values()], (running) => this.stop(running, reason), {
        concurrency: "unbounded",
        discard: true
      })
    )
  }

  /** Completes when nothing runs. */
  readonly idle: Effect.Effect<void> = Effect.async((resume) => {
    if (this.active.size === 0) {
      resume(Effect.void)
      return
    }
    const done = (): void => resume(Effect.void)
    this.waitingForIdle.add(done)
    return Effect.sync(() => this.waitingForIdle.delete(done))
  })

  /** Once a second: gives up what nobody reads. */
  readonly sweep: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.now()
    const abandoned = [...this.active.values()].filter(
      ({ answer }) => answer.unreadSince !== undefined && answer.unreadSince + unreadMs <= now
    )
    return Effect.forEach(abandoned, ({ fiber }) => Fiber.interruptFork(fiber), { discard: true })
  })

  private stop(running: Running, reason?: AnswerFailure): Effect.Effect<void> {
    if (reason !== undefined) running.answer.stopReason ??= reason
    return Effect.asVoid(Fiber.interrupt(running.fiber))
  }

  private remember(request: InferRequest): void {
    this.epochs.delete(request.job_id)
    this.epochs.set(request.job_id, request.epoch)
    for (const job of this.epochs.keys()) {
      if (this.epochs.size <= jobsRemembered) break
      this.epochs.delete(job)
    }
  }

  private decode(id: string, request: InferRequest, asked: Asked, heard: Heard | undefined): Running {
    const answer = new Answer({
      id,
      jobId: request.job_id,
      epoch: request.epoch,
      alone: request.alone === true,
      first: request.resume?.token_ids.length ?? 0,
      now: this.now(),
      atEndOfTurn: this.atEndOfTurn
    })
    const decoding = this.ask(asked, answer, heard).pipe(
      Effect.onExit((exit) =>
        Effect.zipRight(
          report(exit),
          Effect.sync(() => this.ended(answer, exit))
        )
      )
    )
    this.taking = answer
    // it may take this worker down with it, already as its prompt is read: its hive is to know whose death that is
    if (answer.alone) this.beat()
    // admitted and registered without a pause: two requests can never take the same slot
    const running = { answer, fiber: this.fork(decoding) }
    this.taking = undefined
    if (answer.end === undefined) this.active.set(request.job_id, running)
    return running
  }

  private ask(asked: Asked, answer: Answer, heard: Heard | undefined): Decoding {
    const onToken = (text: string, token: number, logprob?: TokenLogprob): void => {
      this.tokensOut++
      answer.token(text, token, logprob)
      heard?.onToken(text)
    }
    if (asked._tag === "Measure") return this.model.measure({ ...asked, onToken })
    const onForm = (form: AnswerForm): void => {
      answer.form(form)
      heard?.onForm(form)
    }
    return this.model.generate({ ...asked, onPrompt: answer.prompt, onForm, onToken })
  }

  private ended(answer: Answer, exit: Exit.Exit<GenerateResult, GenerateFailure>): void {
    if (this.active.get(answer.jobId)?.answer === answer) this.active.delete(answer.jobId)
    // the slot is free before the reader hears of the end: its next request finds room
    answer.finish(endOf(answer, exit))
    if (this.active.size > 0) return
    for (const done of this.waitingForIdle) done()
    this.waitingForIdle.clear()
  }
}

const endOf = (answer: Answer, exit: Exit.Exit<GenerateResult, GenerateFailure>): End => {
  if (Exit.isSuccess(exit)) return { _tag: "Done", done: doneOf(exit.value) }
  const failure = Cause.failureOption(exit.cause)
  if (failure._tag === "Some") return { _tag: "Failed", error: failure.value }
  if (!Cause.isInterruptedOnly(exit.cause)) return { _tag: "Failed", error: bug() }
  return answer.stopReason === undefined ? { _tag: "Cancelled" } : { _tag: "Failed", error: answer.stopReason }
}

/** A bug in the engine is for the log; its reader hears INTERNAL. */
const report = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Exit.isFailure(exit) && Cause.isDie(exit.cause) ? Effect.logError("decoding failed", exit.cause) : Effect.void
