/**
 * Answers as a model of one widespread dialect writes them, for the scripted engine: reasoning between `<think>` marks,
 * and each call as a JSON object between `<tool_call>` marks.
 */
import type { Dialect } from "../../src/machines/dialect/dialect.ts"

const never = { on: "", off: "", default: "" } as const

/** As it is learned from `templates["an object between marks"]`. */
export const objectsBetweenMarks: Dialect = {
  content: {},
  reasoning: {
    open: "<think>",
    close: "</think>",
    confirmed: "render",
    prompt: { on: "none", off: "none", default: "none" },
    field: "reasoning_content"
  },
  tools: {
    open: ["<tool_call>\n"],
    between: ["\n</tool_call>\n<tool_call>\n"],
    close: [["\n</tool_call>"]],
    form: { _tag: "json", list: false, name: ["name"], args: ["arguments"] },
    parallel: true,
    textBeside: true,
    needsSchema: false,
    carry: never,
    lossy: []
  },
  manner: { arguments: "object", content: "empty" },
  end: ["<|im_end|>"],
  source: "learned"
}

/** Tokens of some letters each, marks whole, as a vocabulary has them. */
export const tokensOf = (text: string): ReadonlyArray<string> =>
  text.match(/<\/?(?:think|tool_call)>|\n|.{1,4}?(?=<|\n|$)|.{1,4}/gsu) ?? []

export interface Said {
  readonly thought?: string
  readonly content?: string
  readonly calls?: ReadonlyArray<{ readonly name: string; readonly arguments: object }>
}

/** What such a model writes to say this. */
export const written = ({ calls = [], content = "", thought }: Said): ReadonlyArray<string> =>
  tokensOf(
    [
      thought === undefined ? "" : `<think>\n${thought}\n</think>\n\n`,
      content,
      ...calls.map((call) => `\n<tool_call>\n${JSON.stringify(call)}\n</tool_call>`)
    ].join("")
  )
