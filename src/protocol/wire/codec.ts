/** Schema's encoders and decoders, passed over where a value is right as it stands. */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import { fastValidator } from "./fast-validate.ts"
import type { WireSchema } from "../answers.ts"

export type Code = (value: unknown) => Either.Either<unknown, ParseResult.ParseIssue>

/** Made when it is needed first: most programs use few of the endpoints that they know. */
const later = (make: () => Code): Code => {
  let made: Code | undefined
  return (value) => (made ??= make())(value)
}

/** Runs `code` only for values that are not right as they stand. */
const unlessFast = (schema: WireSchema, code: Code): Code => {
  const accepts = fastValidator(schema.ast)
  return accepts === undefined ? code : (value) => (accepts(value) ? Either.right(value) : code(value))
}
export const encoderOf = (schema: WireSchema): Code =>
  later(() => unlessFast(schema, ParseResult.encodeUnknownEither(schema)))
export const decoderOf = (schema: WireSchema, strict: boolean): Code =>
  later(() =>
    unlessFast(schema, ParseResult.decodeUnknownEither(schema, { onExcessProperty: strict ? "error" : "ignore" }))
  )
