/** Messages as Ollama's clients send them: a call may have no id, and a result may not say whose it is. */
import * as Schema from "effect/Schema"
import type { ChatMessage } from "../conversation.ts"
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
  images: maybe(Schema.Array(Schema.String)),
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

export const ollamaMessages = (messages: ReadonlyArray<OllamaMessage>): ReadonlyArray<ChatMessage> => {
  const unanswered = new Unanswered()
  return messages.map((message) => chatMessage(message, unanswered))
}

/** They come before what is said of them. */
export const before = (images: ReadonlyArray<string> = []): Pick<ChatMessage, "images"> =>
  images.length === 0 ? {} : { images: images.map((data) => ({ at: 0, data })) }

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
    ...before(message.images),
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
