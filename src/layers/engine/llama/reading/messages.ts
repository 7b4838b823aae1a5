/** A job's messages as chat templates know them, and what to do where a template does not know tools. */
import type { ChatMessage } from "../../index.ts"

/** What a template reads; `arguments` is an object, which a third of all templates refuse as text. */
export interface TemplateMessage {
  readonly role: ChatMessage["role"]
  readonly content: string
  readonly name?: string
  readonly reasoning_content?: string
  readonly tool_call_id?: string
  readonly tool_calls?: ReadonlyArray<{
    readonly id: string
    readonly type: "function"
    readonly function: { readonly name: string; readonly arguments: unknown }
  }>
}

/** `clean` is applied to every string that a client wrote, names and keys included. */
export const templateMessage = (message: ChatMessage, clean: (text: string) => string): TemplateMessage => {
  const { content, name, reasoning, role, tool_call_id, tool_calls } = message
  return {
    role,
    content: clean(content),
    ...(name === undefined ? {} : { name: clean(name) }),
    ...(reasoning === undefined ? {} : { reasoning_content: clean(reasoning) }),
    ...(tool_call_id === undefined ? {} : { tool_call_id: clean(tool_call_id) }),
    ...(tool_calls === undefined
      ? {}
      : {
          tool_calls: tool_calls.map((call) => ({
            id: clean(call.id),
            type: "function" as const,
            function: { name: clean(call.name), arguments: cleaned(call.arguments, clean) }
          }))
        })
  }
}

const cleaned = (value: unknown, clean: (text: string) => string): unknown => {
  if (typeof value === "string") return clean(value)
  if (Array.isArray(value)) return value.map((item) => cleaned(item, clean))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [clean(key), cleaned(one, clean)]))
}

export const hasTools = (messages: ReadonlyArray<TemplateMessage>): boolean =>
  messages.some(({ role, tool_calls }) => role === "tool" || tool_calls !== undefined)

/** Words that no template writes by itself, in the places of calls and results. */
const callMark = (at: number, index: number) => `toolcall${at}q${index}z`
const resultMark = (at: number) => `toolresult${at}z`

/** The same conversation with a mark for each call and result. */
export const marked = (messages: ReadonlyArray<TemplateMessage>): ReadonlyArray<TemplateMessage> =>
  messages.map((message, at) => ({
    ...message,
    ...(message.role === "tool" ? { content: resultMark(at) } : {}),
    ...(message.tool_calls === undefined
      ? {}
      : {
          tool_calls: message.tool_calls.map((call, index) => ({
            ...call,
            function: { ...call.function, name: callMark(at, index) }
          }))
        })
  }))

/** Does the text, which was rendered of the marked conversation, show each call and each result? */
export const shows = (text: string, messages: ReadonlyArray<TemplateMessage>) => ({
  results: messages.every(({ role }, at) => role !== "tool" || text.includes(resultMark(at))),
  calls: messages.every(({ tool_calls = [] }, at) => tool_calls.every((_, index) => text.includes(callMark(at, index))))
})

/** For templates that leave calls out: they are said as what they are, JSON. */
export const callsAsText = (messages: ReadonlyArray<TemplateMessage>): ReadonlyArray<TemplateMessage> =>
  messages.map(({ tool_calls, ...message }) => {
    if (tool_calls === undefined) return message
    const calls = tool_calls.map((call) => JSON.stringify(call.function))
    return { ...message, content: [message.content, ...calls].filter((part) => part !== "").join("\n") }
  })
