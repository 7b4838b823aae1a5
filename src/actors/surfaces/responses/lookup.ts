/** Stored responses by their ids, and what goes on from them. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ErrorOf } from "../../../protocol/endpoint.ts"
import { heldTo } from "../../../protocol/failures.ts"
import { responsesApi } from "../../../protocol/surfaces/responses.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { ChatMessage } from "../../../machines/vocabulary/conversation.ts"
import { JobId } from "../../../machines/vocabulary/ids.ts"
import { type Item, messagesOf } from "../../../machines/vocabulary/responses/items.ts"
import type { KeptResponse } from "../../../machines/vocabulary/responses/kept.ts"
import type { AnswerError } from "../answers.ts"
import { endOf, hasEnded, jobIdIn, type StoredJob } from "./stored.ts"

export interface Found {
  readonly job: StoredJob
  readonly kept: KeptResponse
}

/** A call about one response. */
export type ResponseError = ErrorOf<(typeof responsesApi)["v1Response"]>

export type Find = (id: string) => Effect.Effect<Found, ResponseError>

const isJobId = Schema.is(JobId)

/** Another's, one that was not stored, and any other job are as one that never was. */
export const finding =
  (find: (id: JobId) => Effect.Effect<StoredJob, RbeeError>): Find =>
  (id) => {
    const jobId = jobIdIn(id)
    if (!isJobId(jobId)) return noResponse(id)
    return Effect.flatMap(Effect.mapError(find(jobId), missing(id)), (job) => {
      const kept = job.request.response
      return kept?.store === true ? Effect.succeed({ job, kept }) : noResponse(id)
    })
  }

const held = heldTo(responsesApi.v1Response.errors)
/** What is said of a job, of the response that it is. */
export const missing =
  (id: string) =>
  (error: RbeeError): ResponseError =>
    error.code === "JOB_NOT_FOUND" ? noResponse(id) : held(error)

const noResponse = (id: string): RbeeError<"NOT_FOUND"> =>
  rbeeError(
    "NOT_FOUND",
    `there is no response ${id.replace(/[^\x21-\x7e]/g, "?").slice(0, 100)}`,
    "One is found as long as its job is, if it was made with `store`, by the same right"
  )

/** The conversation that goes on: all that was said, but the instructions, which were that response's own. */
export const conversationOf = (find: Find, previous: string): Effect.Effect<ReadonlyArray<ChatMessage>, AnswerError> =>
  Effect.gen(function* () {
    const { job, kept } = yield* Effect.mapError(find(previous), (error) =>
      error.code === "NOT_FOUND" ? notThere(error.what) : error
    )
    if (!hasEnded(job)) return yield* notThere(`response ${previous} has not ended yet`)
    const { messages = [] } = job.request
    const { response } = yield* endOf(job, kept)
    const { messages: said } = yield* messagesOf(response.output)
    return [...messages.slice(kept.instructions === undefined ? 0 : 1), ...said]
  })

const notThere = (what: string): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", what, "", { field: "previous_response_id" })

const itemId = /^(?:msg|rs|fc)_(resp_.+)_(\d+)$/

const isReference = ({ id, role, type }: Item): boolean =>
  id !== undefined && (type === "item_reference" || (type === undefined && role === undefined))

/** Items that stand for others are those others, where they are found. */
export const resolved = (find: Find, items: ReadonlyArray<Item>): Effect.Effect<ReadonlyArray<Item>> =>
  Effect.forEach(items, (item) => {
    if (!isReference(item)) return Effect.succeed(item)
    const reference: Item = { ...item, type: "item_reference" }
    const [, id = "", index] = itemId.exec(item.id ?? "") ?? []
    return find(id).pipe(
      Effect.flatMap(({ job, kept }) => endOf(job, kept)),
      Effect.map(({ response }): Item => response.output[Number(index)] ?? reference),
      Effect.orElseSucceed(() => reference)
    )
  })

type Json = Readonly<Record<string, unknown>>

/** All that it was asked with, from the first response of its conversation on. */
export const inputOf = (find: Find, id: string): Effect.Effect<ReadonlyArray<Json>, ResponseError> =>
  Effect.gen(function* () {
    const { kept } = yield* find(id)
    const own = kept.input.map((item, index) => ({ id: `item_${id}_${index}`, ...item }))
    if (kept.previous === undefined) return own
    // one that is gone meanwhile has nothing to tell
    const before = yield* Effect.orElseSucceed(toldUpTo(find, kept.previous), (): ReadonlyArray<Json> => [])
    return [...before, ...own]
  })

const toldUpTo = (find: Find, id: string): Effect.Effect<ReadonlyArray<Json>, ResponseError> =>
  Effect.gen(function* () {
    const { job, kept } = yield* find(id)
    const { response } = yield* endOf(job, kept)
    return [...(yield* inputOf(find, id)), ...response.output]
  })
