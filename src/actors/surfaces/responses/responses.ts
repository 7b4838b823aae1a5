/** OpenAI's Responses: a response is a durable job, which is read from its events by whoever may. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { AnswerOf } from "../../../protocol/answers.ts"
import type { EventFeed, Handlers } from "../../../protocol/endpoint.ts"
import { explain } from "../../../protocol/explain.ts"
import { openAiResponses } from "../../../protocol/surfaces/openai-surface.ts"
import type { responsesApi } from "../../../protocol/surfaces/responses.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"
import { sortFields } from "../../../machines/vocabulary/responses/fields.ts"
import type { KeptResponse } from "../../../machines/vocabulary/responses/kept.ts"
import { decodeRequest, itemsOf, jobOf, type ResponseRequest } from "../../../machines/vocabulary/responses/request.ts"
import type { AnswerError, JobAnswer } from "../answers.ts"
import { ask, type Asking, naming, soon, type WhileWanted } from "../asking.ts"
import { conversationOf, type Find, finding, inputOf, missing, resolved, type ResponseError } from "./lookup.ts"
import { makeReaders, type Readers } from "./readers.ts"
import { asItIs, beginningOf, endOf, eventsOf, hasEnded, type StoredJob } from "./stored.ts"

/** What it needs of the queen. */
export interface ResponseJobs extends Asking {
  readonly find: (id: JobId) => Effect.Effect<StoredJob, RbeeError>
  readonly remove: (id: JobId) => Effect.Effect<void, RbeeError>
}

type Reply = AnswerOf<(typeof responsesApi)["v1CreateResponse"]["answers"]>
type Body = Readonly<Record<string, unknown>>

export interface Responses {
  readonly handlers: Handlers<typeof responsesApi>
  /** A queen before this one took it in: its reader is gone with her, and may come back. */
  readonly inherited: (job: Pick<StoredJob, "jobId" | "request">) => Effect.Effect<void>
}

export const responses = (jobs: ResponseJobs): Responses => {
  const readers = makeReaders(jobs.cancel)
  const find = finding(jobs.find)
  return {
    handlers: {
      v1CreateResponse: (input) => create(jobs, readers, find, input),
      v1Response: ({ id, starting_after, stream }) =>
        Effect.gen(function* () {
          const { job, kept } = yield* find(id)
          if (stream !== true) return { _tag: "Json", status: 200, body: yield* asItIs(job, kept) }
          const feed = eventsOf(job, kept, job.read, starting_after)
          return { _tag: "Events", feed: kept.background ? feed : counted(readers, job.jobId, feed) }
        }),
      v1CancelResponse: ({ id }) =>
        Effect.gen(function* () {
          const { job } = yield* find(id)
          yield* stop(jobs, id, job)
          const { job: now, kept } = yield* find(id)
          return yield* asItIs(now, kept)
        }),
      v1DeleteResponse: ({ id }) =>
        Effect.gen(function* () {
          const { job } = yield* find(id)
          yield* stop(jobs, id, job)
          yield* Effect.mapError(jobs.remove(job.jobId), missing(id))
          return { id, object: "response", deleted: true }
        }),
      v1ResponseInput: ({ after, id, limit = 20, order = "desc" }) =>
        Effect.map(inputOf(find, id), (items) => page(order === "asc" ? items : items.toReversed(), limit, after))
    },
    inherited: ({ jobId, request: { response } }) =>
      response === undefined || response.background ? Effect.void : readers.orphan(jobId)
  }
}

/** What has ended meanwhile stays as it is. */
const stop = (jobs: ResponseJobs, id: string, job: StoredJob): Effect.Effect<void, ResponseError> =>
  hasEnded(job)
    ? Effect.void
    : jobs.cancel(job.jobId).pipe(
        Effect.catchIf(
          ({ code }) => code === "CONFLICT",
          () => Effect.void
        ),
        Effect.mapError(missing(id))
      )

const counted =
  (readers: Readers, id: JobId, feed: EventFeed): EventFeed =>
  (sink) =>
    readers.reading(id, feed(sink))

const page = (items: ReadonlyArray<Body>, limit: number, after: string | undefined) => {
  const idOf = (item: Body | undefined): string | null => (typeof item?.["id"] === "string" ? item["id"] : null)
  const from = after === undefined ? 0 : items.findIndex((item) => idOf(item) === after) + 1
  const data = items.slice(from, from + limit)
  return {
    object: "list" as const,
    data,
    first_id: idOf(data[0]),
    last_id: idOf(data.at(-1)),
    has_more: from + limit < items.length
  }
}

const create = (jobs: ResponseJobs, readers: Readers, find: Find, input: Body): Effect.Effect<Reply, AnswerError> =>
  Effect.gen(function* () {
    const { asked, ignored } = yield* sortFields(input)
    const request = yield* Either.mapLeft(decodeRequest(asked), explain)
    const { previous_response_id } = request
    const before = previous_response_id === undefined ? [] : yield* conversationOf(find, previous_response_id)
    const items = yield* resolved(find, itemsOf(request))
    const { ignored: inside, job, kept } = yield* jobOf(request, { before, body: input, items })
    // who may come back to it has left only after a while
    const left = kept.store ? readers.orphan : undefined
    const reply = yield* ask(
      jobs,
      { ...job, model: request.model },
      (answered, whileWanted) => answer(request, kept, answered, reading(kept, answered, readers, whileWanted)),
      left
    )
    return naming(jobs, [...ignored, ...inside], reply)
  })

/** How its first reader reads. */
const reading = (kept: KeptResponse, { jobId }: JobAnswer, readers: Readers, whileWanted: WhileWanted): WhileWanted => {
  if (kept.background) return (effect) => effect
  return kept.store ? (effect) => readers.reading(jobId, effect) : whileWanted
}

const answer = (
  { stream = false }: ResponseRequest,
  kept: KeptResponse,
  answered: JobAnswer,
  wanted: WhileWanted
): Effect.Effect<Reply, AnswerError> => {
  if (!stream && kept.background)
    return Effect.succeed({ _tag: "Json", status: 200, body: beginningOf(answered, kept) })
  if (!stream)
    return Effect.flatMap(wanted(endOf(answered, kept)), ({ failure, response }) =>
      failure === undefined
        ? Effect.succeed({ _tag: "Json" as const, status: 200, body: response })
        : Effect.fail(failure)
    )
  const feedOf = (source: JobAnswer["read"]): EventFeed => eventsOf(answered, kept, source)
  // who asked for it in the background is told its id at once
  const feed = kept.background ? Effect.succeed(feedOf(answered.read)) : soon(answered, openAiResponses.framing, feedOf)
  return Effect.map(feed, (told) => ({ _tag: "Events", feed: (sink) => wanted(told(sink)) }))
}
