/** Messages as Anthropic's clients send them, and what a job makes of them: text, and a tool's calls and results. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../formats/json/decode.ts"
import { type RbeeError, rbeeError } from "../../errors.ts"
import type { ChatMessage, ToolCall } from "../conversation.ts"
import { fetched, joinedParts } from "../../formats/images.ts"
import { isObject } from "../../formats/json/is-object.ts"
import { unsupported } from "../openai/fields.ts"
import { maybe } from "../openai/messages.ts"

/** Of a tool's result. */
const Piece = Schema.Struct({ type: Schema.String, text: maybe(Schema.String), tool_name: maybe(Schema.String) })
type Piece = typeof Piece.Type

/** One of all kinds: what is not text, a call or a result is refused by its name, or left out where it says nothing. */
export const Block = Schema.Struct({
  ...Piece.fields,
  thinking: maybe(Schema.String),
  /** of a call */
  id: maybe(Schema.String),
  name: maybe(Schema.String),
  input: maybe(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  /** of a result */
  tool_use_id: maybe(Schema.String),
  // of other kinds it may be anything
  content: maybe(Schema.Unknown),
  /** of an image */
  source: maybe(Schema.Unknown),
  is_error: maybe(Schema.Boolean)
})
type Block = typeof Block.Type

export const System = Schema.Union(Schema.String, Schema.Array(Piece))

export const AnthropicMessage = Schema.Struct({
  role: Schema.Literal("user", "assistant", "system"),
  content: Schema.Union(Schema.String, Schema.Array(Block))
})
type AnthropicMessage = typeof AnthropicMessage.Type

type Refused = RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">
type Result<A> = Either.Either<A, Refused>

export interface Decoded {
  readonly messages: ReadonlyArray<ChatMessage>
  /** kinds of blocks that were left out */
  readonly ignored: ReadonlyArray<string>
}

export const chatMessages = (
  system: typeof System.Type | undefined,
  messages: ReadonlyArray<AnthropicMessage>
): Result<Decoded> =>
  Either.gen(function* () {
    const first = system === undefined ? "" : yield* textOf(system, "system")
    const ignored = new Set<string>()
    const rest = yield* Either.all(
      messages.map((message, index) => chatMessage(message, `messages[${index}].content`, ignored))
    )
    return {
      messages: [...(first === "" ? [] : [{ role: "system" as const, content: first }]), ...rest.flat()],
      ignored: [...ignored]
    }
  })

const chatMessage = (
  { content, role }: AnthropicMessage,
  at: string,
  ignored: Set<string>
): Result<ReadonlyArray<ChatMessage>> => {
  if (typeof content === "string") return Either.right([{ role, content }])
  if (role === "assistant") return Either.map(assistant(content, at, ignored), (message) => [message])
  return Either.gen(function* () {
    const results: Array<ChatMessage> = []
    const parts: Array<string | { readonly data: string }> = []
    for (const [index, block] of content.entries()) {
      const place = `${at}[${index}]`
      if (block.type === "tool_result") results.push(yield* toolResult(block, place))
      else if (block.type === "image") parts.push(yield* imageIn(block.source, `${place}.source`))
      else parts.push(yield* pieceText(block, place))
    }
    // what tools gave comes before what is said of it, as after their calls nothing else may
    return parts.length === 0 && results.length > 0
      ? results
      : [...results, { role, ...joinedParts(parts, betweenBlocks) }]
  })
}

const imageIn = (source: unknown, at: string): Result<{ readonly data: string }> => {
  const { data, type } = isObject(source) ? source : {}
  if (type === "base64" && typeof data === "string") return Either.right({ data })
  return Either.left(type === "url" ? fetched(at) : invalid(`${at} must be of type base64, with data`, at))
}

/** What it said, thought and called. */
const assistant = (content: ReadonlyArray<Block>, at: string, ignored: Set<string>): Result<ChatMessage> =>
  Either.gen(function* () {
    const texts: Array<string> = []
    const thoughts: Array<string> = []
    const calls: Array<ToolCall> = []
    for (const [index, block] of content.entries()) {
      const place = `${at}[${index}]`
      if (block.type === "text") texts.push(yield* pieceText(block, place))
      else if (block.type === "thinking") thoughts.push(block.thinking ?? "")
      else if (block.type === "tool_use") calls.push(yield* toolUse(block, place))
      // what it thought elsewhere, sealed, and what others' tools did there: nothing that can be told here
      else if (block.type === "redacted_thinking" || isServersOwn(block.type))
        ignored.add(`messages.content.${block.type}`)
      else return yield* Either.left(otherKind(block.type, place))
    }
    const reasoning = thoughts.join(betweenBlocks)
    return {
      role: "assistant" as const,
      content: texts.join(""),
      ...(reasoning === "" ? {} : { reasoning }),
      ...(calls.length === 0 ? {} : { tool_calls: calls })
    }
  })

/** Each is a text of its own. */
const betweenBlocks = "\n\n"

const isServersOwn = (type: string): boolean =>
  type === "server_tool_use" || (type !== "tool_result" && type.endsWith("_tool_result"))

const toolUse = ({ id, input = {}, name }: Block, at: string): Result<ToolCall> =>
  name === undefined ? Either.left(missing(`${at}.name`)) : Either.right({ id: id ?? "", name, arguments: input })

const decodePieces = decoder(Schema.Union(Schema.String, Schema.Array(Piece)))

const toolResult = ({ content = "", is_error, tool_use_id }: Block, at: string): Result<ChatMessage> =>
  Either.gen(function* () {
    if (tool_use_id === undefined) return yield* Either.left(missing(`${at}.tool_use_id`))
    const place = `${at}.content`
    const pieces = yield* Either.mapLeft(decodePieces(content), () => invalid(`${place} must be text or blocks`, place))
    const text = yield* textOf(pieces, place)
    // the model is told so: a result has no other place for it
    return { role: "tool" as const, content: is_error === true ? `Error: ${text}` : text, tool_call_id: tool_use_id }
  })

const textOf = (content: string | ReadonlyArray<Piece>, at: string): Result<string> =>
  typeof content === "string"
    ? Either.right(content)
    : Either.map(Either.all(content.map((piece, index) => pieceText(piece, `${at}[${index}]`))), (texts) =>
        texts.join(betweenBlocks)
      )

const pieceText = ({ text, tool_name, type }: Piece, at: string): Result<string> => {
  // a tool that was found is told by its name: all are in the prompt
  if (type === "tool_reference") return Either.right(tool_name ?? "")
  if (type !== "text") return Either.left(otherKind(type, at))
  return text === undefined ? Either.left(missing(`${at}.text`)) : Either.right(text)
}

const otherKind = (type: string, at: string): Refused => {
  const kind = /^[a-z_]{1,32}$/.test(type) ? type : "another"
  return unsupported(at, `${at} is of type ${kind}, which is not supported here`)
}

const missing = (field: string): Refused => invalid(`field ${field} is missing`, field)

const invalid = (what: string, field: string): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", what, "", { field })
