/** Messages as Ollama's clients send them: a call may have no id, and a result may not say whose it is. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { RbeeError } from "../../errors.ts"
import type { ChatMessage } from "../conversation.ts"
import { unsupported } from "../openai/fields.ts"
import { maybe } from "../openai/messages.ts"

const Called = Schema.Struct({
  id: maybe(Schema.String),
  type: maybe(Schema.String),
  function: Schema.Struct({
    index: maybe(Schema.Number),
    name: Schema.String,
    description: maybe(Schema.String),
    arguments: maybe(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
  })
})

export const OllamaMessage = Schema.Struct({
  role: Schema.Literal("system", "user", "assistant", "tool"),
  content: maybe(Schema.String),
  thinking: maybe(Schema.String),
  images: maybe(Schema.Array(Schema.Unknown)),
  tool_calls: maybe(Schema.Array(Called)),
  tool_name: maybe(Schema.String),
  tool_call_id: maybe(Schema.String)
})
type OllamaMessage = typeof OllamaMessage.Type

type Call = NonNullable<ChatMessage["tool_calls"]>[number]

/** Calls that have no result yet, the oldest first. */
class Unanswered {
  private calls: ReadonlyArray<Call> = []
  private made = 0

  /** Models expect 9 letters and digits. */
  id(): string {
    return `call${String(this.made++).padStart(5, "0")}`
  }

  called(calls: ReadonlyArray<Call>): void {
    this.calls = calls
  }

  /** The call that a result answers: the one that it names, else the next. */
  answered({ tool_call_id, tool_name }: OllamaMessage): Pick<Call, "id" | "name"> | undefined {
    const named = this.calls.find(({ id, name }) =>
      tool_call_id === undefined ? name === tool_name : id === tool_call_id
    )
    const call = named ?? (tool_call_id === undefined && tool_name === undefined ? this.calls[0] : undefined)
    this.calls = this.calls.filter((other) => other !== call)
    return call
  }
}

export const ollamaMessages = (
  messages: ReadonlyArray<OllamaMessage>
): Either.Either<ReadonlyArray<ChatMessage>, RbeeError<"UNSUPPORTED_PARAMETER">> => {
  const unanswered = new Unanswered()
  return Either.all(
    messages.map((message, index) => {
      const { images = [] } = message
      return images.length > 0
        ? Either.left(unsupported(`messages[${index}].images`))
        : Either.right(chatMessage(message, unanswered))
    })
  )
}

const chatMessage = (message: OllamaMessage, unanswered: Unanswered): ChatMessage => {
  const { content = "", role, thinking, tool_call_id, tool_calls = [], tool_name } = message
  if (role === "tool") {
    const call = unanswered.answered(message)
    const id = tool_call_id ?? call?.id
    const name = tool_name ?? call?.name
    return {
      role,
      content,
      ...(name === undefined ? {} : { name }),
      ...(id === undefined ? {} : { tool_call_id: id })
    }
  }
  const calls = tool_calls.map(({ function: called, id }) => ({
    id: id === undefined || id === "" ? unanswered.id() : id,
    name: called.name,
    arguments: called.arguments ?? {}
  }))
  unanswered.called(calls)
  return {
    role,
    content,
    ...(thinking === undefined || thinking === "" ? {} : { reasoning: thinking }),
    ...(calls.length === 0 ? {} : { tool_calls: calls })
  }
}

/** Fields of messages that nobody has published: `messages.name`. */
export const ignoredInMessages = (messages: unknown): ReadonlyArray<string> => {
  const all: ReadonlyArray<unknown> = Array.isArray(messages) ? messages : []
  const names = all.flatMap((message) => (typeof message === "object" && message !== null ? Object.keys(message) : []))
  return [...new Set(names)]
    .filter((name) => !Object.hasOwn(OllamaMessage.fields, name))
    .map((name) => `messages.${name}`)
}
