/** Messages as OpenAI's clients send them, and what a job makes of them: text, and a tool's calls and results. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { type RbeeError, rbeeError } from "../../errors.ts"
import { argumentsIn, type ChatMessage, type ToolCall } from "../conversation.ts"
import { dataIn, fetched, joinedParts } from "../../formats/images.ts"
import { unsupported } from "./fields.ts"
import { isObject } from "../../formats/json/is-object.ts"

/** Absent and null mean the same. */
export const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { nullable: true })

/** `text` and `refusal` are text; `image_url` is an image; others are sound and files, which are refused by their name. */
const Part = Schema.Struct({
  type: Schema.String,
  text: maybe(Schema.String),
  refusal: maybe(Schema.String),
  // of other types it may be anything
  image_url: maybe(Schema.Unknown)
})
type Part = typeof Part.Type

const Called = Schema.Struct({
  name: Schema.String,
  /** JSON text by OpenAI's book; some clients send the object itself */
  arguments: maybe(Schema.Union(Schema.String, Schema.Record({ key: Schema.String, value: Schema.Unknown })))
})

export const OpenAiMessage = Schema.Struct({
  role: Schema.Literal("system", "developer", "user", "assistant", "tool", "function"),
  content: Schema.optional(Schema.NullOr(Schema.Union(Schema.String, Schema.Array(Part)))),
  name: maybe(Schema.String),
  tool_call_id: maybe(Schema.String),
  tool_calls: maybe(
    Schema.Array(Schema.Struct({ id: maybe(Schema.String), type: maybe(Schema.String), function: maybe(Called) }))
  ),
  function_call: maybe(Called),
  refusal: maybe(Schema.String),
  audio: maybe(Schema.Unknown),
  reasoning_content: maybe(Schema.String),
  reasoning: maybe(Schema.String)
})
type OpenAiMessage = typeof OpenAiMessage.Type

/** It says something and no more, as most do: of thousands each takes a moment, and such ones need no schema. */
export const isPlain = (message: unknown): message is OpenAiMessage & { readonly content: string } =>
  isObject(message) &&
  Object.keys(message).length === 2 &&
  typeof message["content"] === "string" &&
  typeof message["role"] === "string" &&
  Object.hasOwn(roles, message["role"])

type Refused = RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">

export const chatMessages = (
  messages: ReadonlyArray<OpenAiMessage>
): Either.Either<ReadonlyArray<ChatMessage>, Refused> =>
  Either.all(messages.map((message, index) => chatMessage(message, `messages[${index}]`)))

const chatMessage = (message: OpenAiMessage, at: string): Either.Either<ChatMessage, Refused> =>
  isPlain(message) ? Either.right({ role: roles[message.role], content: message.content }) : fullMessage(message, at)

const fullMessage = (message: OpenAiMessage, at: string): Either.Either<ChatMessage, Refused> =>
  Either.gen(function* () {
    const { audio, content, name, reasoning, reasoning_content, refusal, tool_call_id } = message
    if (audio !== undefined) return yield* Either.left(unsupported(`${at}.audio`))
    // only who called a tool may have said nothing
    if (content === undefined && message.role !== "assistant")
      return yield* Either.left(invalid(`field ${at}.content is missing`, `${at}.content`))
    const said = yield* saidIn(content ?? refusal ?? "", `${at}.content`)
    const calls = yield* callsOf(message, at)
    const thought = reasoning_content ?? reasoning
    return {
      role: roles[message.role],
      ...said,
      ...(name === undefined ? {} : { name }),
      ...(thought === undefined ? {} : { reasoning: thought }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
      ...(tool_call_id === undefined ? {} : { tool_call_id })
    }
  })

/** `developer` and `function` are other names of older and newer versions. */
const roles = {
  system: "system",
  developer: "system",
  user: "user",
  assistant: "assistant",
  tool: "tool",
  function: "tool"
} as const

/** Parts as one text: some templates drop a list of them without a word. */
const saidIn = (
  content: string | ReadonlyArray<Part>,
  at: string
): Either.Either<Pick<ChatMessage, "content" | "images">, Refused> =>
  typeof content === "string"
    ? Either.right({ content })
    : Either.map(Either.all(content.map((part, index) => partOf(part, `${at}[${index}]`))), (parts) =>
        joinedParts(parts)
      )

const partOf = (part: Part, at: string): Either.Either<string | { readonly data: string }, Refused> => {
  const { refusal, text, type } = part
  if (type === "image_url") return imageOf(part.image_url, `${at}.image_url`)
  if (type !== "text" && type !== "refusal") {
    const kind = /^[a-z_]{1,32}$/.test(type) ? type : "another"
    return Either.left(unsupported(at, `${at} is of type ${kind}; only text and images are supported`))
  }
  const own = type === "text" ? text : refusal
  return own === undefined ? Either.left(invalid(`field ${at}.${type} is missing`, `${at}.${type}`)) : Either.right(own)
}

/** By its url, as it is or in an object. */
export const imageOf = (given: unknown, at: string): Either.Either<{ readonly data: string }, Refused> => {
  const url = isObject(given) ? given["url"] : given
  if (typeof url !== "string") return Either.left(invalid(`field ${at} is missing`, at))
  const data = dataIn(url)
  return data === undefined ? Either.left(fetched(at)) : Either.right({ data })
}

/** Templates want the object, which they write as their model was taught. */
const callsOf = (
  { function_call, tool_calls = [] }: OpenAiMessage,
  at: string
): Either.Either<ReadonlyArray<ToolCall>, Refused> => {
  const old = function_call === undefined ? [] : [{ id: undefined, type: undefined, function: function_call }]
  return Either.all(
    [...tool_calls, ...old].map(({ function: called, id, type = "function" }, index) => {
      const place = `${at}.tool_calls[${index}]`
      if (type !== "function" || called === undefined)
        return Either.left(unsupported(place, `${place} is not the call of a function; others are not supported`))
      const { arguments: given = "", name } = called
      return Either.right({ id: id ?? "", name, arguments: typeof given === "string" ? argumentsIn(given) : given })
    })
  )
}

const invalid = (what: string, field: string): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", what, "", { field })

/** beside those of the schema: what parts of other types carry, which are refused anyway, and what is harmless */
const partFields = new Set(["input_audio", "file"])

const objectsIn = (value: unknown): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  Array.isArray(value) ? value.filter(isObject) : []

/** Fields of messages and their parts that nobody has published: `messages.content.cache_control`. */
export const ignoredInMessages = (messages: unknown): ReadonlyArray<string> => {
  const found = new Set<string>()
  for (const message of objectsIn(messages)) {
    for (const key of Object.keys(message)) if (!Object.hasOwn(OpenAiMessage.fields, key)) found.add(`messages.${key}`)
    for (const part of objectsIn(message["content"]))
      for (const key of Object.keys(part))
        if (!Object.hasOwn(Part.fields, key) && !partFields.has(key)) found.add(`messages.content.${key}`)
  }
  return [...found]
}
