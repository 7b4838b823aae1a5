/** What to do where a template does not know a role, calls or results. */
import type { TemplateMessage } from "../../../../machines/dialect/template.ts"

type Messages = ReadonlyArray<TemplateMessage>

const textOf = (content: unknown): string => (typeof content === "string" ? content : "")

/** For templates that know no system role: its text goes before the first user message. */
export const withoutSystem = (messages: Messages): Messages => {
  const system = messages.filter(({ role }) => role === "system").map(({ content }) => textOf(content))
  const rest = messages.filter(({ role }) => role !== "system")
  const [first, ...others] = rest
  if (first?.role !== "user") return [{ role: "user", content: system.join("\n\n") }, ...rest]
  return [{ ...first, content: [...system, textOf(first.content)].join("\n\n") }, ...others]
}

export const hasCalls = (messages: Messages): boolean =>
  messages.some(({ role, tool_calls }) => role === "tool" || tool_calls !== undefined)

/** Words that no template writes by itself, in the places of calls and results. */
const callMark = (at: number, index: number) => `toolcall${at}q${index}z`
const resultMark = (at: number) => `toolresult${at}z`

/** The same conversation with a mark for each call and result. */
export const marked = (messages: Messages): Messages =>
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
export const shows = (text: string, messages: Messages) => ({
  results: messages.every(({ role }, at) => role !== "tool" || text.includes(resultMark(at))),
  calls: messages.every(({ tool_calls = [] }, at) => tool_calls.every((_, index) => text.includes(callMark(at, index))))
})

/** For templates that leave calls out: they are said as what they are, JSON. */
export const callsAsText = (messages: Messages): Messages =>
  messages.map(({ tool_calls, ...message }) => {
    if (tool_calls === undefined) return message
    const calls = tool_calls.map((call) => JSON.stringify(call.function))
    return { ...message, content: [textOf(message.content), ...calls].filter((part) => part !== "").join("\n") }
  })

/** Stands where the last message's text ends: a private-use character. */
export const openEnd = "\u{F5A02}"

/** The last message's text goes on. */
export const leftOpen = (messages: Messages): Messages =>
  messages.map((message, at) =>
    at === messages.length - 1 ? { ...message, content: goingOn(message.content) } : message
  )

const goingOn = (content: unknown): unknown =>
  Array.isArray(content)
    ? content.map((part: Readonly<Record<string, unknown>>, at) =>
        at === content.length - 1 ? { ...part, text: `${textOf(part["text"])}${openEnd}` } : part
      )
    : `${textOf(content)}${openEnd}`
