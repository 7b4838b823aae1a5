/** Renders of what is known word by word. Words that no template knows stand for what is asked for. */
import { contentParts } from "../conversation.ts"
import type { Manner } from "../dialect.ts"
import type { Render, TemplateInput, TemplateMessage, TemplateTool } from "../template.ts"

export const words = {
  user: "QUSERQ",
  text: "QTEXTQ",
  thought: "QTHINKQ",
  names: ["qnamea", "qnameb"],
  keys: ["qkeya", "qkeyb"],
  values: ["qvala", "qvalb"],
  ids: ["qidaqidaq", "qidbqidbq"]
} as const

export interface SaidCall {
  readonly name: string
  readonly id: string
  readonly arguments: Readonly<Record<string, unknown>>
}

const [nameA, nameB] = words.names
const [keyA, keyB] = words.keys
const [valueA, valueB] = words.values

export const callWith = (args: SaidCall["arguments"]): SaidCall => ({ name: nameA, id: words.ids[0], arguments: args })
export const firstArguments = { [keyA]: valueA, [keyB]: valueB }
export const firstCall = callWith(firstArguments)
export const secondCall: SaidCall = {
  name: nameB,
  id: words.ids[1],
  arguments: { [keyA]: valueB, [keyB]: valueA }
}

/** Another tool than those that are called: what is told of it is not to be taken for a call. */
export const aTool: TemplateTool = {
  type: "function",
  function: {
    name: "qtoolq",
    description: "d",
    parameters: { type: "object", properties: { qparq: { type: "string", description: "x" } }, required: ["qparq"] }
  }
}

export interface Turn {
  readonly content?: string
  readonly calls?: ReadonlyArray<SaidCall>
  /** `parts`: as a part of the content */
  readonly reasoning?: { readonly field: string; readonly text: string }
  readonly thinking?: boolean
}

export const callsFor = (calls: ReadonlyArray<SaidCall>, manner: Manner) =>
  calls.map((call) => ({
    id: call.id,
    type: "function" as const,
    function: {
      name: call.name,
      arguments: manner.arguments === "text" ? JSON.stringify(call.arguments) : call.arguments
    }
  }))

export const noContent = (manner: Manner): string | null =>
  manner.content === "empty" ? "" : manner.content === "null" ? null : words.text

export class Renders {
  private readonly render: Render
  readonly manner: Manner

  constructor(render: Render, manner: Manner) {
    this.render = render
    this.manner = manner
  }

  /** What the template writes after the user's words; undefined: it refuses. */
  private after(
    input: Pick<TemplateInput, "prompt" | "thinking">,
    said: ReadonlyArray<TemplateMessage>
  ): string | undefined {
    try {
      const messages = [{ role: "user" as const, content: words.user }, ...said]
      const text = this.render({ ...input, messages, tools: [aTool], args: {} })
      const at = text.lastIndexOf(words.user)
      // what leaves out the user's words is no template for a chat
      return at === -1 ? undefined : text.slice(at + words.user.length)
    } catch {
      return undefined
    }
  }

  turn({ calls = [], content, reasoning, thinking }: Turn): string | undefined {
    const text = content === undefined ? noContent(this.manner) : content
    const inParts = reasoning?.field === "parts"
    const message: TemplateMessage = {
      role: "assistant",
      content: inParts ? contentParts(reasoning.text, text ?? "") : text,
      ...(calls.length === 0 ? {} : { tool_calls: callsFor(calls, this.manner) }),
      ...(reasoning === undefined || inParts ? {} : { [reasoning.field]: reasoning.text })
    }
    return this.after({ prompt: false, thinking }, [message])
  }

  prompt(thinking: boolean | undefined): string | undefined {
    return this.after({ prompt: true, thinking }, [])
  }

  /** The user's turn alone: what ends it is no part of an answer. */
  user(): string | undefined {
    return this.after({ prompt: false, thinking: undefined }, [])
  }
}
