/** The worker's interface: what its calls answer, from its status. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Struct from "effect/Struct"
import { type AnswerOf } from "../../protocol/answers.ts"
import { Ids } from "../../layers/ids/index.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import { inferIdHeader, type WorkerApi, type workerApi } from "../../protocol/worker.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { AnswerForm } from "../../machines/dialect/answer-form.ts"
import type { InferRequest } from "../../machines/vocabulary/worker.ts"
import type { Answers, Asked, Heard } from "./answers.ts"
import { askedOf } from "./request.ts"
import { shuttingDown, type WorkerOptions, type WorkerStatus } from "./status.ts"

const json = <const Status extends number, Body>(status: Status, body: Body) => ({
  _tag: "Json" as const,
  status,
  body
})

const notReady = (loaded: number): RbeeError<"ALL_SLOTS_BUSY"> =>
  rbeeError("ALL_SLOTS_BUSY", `the worker is loading its model (${Math.floor(loaded * 100)} %)`, "", {
    state: "loading",
    progress: loaded
  })

const ready = ({
  answers,
  draining,
  loaded,
  slots
}: WorkerStatus): AnswerOf<(typeof workerApi)["ready"]["answers"]> => {
  if (answers === undefined) return json(503, { state: "loading", progress: loaded })
  const busy = answers.running().length
  if (draining) return json(503, { state: "draining", slots, busy })
  return json(200, { state: busy > 0 ? "busy" : "idle", slots, busy })
}

/** Its tokens; the decoding runs already, and goes on without its reader for some seconds. */
const streamed = (answers: Answers, id: string, request: InferRequest, asked: Asked) =>
  Effect.map(answers.start(id, request, asked), ({ answer }) => ({
    _tag: "Events" as const,
    feed: answer.feed(answers.now),
    headers: { [inferIdHeader]: answer.id }
  }))

/** 200 and the whole answer: `text` and `tokens` are those of this call, without resumed ones. Ends with its caller. */
const whole = (answers: Answers, id: string, request: InferRequest, asked: Asked) => {
  const texts: Array<string> = []
  let form: AnswerForm | undefined
  const heard: Heard = {
    onForm: (told) => {
      form = told
    },
    onToken: (text) => void texts.push(text)
  }
  const start = answers.start(id, request, asked, heard).pipe(
    Effect.filterOrFail(
      ({ answer }) => answer.id === id,
      () => rbeeError("CONFLICT", "this epoch of the job is being decoded already")
    ),
    Effect.map((running) => ({ ...running, leave: running.answer.read(() => undefined, answers.now) }))
  )
  return Effect.acquireUseRelease(
    start,
    ({ answer, fiber }) =>
      Effect.flatMap(Fiber.await(fiber), () => {
        if (answer.end?._tag === "Done")
          return Effect.succeed(
            json(200, { text: texts.join(""), ...(form === undefined ? {} : { form }), ...answer.end.done })
          )
        return Effect.fail(
          answer.end?._tag === "Failed" ? answer.end.error : rbeeError("CANCELLED", "the answer was cancelled")
        )
      }),
    ({ leave }) => Effect.zipRight(Effect.sync(leave), answers.cancel(id))
  )
}

export const workerApiOf = (
  options: WorkerOptions & {
    readonly status: WorkerStatus
    /** returns when nothing runs any more */
    readonly shutdown: (deadlineMs: number) => Effect.Effect<void>
    readonly scope: Scope.Scope
  }
): Effect.Effect<WorkerApi, never, Ids | CurrentSettings> =>
  Effect.gen(function* () {
    const { pid, plan, scope, shutdown, status } = options
    const ids = yield* Ids
    const settings = yield* CurrentSettings
    const clock = yield* Effect.clock
    const startedAt = clock.unsafeCurrentTimeMillis()
    return {
      health: () =>
        Effect.sync(() => ({
          status: "healthy" as const,
          role: "worker" as const,
          version: settings.version,
          id: plan.workerId,
          instance: plan.instance,
          pid,
          uptime_s: (clock.unsafeCurrentTimeMillis() - startedAt) / 1000
        })),
      ready: () => Effect.sync(() => ready(status)),
      infer: (request) =>
        Effect.gen(function* () {
          const asked = yield* askedOf(settings.worker.sharePrefix ? Struct.omit(request, "scope") : request)
          const id = yield* ids.make("infer")
          if (status.draining) return yield* Effect.fail(shuttingDown())
          const { answers } = status
          if (answers === undefined) return yield* Effect.fail(notReady(status.loaded))
          yield* Effect.logInfo(`answers ${request.job_id}`, {
            infer: id,
            epoch: request.epoch,
            resumed: request.resume?.token_ids.length ?? 0
          })
          return yield* (request.stream === false ? whole : streamed)(answers, id, request, asked)
        }),
      cancelInfer: ({ id }) => Effect.suspend(() => status.answers?.cancel(id) ?? Effect.void),
      cancelInfers: () => Effect.suspend(() => status.answers?.endAll() ?? Effect.void),
      forget: ({ scope }) => Effect.sync(() => status.forget(scope)),
      shutdown: ({ deadline_ms }) =>
        Effect.suspend(() => {
          // refused from this answer on, not from when the draining fiber first runs
          status.draining = true
          return Effect.asVoid(Effect.forkIn(shutdown(deadline_ms ?? settings.shutdown.drainMs), scope))
        })
    }
  })
