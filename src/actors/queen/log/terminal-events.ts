/** Reads the terminal events, and what else has a form, of streams that this cluster wrote itself. */
import * as Schema from "effect/Schema"
import { decodeError } from "../../../protocol/wire/error.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { DoneEvent, TokenLogprob } from "../../../machines/vocabulary/job.ts"

/** The data of a job's `done`. */
export const parseDone = Schema.decodeSync(Schema.parseJson(DoneEvent))

/** The data of a job's `logprobs`. */
export const parseLogprob = Schema.decodeSync(Schema.parseJson(TokenLogprob))

/** The data of an `error`; undefined if it is none. */
export const parseError = (data: string): RbeeError | undefined => {
  try {
    return decodeError({ error: JSON.parse(data) })
  } catch {
    return undefined
  }
}

/** The failure that a terminal event of a job means; undefined for others. */
export const failureOf = (event: string, data: string): RbeeError | undefined => {
  if (event === "error") return parseError(data) ?? rbeeError("INTERNAL", "the job failed and did not say why")
  if (event === "cancelled") return rbeeError("CANCELLED", "the job was cancelled")
  return undefined
}
