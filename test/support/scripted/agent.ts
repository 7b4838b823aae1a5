/**
 * A model that says what its user's message tells it to, in a dialect of its own, token by token. Of the last user
 * message that has such lines, each block is one turn of the assistant (so a loop of tools plays them one after the
 * other); other lines are left alone, whatever a client puts around them:
 *
 *     think: I look it up.
 *     say: Let me see.
 *     call: get_weather {"city":"Paris"}
 *     call: get_time {}
 *     ---
 *     say: It is {{results}}.
 *
 * `{{results}}` stands for what the tools gave since that message. Turns that are not told end with `done`; a
 * conversation without such lines is answered `hello`. A line `hold: 3 /tmp/file` has it wait before the token of index
 * 3 for as long as that file is there: so that a test strikes at that very token.
 */
import { existsSync } from "node:fs"
import type { ScriptedOptions } from "../../../src/layers/engine/scripted.ts"
import type { ChatMessage, Conversation } from "../../../src/machines/vocabulary/conversation.ts"
import { objectsBetweenMarks, type Said, written } from "../scripts.ts"

const line = /^\s*(think|say|call):[ \t]*(.*?)\s*$/

const turnOf = (block: string, results: string): Said => {
  const of = (wanted: string): ReadonlyArray<string> =>
    block.split("\n").flatMap((text) => {
      const [, kind, said = ""] = line.exec(text) ?? []
      return kind === wanted ? [said.replaceAll("{{results}}", results)] : []
    })
  const [thought, content, calls] = [of("think"), of("say"), of("call")]
  return {
    ...(thought.length === 0 ? {} : { thought: thought.join("\n") }),
    content: content.join("\n"),
    calls: calls.map((call) => {
      const [, name = "", args = ""] = /^(\S+)\s*(.*)$/.exec(call) ?? []
      return { name, arguments: objectIn(args) }
    })
  }
}

/** Some clients put what their user says in quotes, and ask for a title of half of it: what is no JSON is no argument. */
const objectIn = (text: string): object => {
  for (const json of [text, text.replaceAll('\\"', '"')]) {
    try {
      const value: unknown = JSON.parse(json)
      if (typeof value === "object" && value !== null) return value
    } catch {
      // the next
    }
  }
  return {}
}

const isScript = ({ content, role }: ChatMessage): boolean =>
  role === "user" && content.split("\n").some((text) => line.test(text))

const sayingOf = ({ messages }: Pick<Conversation, "messages">): Said => {
  const at = messages.findLastIndex(isScript)
  if (at === -1) return { content: "hello" }
  const since = messages.slice(at + 1)
  const turn = since.filter(({ role }) => role === "assistant").length
  const results = since.filter(({ role }) => role === "tool").map(({ content }) => content)
  const block = messages[at]?.content.split(/^\s*---\s*$/m)[turn]
  return block === undefined ? { content: "done" } : turnOf(block, results.join(", "))
}

const holdLine = /^\s*hold:\s*(\d+)\s+(\S+)\s*$/m

const holds: ScriptedOptions["holds"] = ({ messages }) => {
  const [, at, file = ""] = holdLine.exec(messages.findLast(isScript)?.content ?? "") ?? []
  return (index) => index === Number(at) && existsSync(file)
}

const agent: ScriptedOptions = {
  holds,
  dialect: objectsBetweenMarks,
  context: 131_072,
  answer: (conversation) => written(sayingOf(conversation))
}
export default agent
