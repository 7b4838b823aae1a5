/** What a job may ask for, whatever surface it came by: surfaces have other words, and bounds of their makers. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { RbeeError } from "../../../machines/errors.ts"
import { decoder } from "../../../machines/formats/json/decode.ts"
import { JobRequest, withoutTexts } from "../../../machines/vocabulary/job.ts"
import { explain } from "../../../protocol/explain.ts"

const { messages: _, prompt: __, tokens: ___, embed: ____, rerank: _____, ...wishes } = JobRequest.fields
const validate = decoder(Schema.typeSchema(Schema.Struct(wishes)))

/** The journal could not keep another, and nobody would be told why. */
export const withinBounds = (request: JobRequest): Either.Either<unknown, RbeeError<"INVALID_REQUEST">> =>
  // what is said to the model was read by its surface
  Either.mapLeft(validate(withoutTexts(request)), explain)
