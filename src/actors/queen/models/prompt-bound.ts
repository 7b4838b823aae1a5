/**
 * Refuses a prompt that no worker of its model could read, before it is a job: to journal, send and read 20 MB holds
 * everybody up, and what the hives know of the model's vocabulary says that it cannot fit. Where they know nothing, the
 * worker judges.
 */
import * as Effect from "effect/Effect"
import type { RbeeError } from "../../../machines/errors.ts"
import { tooManyBytes } from "../../../machines/policy/memory/context.ts"
import { eachSaid } from "../../../machines/dialect/strings.ts"
import type { JobRequest } from "../../../machines/vocabulary/job.ts"
import type { ModelView } from "../../../machines/vocabulary/model.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"

/** Bytes that hold nobody up: so short a prompt is left to the worker. */
const shortPrompt = 64 * 1024
/** A hive that takes longer has not told. */
const answerWithin = "1 second"

const bytesOf = ({ messages = [], prompt = "", suffix = "", ...wishes }: JobRequest): number => {
  let sum = Buffer.byteLength(prompt) + Buffer.byteLength(suffix)
  eachSaid({ messages, ...wishes }, (text) => {
    sum += Buffer.byteLength(text)
  })
  return sum
}

/** What the copies take at most; infinite where one of them is not known to have a bound. */
const roomiest = (copies: ReadonlyArray<ModelView>): { readonly context: number; readonly tokenBytes: number } => {
  const most = { context: 0, tokenBytes: 0 }
  for (const { context = Infinity, token_bytes = Infinity } of copies) {
    most.context = Math.max(most.context, context)
    most.tokenBytes = Math.max(most.tokenBytes, token_bytes)
  }
  return most
}

/** `request.model` is canonical. */
export const checkPrompt = (
  view: ClusterView,
  request: JobRequest
): Effect.Effect<void, RbeeError<"INVALID_REQUEST">> => {
  const bytes = bytesOf(request)
  return bytes <= shortPrompt ? Effect.void : checkLong(view, request, bytes)
}

const checkLong = (
  view: ClusterView,
  request: JobRequest,
  bytes: number
): Effect.Effect<void, RbeeError<"INVALID_REQUEST">> =>
  Effect.gen(function* () {
    const hives = view.allHives().filter(({ id }) => (request.hive ?? id) === id)
    // each looks whether the file is still the one that it knows
    const found = yield* Effect.forEach(
      hives,
      ({ claimed }) =>
        claimed === undefined
          ? Effect.succeed([])
          : claimed.api.getModel({ ref: request.model }).pipe(
              Effect.map((model) => [model]),
              Effect.timeout(answerWithin),
              Effect.orElseSucceed((): ReadonlyArray<ModelView> => [])
            ),
      { concurrency: "unbounded" }
    )
    const copies = found.flat()
    const { context, tokenBytes } = roomiest(copies)
    const refused = copies.length === 0 ? undefined : tooManyBytes(bytes, tokenBytes, context)
    if (refused !== undefined) return yield* refused
  })
