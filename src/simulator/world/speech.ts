/**
 * What a simulated model says that reasons and calls a tool, in one of three dialects: an object between marks; an
 * element an argument, where the prompt has opened the reasoning; and an answer that is made of several messages.
 */
import type { AnswerForm } from "../../machines/dialect/answer-form.ts"
import { contentOnly, type Dialect } from "../../machines/dialect/dialect.ts"

interface Saying {
  readonly thought: string
  readonly content: string
  readonly call: { readonly name: string; readonly arguments: { readonly what: string; readonly depth: number } }
}

interface Speech {
  readonly dialect: Dialect
  /** the end of the prompt that an answer follows */
  readonly prompt: string
  /** its control tokens, which are written out where more is read from an answer than its text */
  readonly controls: ReadonlyArray<string>
  readonly written: (saying: Saying) => string
}

const manner = { arguments: "object", content: "empty" } as const
const never = { on: "", off: "", default: "" } as const
const usual = { carry: never, parallel: true, textBeside: true, lossy: [] } as const
const unopened = { on: "none", off: "none", default: "none" } as const

const objects: Speech = {
  prompt: "<|im_start|>assistant\n",
  controls: ["<think>", "</think>", "<tool_call>", "</tool_call>"],
  dialect: {
    content: {},
    reasoning: {
      open: "<think>",
      close: "</think>",
      confirmed: "render",
      prompt: unopened,
      field: "reasoning_content"
    },
    tools: {
      ...usual,
      open: ["<tool_call>\n"],
      between: ["\n</tool_call>\n<tool_call>\n"],
      close: [["\n</tool_call>"]],
      form: { _tag: "json", list: false, name: ["name"], args: ["arguments"] },
      needsSchema: false
    },
    manner,
    end: ["<|im_end|>"],
    source: "learned"
  },
  written: ({ call, content, thought }) =>
    `<think>\n${thought}\n</think>\n\n${content}\n<tool_call>\n${JSON.stringify(call)}\n</tool_call>`
}

const elements: Speech = {
  prompt: "<|im_start|>assistant\n<think>\n",
  controls: objects.controls,
  dialect: {
    content: {},
    reasoning: {
      open: "<think>",
      close: "</think>",
      confirmed: "render",
      prompt: { on: "open", off: "closed", default: "open" },
      field: "reasoning_content"
    },
    tools: {
      ...usual,
      open: ["<tool_call>\n<function="],
      between: ["</function>\n</tool_call>\n<tool_call>\n<function="],
      close: [["</function>\n</tool_call>"]],
      form: {
        _tag: "elements",
        mid: [">\n"],
        open: ["<parameter=", { hole: "key" }, ">\n"],
        close: ["\n</parameter>\n"],
        separator: "",
        values: "raw"
      },
      needsSchema: true
    },
    manner,
    end: ["<|im_end|>"],
    source: "learned"
  },
  written: ({ call, content, thought }) =>
    [
      `${thought}\n</think>\n\n${content}\n<tool_call>\n<function=${call.name}>\n`,
      ...Object.entries(call.arguments).map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`),
      "</function>\n</tool_call>"
    ].join("")
}

const parts: Speech = {
  prompt: "<|start|>assistant",
  controls: ["<|start|>", "<|channel|>", "<|message|>", "<|end|>"],
  dialect: {
    head: "<|start|>assistant",
    content: { open: "<|channel|>final<|message|>", close: "<|end|>" },
    reasoning: {
      open: "<|channel|>thought<|message|>",
      close: "<|end|>",
      confirmed: "render",
      prompt: unopened,
      field: "reasoning_content"
    },
    tools: {
      ...usual,
      open: ["<|channel|>tool to="],
      between: ["<|end|><|start|>assistant<|channel|>tool to="],
      close: [],
      form: { _tag: "name_json", mid: ["<|message|>"] },
      needsSchema: false
    },
    manner,
    end: [],
    source: "learned"
  },
  written: ({ call, content, thought }) =>
    [
      `<|channel|>thought<|message|>${thought}<|end|>`,
      `<|start|>assistant<|channel|>final<|message|>${content}<|end|>`,
      `<|start|>assistant<|channel|>tool to=${call.name}<|message|>${JSON.stringify(call.arguments)}<|end|>`
    ].join("")
}

export const speeches: ReadonlyArray<Speech> = [objects, elements, parts]

/** What begins like a mark and is none, too: it may be held back, and must not get lost. */
const words = ["a bee", "flies", "<tool", "{", "}", "over <", "the field", "🐝", '"', "finds", "<|", "<th"]

/** So many words, which are others for another prompt. */
const textOf = (prompt: string, salt: number, count: number): string => {
  let hash = salt
  for (let at = 0; at < prompt.length; at++) hash = Math.imul(hash ^ prompt.charCodeAt(at), 0x01000193) >>> 0
  return Array.from({ length: Math.max(1, Math.floor(count)) }, () => {
    hash = (Math.imul(hash, 1_664_525) + 1_013_904_223) >>> 0
    return words[(hash >>> 8) % words.length] ?? ""
  }).join(" ")
}

const tokensOf = (text: string, controls: ReadonlyArray<string>): ReadonlyArray<string> => {
  const marks = controls.map((mark) => mark.replaceAll("|", "\\|")).join("|")
  return text.split(new RegExp(`(${marks})`, "u")).flatMap((piece) => {
    if (controls.includes(piece)) return [piece]
    return piece.match(/.{1,4}/gsu) ?? []
  })
}

/** The tokens of the answer to this prompt: `count` or so. */
export const saying = ({ controls, written }: Speech, prompt: string, count: number): ReadonlyArray<string> =>
  tokensOf(
    written({
      thought: textOf(prompt, 1, count / 4),
      content: textOf(prompt, 2, count / 4),
      call: { name: "look_up", arguments: { what: textOf(prompt, 3, count / 8), depth: prompt.length % 7 } }
    }),
    controls
  )

/** How a worker that has learned it says that its answer is read. */
export const formOf = ({ dialect, prompt }: Speech): AnswerForm => ({ dialect, prompt })

/** How its worker says that it writes that could not learn it. */
export const unlearned = contentOnly("its chat template could not be learned: 10 s are over")
