/** Schema's encoders and decoders, passed over where a value is right as it stands. */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import { withoutThrowing } from "../../machines/formats/json/decode.ts"
import { fastValidator } from "../../machines/formats/json/fast-validate.ts"
import type { WireSchema } from "../answers.ts"

export type Code = (value: unknown) => Either.Either<unknown, ParseResult.ParseIssue>

/** Made when it is needed first: most programs use few of the endpoints that they know. */
const later = (make: () => Code): Code => {
  let made: Code | undefined
  return (value) => (made ??= make())(value)
}

/** Makes and runs the code only for values that are not right as they stand: for most there is none. */
const unlessFast = (schema: WireSchema, make: () => Code): Code => {
  const accepts = fastValidator(schema.ast)
  if (accepts === undefined) return make()
  const code = later(make)
  return (value) => (accepts(value) ? Either.right(value) : code(value))
}
export const encoderOf = (schema: WireSchema): Code =>
  later(() => unlessFast(schema, () => ParseResult.encodeUnknownEither(schema)))
export const decoderOf = (schema: WireSchema, strict: boolean): Code => {
  const options = { onExcessProperty: strict ? "error" : "ignore" } as const
  return later(() =>
    unlessFast(schema, () => withoutThrowing(schema, ParseResult.decodeUnknownEither(schema, options)))
  )
}
