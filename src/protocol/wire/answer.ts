/** The answer of a `json` endpoint as text, and as a value again. */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as AST from "effect/SchemaAST"
import type { Endpoint } from "../endpoint.ts"
import { decoderOf, encoderOf } from "./codec.ts"

export interface WireAnswer {
  /** Status and JSON text of an answer of a `json` endpoint. Throws if the handler's answer is not what it declares. */
  readonly encodeAnswer: (output: unknown) => { readonly status: number; readonly body: string | undefined }
  /** The value behind the text; undefined if it is not what the endpoint declares. */
  readonly decodeAnswer: (body: string | undefined) => { readonly value: unknown } | undefined
}

const noAnswer = (): never => {
  throw new TypeError("this endpoint's answer has no schema")
}

export const compileAnswer = (endpoint: Endpoint): WireAnswer => {
  if (endpoint.kind !== "json") return { encodeAnswer: noAnswer, decodeAnswer: noAnswer }
  const { output, status } = endpoint
  // Void accepts every value; what a handler happens to return must not go out
  const isVoid = AST.isVoidKeyword(output.ast)
  const encode = encoderOf(output)
  const decode = decoderOf(output, false)
  /** what an answer without a body stands for */
  const empty = Either.isRight(decode(undefined)) ? undefined : null
  return {
    encodeAnswer: (value) => {
      const encoded = encode(value)
      if (Either.isLeft(encoded)) throw new ParseResult.ParseError({ issue: encoded.left })
      const code = typeof status === "number" ? status : status(value)
      return { status: code, body: isVoid || code === 204 ? undefined : JSON.stringify(encoded.right) }
    },
    decodeAnswer: (body) => {
      let value: unknown = empty
      try {
        if (body !== undefined && body !== "") value = JSON.parse(body)
      } catch {
        return undefined
      }
      const decoded = decode(value)
      return Either.isRight(decoded) ? { value: decoded.right } : undefined
    }
  }
}
