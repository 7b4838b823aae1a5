/** What a job may ask for, whatever surface it came by: surfaces have other words, and bounds of their makers. */
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { RbeeError } from "../../../machines/errors.ts"
import { JobRequest } from "../../../machines/vocabulary/job.ts"
import { explain } from "../../../protocol/explain.ts"

/** What is said to the model was read by its surface, and may be long. */
const { messages: _, prompt: __, tokens: ___, embed: ____, rerank: _____, ...wishes } = JobRequest.fields
type Wishes = Omit<JobRequest, "messages" | "prompt" | "tokens" | "embed" | "rerank">

const validator = () => Schema.validateEither(Schema.Struct(wishes))
let validate: ((given: unknown) => Either.Either<Wishes, ParseResult.ParseError>) | undefined

/** The journal could not keep another, and nobody would be told why. */
export const withinBounds = (request: JobRequest): Either.Either<Wishes, RbeeError<"INVALID_REQUEST">> => {
  // made when it is needed: programs start without it
  validate ??= validator()
  return Either.mapLeft(validate(request), explain)
}
