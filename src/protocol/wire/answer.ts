/** Answers of an endpoint as text, and as values again. */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as AST from "effect/SchemaAST"
import type { Answer, Answers, EventFeed, EventsAnswer, WireSchema } from "../answers.ts"
import type { Endpoint } from "../endpoint.ts"
import type { Framing } from "../surfaces/surface.ts"
import { decoderOf, encoderOf } from "./codec.ts"

/** A body on its way. */
export interface WireBody {
  readonly _tag: "Body"
  readonly status: number
  /** of the text; JSON has `application/json`; empty where there is no body */
  readonly type: string
  /** absent: none */
  readonly body: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** What came in; its headers are all that there were, in lower case. */
export type Received = (Omit<WireBody, "headers"> | Omit<EventsAnswer, "headers">) & {
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string> | undefined>> | undefined
}

export interface WireAnswer {
  /** media types that it answers in */
  readonly accepts: string
  /** how its stream is written, if it may answer with one */
  readonly streams: Framing | undefined
  /** What leaves for a handler's output. Throws if that is not what the endpoint declares. */
  readonly encodeAnswer: (output: unknown) => WireBody | EventsAnswer
  /** The output behind it; undefined if it is not what the endpoint declares. */
  readonly decodeAnswer: (received: Received) => { readonly output: unknown } | undefined
  /** The same output with its feed changed, if it has one. */
  readonly withFeed: (output: unknown, change: (feed: EventFeed) => EventFeed) => unknown
}

interface JsonCodec {
  readonly encode: (value: unknown) => string | undefined
  readonly decode: (text: string | undefined) => { readonly value: unknown } | undefined
}

const json = "application/json"

/** The one form that an endpoint answers in, whose outputs stand for themselves; undefined where there are several. */
const formOf = (
  answers: Answers,
  stream: string
): { readonly tag: Answer["_tag"]; readonly status: number; readonly type: string } | undefined => {
  const [first, ...more] = [
    ...Object.keys(answers.json ?? {}).map((status) => ({ tag: "Json" as const, status: Number(status), type: json })),
    ...Object.entries(answers.text ?? {}).flatMap(([status, types]) =>
      (typeof types === "string" ? [types] : types).map((type) => ({
        tag: "Text" as const,
        status: Number(status),
        type
      }))
    ),
    ...(answers.events === undefined ? [] : [{ tag: "Events" as const, status: 200, type: stream }])
  ]
  return more.length === 0 && answers.headed !== true ? first : undefined
}

/** What a client says it takes, where an endpoint has several forms. */
const anyOf = ({ events, json: bodies, text }: Answers, stream: string): string =>
  events === undefined || bodies === undefined || text !== undefined ? "*/*" : `${json}, ${stream}`

export const compileAnswer = ({ answers, sends, surface, tells = [] }: Endpoint): WireAnswer => {
  const form = formOf(answers, surface.framing.type)
  const codecs = new Map(
    Object.entries(answers.json ?? {}).map(([status, schema]) => [Number(status), codecOf(schema)])
  )
  const typesAt = (status: number): ReadonlyArray<string> => {
    const types = answers.text?.[status]
    return types === undefined || typeof types !== "string" ? (types ?? []) : [types]
  }

  /** A handler's output says what it is, or stands for the only thing that it can be. */
  const told = (output: unknown): Answer => {
    // the types of `Handlers` say so (OutputOf)
    if (form === undefined) return output as Answer
    if (form.tag === "Json") return { _tag: "Json", status: form.status, body: output }
    if (form.tag === "Events") return { _tag: "Events", feed: output as EventFeed }
    return { _tag: "Text", status: form.status, type: form.type, body: String(output) }
  }
  const untold = (answer: Answer): unknown => {
    if (form === undefined) return answer
    return answer._tag === "Events" ? answer.feed : answer.body
  }

  /** What a client is told beside the body, of what the endpoint says it may tell. */
  const headersIn = ({ headers = {} }: Received): Pick<Answer, "headers"> => {
    const own = tells.flatMap((name) => {
      const value = headers[name] ?? headers[name.toLowerCase()]
      return typeof value === "string" ? [[name, value] as const] : []
    })
    return own.length === 0 ? {} : { headers: Object.fromEntries(own) }
  }

  const encodeAnswer: WireAnswer["encodeAnswer"] = (output) => {
    const answer = told(output)
    const headers = sends === undefined ? answer.headers : { ...sends, ...answer.headers }
    if (answer._tag === "Events") {
      if (answers.events === undefined) throw new TypeError("this endpoint has no stream")
      return headers === undefined ? answer : { ...answer, headers }
    }
    const { status } = answer
    if (answer._tag === "Text") {
      if (!typesAt(status).includes(answer.type))
        throw new TypeError(`this endpoint has no ${answer.type} of ${status}`)
      return { _tag: "Body", status, type: answer.type, body: answer.body, headers }
    }
    const codec = codecs.get(status)
    if (codec === undefined) throw new TypeError(`this endpoint has no answer of ${status}`)
    return { _tag: "Body", status, type: json, body: status === 204 ? undefined : codec.encode(answer.body), headers }
  }

  const decodeAnswer: WireAnswer["decodeAnswer"] = (received) => {
    const answer = (): Answer | undefined => {
      if (received._tag === "Events")
        return answers.events === undefined
          ? undefined
          : { ...headersIn(received), _tag: "Events", feed: received.feed }
      const { body, status, type } = received
      const codec = codecs.get(status)
      if (codec !== undefined && (type === "" || type.startsWith(json))) {
        const decoded = codec.decode(body)
        return decoded && { _tag: "Json", status, body: decoded.value, ...headersIn(received) }
      }
      const text = typesAt(status).find((one) => mediaType(one) === mediaType(type))
      return text === undefined
        ? undefined
        : { _tag: "Text", status, type: text, body: body ?? "", ...headersIn(received) }
    }
    const found = answer()
    return found && { output: untold(found) }
  }

  return {
    accepts: form === undefined ? anyOf(answers, surface.framing.type) : mediaType(form.type),
    streams: answers.events === undefined ? undefined : surface.framing,
    encodeAnswer,
    decodeAnswer,
    withFeed: (output, change) => {
      if (answers.events === undefined) return output
      const answer = told(output)
      return answer._tag === "Events" ? untold({ ...answer, feed: change(answer.feed) }) : output
    }
  }
}

/** Without its parameters. */
const mediaType = (type: string): string => type.split(";", 1)[0] ?? ""

const codecOf = (schema: WireSchema): JsonCodec => {
  const encode = encoderOf(schema)
  const decode = decoderOf(schema, false)
  /** what an answer without a body stands for */
  const empty = () => (Either.isRight(decode(undefined)) ? undefined : null)
  return {
    encode: (value) => {
      const encoded = encode(value)
      if (Either.isLeft(encoded)) throw new ParseResult.ParseError({ issue: encoded.left })
      // Void accepts every value; what a handler happens to return must not go out
      return AST.isVoidKeyword(schema.ast) ? undefined : JSON.stringify(encoded.right)
    },
    decode: (text) => {
      let value: unknown
      try {
        value = text === undefined || text === "" ? empty() : JSON.parse(text)
      } catch {
        return undefined
      }
      const decoded = decode(value)
      return Either.isRight(decoded) ? { value: decoded.right } : undefined
    }
  }
}
