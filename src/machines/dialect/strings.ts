/** The strings in what a client wrote, names and keys included. */
import type { Conversation } from "../vocabulary/conversation.ts"

export const mapStrings = (value: unknown, map: (text: string) => string): unknown => {
  if (typeof value === "string") return map(value)
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, map))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [map(key), mapStrings(one, map)]))
}

export const eachString = (value: unknown, tell: (text: string) => void): void => {
  if (typeof value === "string") tell(value)
  else if (Array.isArray(value)) for (const item of value) eachString(item, tell)
  else if (typeof value === "object" && value !== null)
    for (const [key, one] of Object.entries(value)) {
      tell(key)
      eachString(one, tell)
    }
}

type Said = Pick<Conversation, "messages" | "tools" | "tool_choice">

/** What of a conversation any template writes: its texts, calls and tools. Reasoning of old is mostly left out. */
export const eachSaid = ({ messages, tool_choice, tools = [] }: Said, tell: (text: string) => void): void => {
  for (const { content, tool_calls = [] } of messages) {
    tell(content)
    for (const call of tool_calls) {
      tell(call.name)
      eachString(call.arguments, tell)
    }
  }
  if (tool_choice === "none") return
  for (const { description = "", name, parameters } of tools) {
    tell(name)
    tell(description)
    eachString(parameters, tell)
  }
}
