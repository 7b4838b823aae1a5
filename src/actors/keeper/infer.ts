/**
 * The infer session: the keeper's side of one answer (steps 0 to 2, 9 and 10 of docs/design.md#the-flow). It wakes the
 * queen, posts the job with its session, prints the job's stream, and ends what a cold session woke. The job belongs to
 * the queen: a keeper that dies leaves it running, one that is interrupted cancels it.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import { Call } from "../../protocol/endpoint.ts"
import { Ids } from "../../layers/ids/index.ts"
import type { QueenConnector } from "../../layers/queen-connector/index.ts"
import type { QueenLauncher } from "../../layers/queen-launcher/index.ts"
import { type SignalCode, Terminal } from "../../layers/terminal/index.ts"
import { type RbeeError, rbeeError, sentence } from "../../machines/errors.ts"
import { fact } from "../../machines/facts.ts"
import { inferStart, jobFailed, type Line, lineOf } from "../../machines/narration.ts"
import type { JobRequest, Teardown } from "../../machines/vocabulary/job.ts"
import { type Ending, isFinal, makeJobStream } from "./job-stream.ts"
import { makeQueenLink, type QueenLink } from "./queen-link.ts"
import { endEverything, teardown } from "./teardown.ts"
import { type Format, makeRenderer, type Renderer } from "./renderer.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"

export interface InferOptions {
  readonly request: Omit<JobRequest, "session">
  /** `everything`: the cluster lives for this run alone (one process) and ends with it, whatever else uses it */
  readonly teardown: Teardown | "everything"
  readonly format: Format
  /** the answer byte for byte, to a terminal too */
  readonly raw?: boolean
}

/** Connections to one job that broke in a row without a new event, before the keeper gives up. */
const maxBreaks = 5
/** `cancelled` is said, or given up, within 5 s of Ctrl-C: the cancel, then the teardown of a cold session */
const cancelMs = 2500
const farewellMs = 2000

/** Does the failure say that the queen could not be reached, or is ending? Then the next one is asked. */
const isAway = (error: RbeeError): boolean => error.code === "CONNECTION_TIMEOUT" || error.code === "SHUTTING_DOWN"

/** An error of the keeper itself. */
export const errorLine = (error: RbeeError): Line => ({
  actor: "bee-keeper",
  action: "error",
  human: `${error.code}: ${sentence(error)}`,
  level: "error"
})

/** The same as JSON, in the form of a job's error event. */
export const errorEvent = ({ code, details, todo, what }: RbeeError) => ({
  event: "error",
  data: { code, message: sentence({ what, todo }), details }
})

const sayError = (renderer: Renderer, error: RbeeError): void => {
  renderer.say(errorLine(error))
  renderer.note(errorEvent(error))
}

/** The queen refused the job: the same line as when she ends one. */
const refused = (renderer: Renderer, error: RbeeError): void => {
  renderer.say(jobFailed({ code: error.code, message: sentence(error) }))
  renderer.note(errorEvent(error))
}

interface Posted {
  readonly submission: Fiber.Fiber<JobId, RbeeError>
  /** what the queen was told of who woke her */
  readonly woke: boolean
}

// long: the steps of one session over one stream and one post, each of them short
const session = (
  options: Pick<InferOptions, "request" | "teardown">,
  renderer: Renderer,
  link: QueenLink,
  id: string
) => {
  const stream = makeJobStream(renderer)
  let posted: Posted | undefined

  const post = (session: JobRequest["session"]) =>
    link.api.submitJob({
      ...options.request,
      ...(session === undefined ? {} : { session }),
      // a repeated post of this session is the same job
      idempotency_key: id
    })
  const submitOnce = Effect.suspend(() => {
    const isWarm = options.teardown === "warm"
    return Effect.catchIf(
      post({ id, teardown: isWarm ? "warm" : "cold", woke_queen: link.woke() }),
      // by a key that may ask and no more: nothing is to be ended, so nothing has to be told of who ends it
      (error) => isWarm && error.code === "FORBIDDEN" && fact(error, "field") === "session",
      () => post(undefined)
    )
  }).pipe(Effect.map((answer) => answer.job_id))

  /** Tried again once where the queen was just ending or was lost between her health and the post. */
  const submit = submitOnce.pipe(
    Effect.catchIf(isAway, (error) =>
      Effect.zipRight(error.code === "SHUTTING_DOWN" ? link.outlive : link.retie, submitOnce)
    )
  )

  const follow = (jobId: JobId): Effect.Effect<Ending, RbeeError> =>
    Effect.gen(function* () {
      let breaks = 0
      for (;;) {
        const before = stream.lastEventId()
        const outcome = yield* Effect.either(
          Effect.flatMap(
            Effect.suspend(() =>
              link.api.jobEvents({ id: jobId, ...(before === undefined ? {} : { last_event_id: before }) })
            ),
            stream.read
          )
        )
        const ending = stream.ended()
        if (ending !== undefined) return ending
        if (Either.isLeft(outcome) && isFinal(outcome.left)) return yield* Effect.fail(outcome.left)
        breaks = stream.lastEventId() === before ? breaks + 1 : 0
        if (breaks > maxBreaks)
          return yield* Effect.fail(
            rbeeError(
              "CONNECTION_TIMEOUT",
              `the stream of ${jobId} broke ${breaks} times in a row without news`,
              `The job may still run: \`rbee jobs show ${jobId}\`.`
            )
          )
        if (yield* link.retie) yield* Effect.sleep(100 * breaks)
      }
    })

  const tearDown = ({ woke }: Posted): Effect.Effect<void, RbeeError> => {
    if (options.teardown === "warm") return Effect.void
    return options.teardown === "cold" ? teardown(link, renderer, id, woke) : endEverything(link)
  }

  /** Steps 1 to 9, then 10 for a cold session. The exit code. */
  const run: Effect.Effect<0 | 1> = Effect.gen(function* () {
    renderer.say(inferStart(options.request.model))
    // she may be lost between her health and her stream
    yield* Effect.catchIf(link.tie, isAway, () => link.retie)
    // not interrupted with the run: an interrupt has to know which job it cancels
    const submission = yield* Effect.forkDaemon(submit)
    posted = { submission, woke: link.woke() }
    const accepted = yield* Effect.either(Fiber.join(submission))
    if (Either.isLeft(accepted)) refused(renderer, accepted.left)
    const ending = Either.isLeft(accepted) ? "error" : yield* follow(accepted.right)
    if (ending === "cancelled") renderer.cancelled()
    yield* tearDown(posted)
    return ending === "done" ? (0 as const) : (1 as const)
  }).pipe(
    Effect.catchAll((error) =>
      Effect.sync(() => {
        sayError(renderer, error)
        return 1 as const
      })
    )
  )

  const cancel = Effect.gen(function* () {
    if (posted === undefined) return
    const accepted = yield* Effect.either(Fiber.join(posted.submission))
    // a refused job is none
    if (Either.isLeft(accepted)) return isAway(accepted.left) ? yield* Effect.fail(accepted.left) : undefined
    // 409, 404: it ended otherwise meanwhile, which frees the slot as well
    yield* Effect.catchIf(
      link.api.cancelJob({ id: accepted.right }),
      (error) => error.code === "CONFLICT" || error.code === "JOB_NOT_FOUND",
      () => Effect.void
    )
  }).pipe(
    Effect.timeoutFail({
      duration: cancelMs,
      onTimeout: () => rbeeError("CONNECTION_TIMEOUT", `the cancel was not answered within ${cancelMs} ms`)
    })
  )

  /** After a signal, or when nobody reads stdout any more. */
  const abandon = Effect.gen(function* () {
    const outcome = yield* Effect.either(cancel)
    if (Either.isRight(outcome)) renderer.cancelled()
    else
      sayError(
        renderer,
        rbeeError(
          outcome.left.code,
          `the job may still run: ${outcome.left.what}`,
          "Look with `rbee jobs ls`, end it with `rbee jobs cancel ID`."
        )
      )
    if (posted !== undefined) yield* tearDown(posted).pipe(Effect.timeoutOption(farewellMs), Effect.ignore)
  })

  return { run, abandon }
}

type End = { readonly _tag: "Ran"; readonly code: 0 | 1 } | { readonly _tag: "Signal"; readonly code: SignalCode }

/**
 * Runs one session and returns the exit code: 0, 1 (failed, with the reason printed), 129, 130 and 143 (signals). A reader
 * of stdout who leaves ends it quietly with 0; an answer that cannot be written (a full disk) with 1.
 */
export const infer = (options: InferOptions) =>
  Effect.gen(function* () {
    const terminal = yield* Terminal
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    return yield* inferTo(makeRenderer(terminal, options.format, now, options.raw), options)
  })

/** The same, told to `renderer`. */
export const inferTo = (
  renderer: Renderer,
  options: Pick<InferOptions, "request" | "teardown">
): Effect.Effect<number, never, QueenLauncher | QueenConnector | Terminal | Ids> =>
  Effect.scoped(
    Effect.gen(function* () {
      const terminal = yield* Terminal
      const link = yield* makeQueenLink(renderer)
      const id = yield* (yield* Ids).make("session")
      const { run, abandon } = session(options, renderer, link, id)
      // every call of the session carries its id: one search finds it in the logs of all daemons
      const traced = Effect.provideService(run, Call, { correlationId: id, deadline: undefined })
      const ran = Effect.map(traced, (code): End => ({ _tag: "Ran", code }))
      const signal = Effect.map(terminal.interrupted, (code): End => ({ _tag: "Signal", code }))
      const closed = Effect.map(terminal.closed, ({ failure }) => ({ _tag: "Closed", failure }) as const)
      const end = yield* Effect.raceFirst(ran, Effect.raceFirst(signal, closed))
      if (end._tag !== "Ran") yield* abandon
      renderer.close()
      if (end._tag !== "Closed") return end.code
      if (end.failure === undefined) return 0
      const lost = rbeeError("DISK_FULL", `the answer could not be written: ${end.failure}`, "Make room, then repeat.")
      terminal.stderr.write(`${lineOf(errorLine(lost))}\n`)
      return 1
    })
  )
