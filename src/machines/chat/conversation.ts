/** What was said so far, by whom, and to which model: what the next question is asked with, and what a file keeps. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../formats/json/decode.ts"
import { type AnswerMessage, ChatMessage } from "../vocabulary/conversation.ts"

export interface Chat {
  readonly model: string
  readonly system?: string
  readonly turns: ReadonlyArray<ChatMessage>
}

/** What the model is asked: all that was said, and the question. */
export const asked = ({ system, turns }: Chat, question: string): [ChatMessage, ...Array<ChatMessage>] => {
  const user = { role: "user" as const, content: question }
  if (system !== undefined) return [{ role: "system", content: system }, ...turns, user]
  const [first, ...rest] = turns
  return first === undefined ? [user] : [first, ...rest, user]
}

export type Answer = Pick<AnswerMessage, "content" | "reasoning">

/**
 * After an answer, whole or stopped. A question to which nothing was said is forgotten: many templates refuse two
 * questions in a row.
 */
export const answered = (chat: Chat, question: string, { content, reasoning }: Answer): Chat =>
  content === ""
    ? chat
    : {
        ...chat,
        turns: [
          ...chat.turns,
          { role: "user", content: question },
          { role: "assistant", content, ...(reasoning === undefined ? {} : { reasoning }) }
        ]
      }

/** The same model and system prompt, and nothing said. */
export const cleared = (chat: Chat): Chat => ({ ...chat, turns: [] })

const kept = () =>
  Schema.Struct({ model: Schema.optional(Schema.String), messages: Schema.Array(ChatMessage) }).annotations({
    identifier: "a conversation"
  })

export const saved = ({ model, system, turns }: Chat): string => {
  const messages = [...(system === undefined ? [] : [{ role: "system", content: system }]), ...turns]
  return `${JSON.stringify({ model, messages }, undefined, 2)}\n`
}

/** A conversation from a file, of ours or a list of messages alone; `chat` tells the model where it does not. */
export const loaded = (chat: Chat, text: string): Either.Either<Chat, string> => {
  const parsed = Either.try({ try: (): unknown => JSON.parse(text), catch: () => "it is no JSON" })
  const decoded = Either.flatMap(parsed, (value) =>
    Either.mapLeft(
      decoder(kept())(Array.isArray(value) ? { messages: value } : value),
      () => "it has no list of `messages`, each with `role` and `content`"
    )
  )
  return Either.flatMap(decoded, ({ messages, model }) => {
    const [first, ...rest] = messages
    const system = first?.role === "system" ? first.content : undefined
    const turns = system === undefined ? messages : rest
    const question = turns.findIndex(({ role }) => role !== "assistant")
    if (turns.length > 0 && question !== 0) return Either.left("its first message is no question")
    if (turns.at(-1)?.role === "user") return Either.left("its last message is a question without an answer")
    return Either.right({ model: model ?? chat.model, ...(system === undefined ? {} : { system }), turns })
  })
}
