/** An input on its way: spread over path, query, headers and body, and put together again. */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { isLongerThan, jsonPieces, pieceLength } from "../../machines/formats/json/pieces.ts"
import type { Endpoint } from "../endpoint.ts"
import { explain } from "../explain.ts"
import { decoderOf, encoderOf } from "./codec.ts"
import { isObject } from "../../machines/formats/json/is-object.ts"

type Invalid = RbeeError<"INVALID_REQUEST">
type Fields = Record<string, unknown>
/** a repeated query parameter is an array */
type Texts = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

/** What is where in the HTTP request. */
export interface Parts {
  readonly params: Texts
  readonly query: Texts
  readonly headers: Texts
  readonly body: Body | undefined
}

/** JSON text, or what it stands for */
export type Body = string | { readonly value: unknown }

/** The same, as it leaves: a long text is made in pieces, while it is sent. */
export interface Outgoing extends Omit<Parts, "body"> {
  readonly body: string | Iterable<string> | undefined
}

/** How one endpoint's inputs travel. */
export interface WireInput {
  readonly hasBody: boolean
  readonly split: (input: unknown) => Either.Either<Outgoing, Invalid>
  readonly join: (parts: Parts) => Either.Either<unknown, Invalid>
  /** `/jobs/job-1/events?last_event_id=4` */
  readonly target: (parts: Pick<Parts, "params" | "query">) => string
}

/** HTTP trims the ends of header values. */
const headerText = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/
/** a lone surrogate has no percent-encoding */
const halfCharacter = /\p{Surrogate}/u

const invalid = (what: string, field: string): Invalid => rbeeError("INVALID_REQUEST", what, "", { field })

/** The JSON text in a body. */
export const bodyText = (text: string): Either.Either<string, Invalid> => {
  // what does not begin as UTF-8 was written by an editor in another encoding
  if (text.startsWith("\uFFFD")) return Either.left(rbeeError("INVALID_REQUEST", "the body is not UTF-8 text"))
  // PowerShell and Notepad begin with a byte order mark
  return Either.right(text.startsWith("\uFEFF") ? text.slice(1) : text)
}

/** V8's own message would quote the body. */
export const notJson = (): Invalid => rbeeError("INVALID_REQUEST", "the body is not valid JSON")

const parse = (text: string): Either.Either<unknown, Invalid> =>
  Either.flatMap(bodyText(text), (json) => Either.try({ try: (): unknown => JSON.parse(json), catch: notJson }))

/** The JSON object in a body. */
const parseBody = (body: Body | undefined): Either.Either<Fields, Invalid> => {
  if (body === undefined || body === "") return Either.right({})
  const parsed = typeof body === "string" ? parse(body) : Either.right(body.value)
  if (Either.isLeft(parsed)) return Either.left(parsed.left)
  const value = parsed.right
  if (!isObject(value)) return Either.left(rbeeError("INVALID_REQUEST", "the body must be a JSON object"))
  // decoding copies fields by assignment, which would set the copy's prototype
  if (Object.hasOwn(value, "__proto__")) return Either.left(invalid("unknown field __proto__", "__proto__"))
  return Either.right(value)
}

/** Do inputs travel in a body? */
export const hasBody = ({ bodied, method }: Pick<Endpoint, "method" | "bodied">): boolean =>
  method === "POST" || bodied === true

/** `["id"]` of `/jobs/:id` */
export const paramsOf = (path: string): ReadonlyArray<string> =>
  path.split("/").flatMap((segment) => (segment.startsWith(":") ? [segment.slice(1)] : []))

const jsonOfAnyLength = (value: Fields): string | Iterable<string> =>
  isLongerThan(value, pieceLength) ? jsonPieces(value) : JSON.stringify(value)

const compileSplit = (endpoint: Endpoint, params: ReadonlyArray<string>): WireInput["split"] => {
  const encode = encoderOf(endpoint.input)
  const bodiless = !hasBody(endpoint)
  const headers = Object.entries(endpoint.headers ?? {})
  // bodies that may be long say so
  const json = endpoint.maxBytes === undefined ? JSON.stringify : jsonOfAnyLength
  return (input) => {
    const encoded = encode(input)
    if (Either.isLeft(encoded)) return Either.left(explain(new ParseResult.ParseError({ issue: encoded.left })))
    // inputs are objects by declaration
    const rest: Fields = { ...(encoded.right as Fields) }
    const take = (field: string): string | undefined => {
      const value = rest[field]
      delete rest[field]
      return value === undefined ? undefined : String(value)
    }
    const halves: Array<string> = []
    const takeText = (field: string): string | undefined => {
      const value = take(field)
      if (value !== undefined && halfCharacter.test(value)) halves.push(field)
      return value
    }
    const inPath: Record<string, string> = {}
    for (const param of params) {
      const value = takeText(param)
      // an empty segment would be another route
      if (value === undefined || value === "") return Either.left(invalid(`field ${param} is missing`, param))
      inPath[param] = value
    }
    const inHeaders: Record<string, string> = {}
    for (const [header, field] of headers) {
      const value = take(field)
      if (value === undefined || value === "") continue
      if (!headerText.test(value)) return Either.left(invalid(`${field} must be plain ASCII text`, field))
      inHeaders[header] = value
    }
    const inQuery: Record<string, string> = {}
    for (const field of bodiless ? Object.keys(rest) : (endpoint.query ?? [])) {
      const value = takeText(field)
      if (value !== undefined) inQuery[field] = value
    }
    const [half] = halves
    if (half !== undefined) return Either.left(invalid(`${half} must be well-formed text`, half))
    const body = bodiless || Object.keys(rest).length === 0 ? undefined : json(rest)
    return Either.right({ params: inPath, query: inQuery, headers: inHeaders, body })
  }
}

const compileJoin = (endpoint: Endpoint, params: ReadonlyArray<string>): WireInput["join"] => {
  const strict = endpoint.strict === true
  const decode = decoderOf(endpoint.input, strict)
  const bodiless = !hasBody(endpoint)
  const headers = Object.entries(endpoint.headers ?? {})
  const query = endpoint.query ?? []
  const outside = [...params, ...query, ...headers.map(([, field]) => field)]
  return (parts) => {
    let fields: Fields
    if (bodiless) fields = { ...parts.query }
    else {
      const body = parseBody(parts.body)
      if (Either.isLeft(body)) return Either.left(body.left)
      fields = body.right
      for (const field of outside) {
        if (!Object.hasOwn(fields, field)) continue
        if (strict) return Either.left(invalid(`unknown field ${field}`, field))
        delete fields[field]
      }
      for (const field of query) if (parts.query[field] !== undefined) fields[field] = parts.query[field]
    }
    for (const [header, field] of headers) {
      const value = parts.headers[header]
      if (value !== undefined && value !== "") fields[field] = value
    }
    for (const param of params) fields[param] = parts.params[param]
    const decoded = decode(fields)
    return Either.isRight(decoded)
      ? Either.right(decoded.right)
      : Either.left(explain(new ParseResult.ParseError({ issue: decoded.left })))
  }
}

const compileTarget = (endpoint: Endpoint): WireInput["target"] => {
  const segments = endpoint.path.split("/")
  return (parts) => {
    const path = segments
      .map((segment) =>
        segment.startsWith(":") ? encodeURIComponent(String(parts.params[segment.slice(1)])) : segment
      )
      .join("/")
    const query = Object.entries(parts.query).map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
    return query.length === 0 ? path : `${path}?${query.join("&")}`
  }
}

export const compileInput = (endpoint: Endpoint): WireInput => {
  const params = paramsOf(endpoint.path)
  return {
    hasBody: hasBody(endpoint),
    split: compileSplit(endpoint, params),
    join: compileJoin(endpoint, params),
    target: compileTarget(endpoint)
  }
}
