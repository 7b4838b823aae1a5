/** Whose messages a template writes, and whether it writes of tools. */
import type { Dialect } from "../dialect.ts"
import type { Render, TemplateMessage, TemplateTool } from "../template.ts"
import { aTool, callsFor, firstCall, noContent, words } from "./renders.ts"

type Role = NonNullable<Dialect["roles"]>[number]

const said = "QSAIDQ"
const user: TemplateMessage = { role: "user", content: words.user }

/** A conversation in which the role says a known word. */
const conversations = ({ manner }: Dialect): Readonly<Record<Role, ReadonlyArray<TemplateMessage>>> => {
  const called: TemplateMessage = {
    role: "assistant",
    content: noContent(manner),
    tool_calls: callsFor([firstCall], manner)
  }
  return {
    system: [{ role: "system", content: said }, user],
    user: [{ role: "user", content: said }],
    assistant: [user, { role: "assistant", content: said }, user],
    tool: [user, called, { role: "tool", content: said, name: firstCall.name, tool_call_id: firstCall.id }]
  }
}

export const rolesOf = (render: Render, dialect: Dialect): ReadonlyArray<Role> => {
  const by = conversations(dialect)
  const roles: ReadonlyArray<Role> = ["system", "user", "assistant", "tool"]
  return roles.filter((role) => shows(render, by[role], [], said))
}

/** Whether the model is told of the tools that there are. */
export const tellsTools = (render: Render): boolean => shows(render, [user], [aTool], aTool.function.name)

const shows = (
  render: Render,
  messages: ReadonlyArray<TemplateMessage>,
  tools: ReadonlyArray<TemplateTool>,
  word: string
): boolean => {
  try {
    return render({ messages, tools, prompt: true, thinking: undefined, args: {} }).includes(word)
  } catch {
    return false
  }
}
