/**
 * Decoding what others say. Effect's decoders throw where a field that tells the members of a union apart is an object
 * that has no text (`{"t":{"toString":1}}`: seen to end a hive); here that is one more value of a wrong type. Nothing
 * else decodes what comes from outside (tools/check-house.mjs).
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { ParseOptions } from "effect/SchemaAST"
import { type Accepts, fastValidator } from "./fast-validate.ts"

const nothing: Accepts = () => false

type Decode<A> = (value: unknown) => Either.Either<A, ParseResult.ParseIssue>

/** The same, which does not throw. */
export const withoutThrowing =
  <A>(schema: Schema.Schema.AnyNoContext, decode: Decode<A>): Decode<A> =>
  (value) => {
    try {
      return decode(value)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      return Either.left(new ParseResult.Type(schema.ast, value, "a value of a wrong type, somewhere in it"))
    }
  }

/** Made when it is needed first. What is right as it stands, which most is, is taken as it is. */
export const decoder = <A, I>(
  schema: Schema.Schema<A, I>,
  options?: ParseOptions
): ((value: unknown) => Either.Either<A, ParseResult.ParseError>) => {
  let accepts: Accepts | undefined
  let made: Decode<A> | undefined
  return (value) => {
    accepts ??= fastValidator(schema.ast) ?? nothing
    // to decode it would give an equal value
    if (accepts(value)) return Either.right(value as A)
    made ??= withoutThrowing(schema, ParseResult.decodeUnknownEither(schema, options))
    return Either.mapLeft(made(value), ParseResult.parseError)
  }
}

/** The same of a JSON text. */
export const textDecoder = <A, I>(
  schema: Schema.Schema<A, I>
): ((text: string) => Either.Either<A, ParseResult.ParseError>) => {
  const decode = decoder(schema)
  return (text) => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      // which says why not
      return decoder(Schema.parseJson(schema))(text)
    }
    return decode(value)
  }
}

/** The same where nobody asks what is wrong with a value. */
export const optionDecoder = <A, I>(
  schema: Schema.Schema<A, I>,
  options?: ParseOptions
): ((value: unknown) => Option.Option<A>) => {
  const decode = decoder(schema, options)
  return (value) => Option.getRight(decode(value))
}

/** `Schema.is`, likewise. */
export const isOf = <A>(schema: Schema.Schema<A>): ((value: unknown) => value is A) => {
  const is = Schema.is(schema)
  return (value): value is A => {
    try {
      return is(value)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      return false
    }
  }
}
