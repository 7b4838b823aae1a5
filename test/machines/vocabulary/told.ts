/** What a pure translation of a request gave, or how it was refused. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { ErrorCode, RbeeError } from "../../../src/machines/errors.ts"

/** What is right of it; a refusal fails the test. */
export const right = <A>(result: Either.Either<A, unknown>): A =>
  Either.getOrThrowWith(result, (error) => new Error(String(error)))

/** The code of a refusal, and what it says beside its words; undefined where there is none. */
export const refused = <A>(result: Either.Either<A, RbeeError<ErrorCode>>): ReadonlyArray<unknown> | undefined =>
  Either.isLeft(result) ? [result.left.code, { ...result.left.details }] : undefined

/** A request as its schema reads it. */
export const asked = <A, I>(schema: Schema.Schema<A, I>, body: unknown): A =>
  right(Schema.decodeUnknownEither(schema)(body))
