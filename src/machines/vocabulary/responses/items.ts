/** Items as OpenAI's clients send them for a response, and what a job makes of them. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../formats/json/decode.ts"
import { type RbeeError, rbeeError } from "../../errors.ts"
import { argumentsIn, type ChatMessage, type ToolCall } from "../conversation.ts"
import { unsupported } from "../openai/fields.ts"
import { joinedParts } from "../../formats/images.ts"
import { imageOf, maybe } from "../openai/messages.ts"

/** One of all kinds: those that are not served are left out, or refused by their name. */
export const Item = Schema.Struct({
  type: maybe(Schema.String),
  id: maybe(Schema.String),
  role: maybe(Schema.String),
  call_id: maybe(Schema.String),
  name: maybe(Schema.String),
  arguments: maybe(Schema.Unknown),
  // of other kinds they may be anything
  content: maybe(Schema.Unknown),
  output: maybe(Schema.Unknown),
  summary: maybe(Schema.Unknown),
  encrypted_content: maybe(Schema.String)
})
export type Item = typeof Item.Type

const Part = Schema.Struct({
  type: Schema.String,
  text: maybe(Schema.String),
  refusal: maybe(Schema.String),
  // of other types it may be anything
  image_url: maybe(Schema.Unknown)
})
const decodeParts = decoder(Schema.Union(Schema.String, Schema.Array(Part)))

type Refused = RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">
type Result<A> = Either.Either<A, Refused>

export interface Decoded {
  readonly messages: ReadonlyArray<ChatMessage>
  /** kinds of items that were left out */
  readonly ignored: ReadonlyArray<string>
}

/** What a client keeps of thoughts without reading them begins so. */
export const seal = "rbee:"

interface Turn {
  content: string
  reasoning: string
  readonly calls: Array<ToolCall>
}

/** An assistant's items that follow each other are one message of its; `at` is where they stand in the request. */
export const messagesOf = (items: ReadonlyArray<Item>, at = "input"): Result<Decoded> =>
  Either.gen(function* () {
    const messages: Array<ChatMessage> = []
    const ignored = new Set<string>()
    let turn: Turn | undefined
    const flush = (): void => {
      if (turn !== undefined) messages.push(messageOf(turn))
      turn = undefined
    }
    /** `begins`: where something was said already, that was another message */
    const open = (begins: boolean): Turn => {
      if (begins && turn !== undefined && (turn.content !== "" || turn.calls.length > 0)) flush()
      turn ??= { content: "", reasoning: "", calls: [] }
      return turn
    }
    for (const [index, item] of items.entries()) {
      const place = `${at}[${index}]`
      const { role, type = "message" } = item
      if (type === "reasoning") open(true).reasoning += yield* thoughtOf(item, place)
      else if (type === "function_call") open(false).calls.push(yield* callOf(item, place))
      else if (type === "message" && role === "assistant")
        open(true).content += yield* textOf(item.content, `${place}.content`)
      else if (type === "message") {
        flush()
        messages.push({ role: yield* roleOf(role, place), ...(yield* saidIn(item.content, `${place}.content`)) })
      } else if (type === "function_call_output") {
        flush()
        messages.push(yield* resultOf(item, place))
      } else if (type === "item_reference")
        return yield* Either.left(invalid(`${place} refers to an item that is not here: send the item itself`, place))
      else ignored.add(`input.${type}`)
    }
    flush()
    return { messages, ignored: [...ignored] }
  })

const messageOf = ({ calls, content, reasoning }: Turn): ChatMessage => ({
  role: "assistant",
  content,
  ...(reasoning === "" ? {} : { reasoning }),
  ...(calls.length === 0 ? {} : { tool_calls: calls })
})

const roles: Readonly<Record<string, "system" | "user">> = { system: "system", developer: "system", user: "user" }

const roleOf = (role: string | undefined, at: string): Result<"system" | "user"> => {
  const known = role === undefined ? undefined : roles[role]
  return known === undefined
    ? Either.left(invalid(`${at}.role must be one of user, assistant, system, developer`, `${at}.role`))
    : Either.right(known)
}

const callOf = ({ arguments: given = "", call_id, name }: Item, at: string): Result<ToolCall> => {
  if (name === undefined) return Either.left(missing(`${at}.name`))
  const text = typeof given === "string" ? given : JSON.stringify(given)
  return Either.right({ id: call_id ?? "", name, arguments: argumentsIn(text) })
}

const resultOf = ({ call_id, output }: Item, at: string): Result<ChatMessage> =>
  call_id === undefined
    ? Either.left(missing(`${at}.call_id`))
    : Either.map(textOf(output, `${at}.output`), (content) => ({ role: "tool", content, tool_call_id: call_id }))

/** As it is, as a summary, or as its client kept it. */
const thoughtOf = ({ content = [], encrypted_content, summary = [] }: Item, at: string): Result<string> =>
  Either.gen(function* () {
    const own = yield* textOf(content, `${at}.content`)
    if (own !== "") return own
    const told = yield* textOf(summary, `${at}.summary`)
    if (told !== "") return told
    return encrypted_content?.startsWith(seal) === true ? encrypted_content.slice(seal.length) : ""
  })

const partsOf = (content: unknown, at: string): Result<string | ReadonlyArray<typeof Part.Type>> =>
  content === undefined
    ? Either.left(missing(at))
    : Either.mapLeft(decodeParts(content), () => invalid(`${at} must be text or parts`, at))

const textOf = (content: unknown, at: string): Result<string> =>
  Either.gen(function* () {
    const parts = yield* partsOf(content, at)
    if (typeof parts === "string") return parts
    const texts = yield* Either.all(parts.map((part, index) => partText(part, `${at}[${index}]`)))
    return texts.join("")
  })

/** What a person says may have images in it. */
const saidIn = (content: unknown, at: string): Result<Pick<ChatMessage, "content" | "images">> =>
  Either.gen(function* () {
    const parts = yield* partsOf(content, at)
    if (typeof parts === "string") return { content: parts }
    const place = (index: number) => `${at}[${index}]`
    const all = parts.map((part, index) =>
      part.type === "input_image" ? imageOf(part.image_url, `${place(index)}.image_url`) : partText(part, place(index))
    )
    return joinedParts(yield* Either.all(all))
  })

const textKinds = new Set(["input_text", "output_text", "text", "reasoning_text", "summary_text", "refusal"])

const partText = ({ refusal, text, type }: typeof Part.Type, at: string): Result<string> => {
  const kind = /^[a-z_]{1,32}$/.test(type) ? type : "another"
  if (!textKinds.has(type))
    return Either.left(unsupported(at, `${at} is of type ${kind}; only text and images are supported`))
  const own = text ?? refusal
  return own === undefined ? Either.left(missing(`${at}.text`)) : Either.right(own)
}

const missing = (field: string): Refused => invalid(`field ${field} is missing`, field)

const invalid = (what: string, field: string): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", what, "", { field })
