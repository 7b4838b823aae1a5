/** Schema's encoders and decoders, passed over where a value is right as it stands. */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import { acceptsAsIs } from "./fast-validate.ts"
import type { WireSchema } from "../answers.ts"

export type Code = (value: unknown) => Either.Either<unknown, ParseResult.ParseIssue>

/** Runs `code` only for values that are not right as they stand. */
const unlessAsIs = (schema: WireSchema, code: Code): Code => {
  const accepts = acceptsAsIs(schema.ast)
  return accepts === undefined ? code : (value) => (accepts(value) ? Either.right(value) : code(value))
}
export const encoderOf = (schema: WireSchema): Code => unlessAsIs(schema, ParseResult.encodeUnknownEither(schema))
export const decoderOf = (schema: WireSchema, strict: boolean): Code =>
  unlessAsIs(schema, ParseResult.decodeUnknownEither(schema, { onExcessProperty: strict ? "error" : "ignore" }))
