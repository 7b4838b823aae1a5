/** Whose messages a template writes. */
import type { Dialect } from "../dialect.ts"
import type { Render, TemplateMessage } from "../template.ts"
import { callsFor, firstCall, noContent, words } from "./renders.ts"

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
  return roles.filter((role) => {
    try {
      return render({ messages: by[role], tools: [], prompt: true, thinking: undefined, args: {} }).includes(said)
    } catch {
      return false
    }
  })
}
