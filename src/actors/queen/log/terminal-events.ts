/** Reads the terminal events, and what else has a form, of streams that this cluster wrote itself. */
import * as Either from "effect/Either"
import { textDecoder } from "../../../machines/formats/json/decode.ts"
import { decodeError } from "../../../protocol/wire/error.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { DoneEvent, TokenLogprob } from "../../../machines/vocabulary/job.ts"

const decodeDone = textDecoder(DoneEvent)
const decodeLogprob = textDecoder(TokenLogprob)

/** The data of a job's `done`. */
export const parseDone = (data: string): DoneEvent => Either.getOrThrowWith(decodeDone(data), (error) => error)

/** The data of a job's `logprobs`. */
export const parseLogprob = (data: string): TokenLogprob => Either.getOrThrowWith(decodeLogprob(data), (error) => error)

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
