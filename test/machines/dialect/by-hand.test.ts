/** What is learned of templates as hardly anybody writes them, each a function: what the texts tell, and what they do not. */
import { describe, expect, it } from "vitest"
import { contentOnly, type Dialect } from "../../../src/machines/dialect/dialect.ts"
import { exceptions, withExceptions } from "../../../src/machines/dialect/exceptions.ts"
import { learnDialect } from "../../../src/machines/dialect/learn/learn.ts"
import { writtenAs } from "../../../src/machines/dialect/learn/form.ts"
import { firstCall, noContent, Renders, words } from "../../../src/machines/dialect/learn/renders.ts"
import { rolesOf } from "../../../src/machines/dialect/learn/roles.ts"
import { sceneOf } from "../../../src/machines/dialect/learn/scene.ts"
import { learnCalls } from "../../../src/machines/dialect/learn/tools.ts"
import type { Render, TemplateMessage } from "../../../src/machines/dialect/template.ts"
import { dialectOf } from "../../support/dialects.ts"

interface Called {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
}
interface Said {
  readonly content: string
  readonly thought: string | undefined
  readonly calls: ReadonlyArray<Called>
}
interface Style {
  /** what the assistant's turn is, after its head */
  readonly turn: (said: Said) => string
  /** what the prompt has after the assistant's head */
  readonly prompt?: (thinking: boolean | undefined) => string
  readonly field?: string
}

const head = "<|assistant|>\n"
const calledIn = ({ tool_calls = [] }: TemplateMessage): ReadonlyArray<Called> =>
  tool_calls.map(({ function: { arguments: args, name } }) => ({ name, args: Object(args) }))
const saidIn = (message: TemplateMessage, field: string): Said => ({
  content: String(message.content),
  thought: typeof message[field] === "string" ? message[field] : undefined,
  calls: calledIn(message)
})

const renderOf =
  ({ field = "reasoning_content", prompt = () => "", turn }: Style): Render =>
  ({ messages, prompt: isAsked, thinking, tools }) =>
    [
      tools.length === 0 ? "" : `<|tools|>${JSON.stringify(tools)}\n`,
      ...messages.map((message) =>
        message.role === "assistant"
          ? `${head}${turn(saidIn(message, field))}<|end|>\n`
          : `<|${message.role}|>\n${String(message.content)}<|end|>\n`
      ),
      isAsked ? `${head}${prompt(thinking)}` : ""
    ].join("")
const learned = (style: Style): Dialect => learnDialect(renderOf(style))

const json = ({ args, name }: Called): string => JSON.stringify({ name, arguments: args })
const marked = ({ calls, content }: Said): string =>
  `${content}${calls.map((one) => `<call>${json(one)}</call>`).join("")}`
/** Each argument an element. */
const elements =
  (write: (value: unknown) => string) =>
  ({ calls, content }: Said): string =>
    `${content}${calls
      .map(({ args, name }) => {
        const inner = Object.entries(args).map(([key, value]) => `<arg n="${key}">${write(value)}</arg>`)
        return `<call n="${name}">${inner.join("")}</call>`
      })
      .join("")}`
const plainly = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

describe("a template", () => {
  it("that gives no prompt tells of no calls, whatever it writes of them", () => {
    const refuses: Style = {
      turn: marked,
      prompt: () => {
        throw new Error("no prompt")
      }
    }
    const dialect = learned(refuses)
    expect([dialect.tools, dialect.end, dialect.why]).toEqual([null, [], expect.stringContaining("no prompt")])
    expect(learned({ turn: marked }).tools).not.toBeNull()
  })

  it("tells which number of a mark counts the calls", () => {
    const numbered = (from: number, step: number) =>
      learned({
        turn: ({ calls, content }) =>
          `${content}${calls.map((one, at) => `<call ${from + at * step}>${json(one)}</call>`).join("")}`
      }).tools?.open
    const counts = ["<call ", { hole: "index" }, ">"]
    expect([numbered(0, 1), numbered(1, 1), numbered(3, 0)]).toEqual([counts, counts, ["<call 3>"]])
    expect(numbered(1, 4)).toEqual(["<call 1>"])
  })

  it("that writes thoughts right after the head has that for what opens them", () => {
    const { reasoning } = learned({
      turn: (said) => `${said.thought === undefined ? "" : `${said.thought}\n<|/think|>`}${marked(said)}`
    })
    expect(reasoning).toMatchObject({ open: "<|assistant|>", close: "<|/think|>", confirmed: "render" })
  })

  it("has its thoughts read in the field that it reads itself", () => {
    for (const field of ["reasoning_content", "reasoning", "thinking", "thought"])
      expect(
        learned({
          field,
          turn: (said) => `${said.thought === undefined ? "" : `<think>${said.thought}</think>`}${marked(said)}`
        }).reasoning
      ).toEqual({
        open: "<think>",
        close: "</think>",
        confirmed: "render",
        prompt: { on: "none", off: "none", default: "none" },
        field
      })
  })

  it("tells what its prompt opens and closes of thoughts, although it writes none", () => {
    const { reasoning } = learned({
      turn: marked,
      prompt: (thinking) => (thinking === false ? "<reason>\n</reason>\n" : thinking === true ? "<reason>\n" : "")
    })
    expect(reasoning).toEqual({
      open: "<reason>",
      close: "</reason>",
      confirmed: "prompt",
      prompt: { on: "open", off: "closed", default: "none" }
    })
    const opens = learned({ turn: marked, prompt: (thinking) => (thinking === true ? "[THINK]" : "") })
    expect(opens.reasoning).toMatchObject({ open: "[THINK]", close: "[/THINK]", confirmed: "convention" })
    expect(learned({ turn: marked }).reasoning).toBeNull()
  })

  it("that leaves thoughts of old out of what was said has a model that thinks", () => {
    const { reasoning } = learned({
      turn: (said) => marked({ ...said, content: said.content.split("</think>").at(-1) ?? "" })
    })
    expect(reasoning).toMatchObject({ open: "<think>", close: "</think>", confirmed: "prompt" })
  })

  it("tells what ends its answers, and what content alone before that", () => {
    expect(learned({ turn: marked }).end).toEqual(["<|end|>"])
    const { content, end, tools } = learned({
      turn: (said) => `${marked(said)}${said.calls.length > 0 ? "<|called|>" : "<|said|>"}`
    })
    expect([content, end, tools?.close]).toEqual([{ close: "<|said|>" }, ["<|end|>"], [["</call><|called|>"]]])
  })
})

describe("thoughts", () => {
  it("that are written empty before each answer are no part of its content", () => {
    const { content, reasoning } = learned({ turn: (said) => `<think>${said.thought ?? ""}</think>${marked(said)}` })
    expect([content, reasoning]).toMatchObject([{}, { open: "<think>", close: "</think>" }])
    expect(content).not.toHaveProperty("open")
  })

  it("are what a text beside a call is, where it stands in their place", () => {
    const { tools } = learned({
      turn: (said) => {
        const thought = said.thought ?? (said.calls.length > 0 ? said.content : "")
        return `${thought === "" ? "" : `<think>${thought}</think>`}${marked(thought === "" ? said : { ...said, content: "" })}`
      }
    })
    expect([tools?.textBeside, tools?.lossy.includes("text beside a call")]).toEqual([false, false])
  })

  it("are opened by the word that the prompt goes on with, where nothing else tells", () => {
    const { reasoning } = learned({
      prompt: () => "thinking",
      turn: (said) => `${said.thought === undefined ? "" : `${said.thought}<|/think|>`}${marked(said)}`
    })
    expect(reasoning).toMatchObject({ open: "thinking", close: "<|/think|>", prompt: { default: "open" } })
  })
})

describe("roles", () => {
  const rolesWhere = (takes: (roles: ReadonlyArray<string>) => boolean) =>
    rolesOf((input) => {
      if (!takes(input.messages.map(({ role }) => role))) throw new Error("no such conversation")
      return renderOf({ turn: marked })(input)
    }, dialectOf("an object between marks"))

  it("are tried in conversations as they are had", () => {
    const known = new Set(["user", "system user", "user assistant user", "user assistant tool"])
    expect(rolesWhere((roles) => known.has(roles.join(" ")))).toEqual(["system", "user", "assistant", "tool"])
    expect(rolesWhere((roles) => !roles.includes("tool") && !roles.includes("system"))).toEqual(["user", "assistant"])
    expect(rolesWhere(() => false)).toEqual([])
  })
})

describe("renders", () => {
  it("tell nothing around an answer that they leave out", () => {
    const renders = (content: (text: string) => string) =>
      new Renders(renderOf({ turn: (said) => content(said.content) }), { arguments: "object", content: "empty" })
    expect(sceneOf(renders((text) => `<x>${text}</x>`))).toMatchObject({
      before: "<|end|>\n<|assistant|>\n<x>",
      after: "</x><|end|>\n"
    })
    expect(sceneOf(renders(() => "nothing"))).toMatchObject({ before: "", after: "" })
  })

  it("have no content of a message that calls, as the template wants it", () => {
    const of = (content: "empty" | "null" | "text") => noContent({ arguments: "object", content })
    expect([of("empty"), of("null"), of("text")]).toEqual(["", null, words.text])
  })

  it("show a name and its arguments although JSON around them has the name within a text", () => {
    const { tools } = learned({
      turn: ({ calls, content }) =>
        `${content}${calls.map(({ args, name }) => `<c>{"call": "use ${name}", "arguments": ${JSON.stringify(args)}}</c>`).join("")}`
    })
    expect([tools?.open, tools?.form]).toEqual([
      ['<c>{"call": "use '],
      { _tag: "name_json", mid: ['", "arguments": '] }
    ])
  })
})

describe("what opens a call", () => {
  const opens = (prompt: string, before: string, one: string) => {
    const written = writtenAs(new Renders(() => "", { arguments: "object", content: "empty" }), one, undefined)
    const scene = { prompts: new Map([["default" as const, prompt]]), before, after: "<|end|>", call: "", head: "" }
    return written && learnCalls({ one, two: undefined, beside: undefined }, written, scene, undefined)?.open
  }
  const call = JSON.stringify({ name: firstCall.name, arguments: firstCall.arguments })

  it("is no part of what content begins with, but where nothing would be left of it", () => {
    expect(opens("<|a|>", "<|a|>", `<|a|><|call|>${call}<|end|>`)).toBe("<|call|>")
    expect(opens("<|a|>", "<|a|><|say|>", `<|a|><|say|>${call}<|end|>`)).toBe("<|say|>")
    expect(opens("<|a|>", "<|a|><|say|>", `<|a|><|say|><|call|>${call}<|end|>`)).toBe("<|call|>")
    expect(opens("<|a|><|say|>", "<|a|>", `<|a|><|say|><|call|>${call}<|end|>`)).toBe("<|call|>")
    expect(opens("", "<|a|>", `<|a|>${call}<|end|>`)).toBe("")
  })
})

describe("arguments in elements", () => {
  const formOf = (write: (value: unknown) => string) => learned({ turn: elements(write) }).tools?.form

  it("are wrapped where a text that holds marks has something before and after it", () => {
    const wrapped = (value: unknown) =>
      typeof value === "string" && value.includes("<") ? `<![CDATA[${value}]]>` : plainly(value)
    expect(formOf(wrapped)).toMatchObject({ values: "raw", wrap: { open: "<![CDATA[", close: "]]>" } })
  })

  it("are not where there is only something behind it", () => {
    const noted = (value: unknown) =>
      typeof value === "string" && value.includes("<") ? `${value}<!---->` : plainly(value)
    expect(formOf(noted)).toMatchObject({ _tag: "elements", values: "raw" })
    expect(formOf(noted)).not.toHaveProperty("wrap")
    expect(formOf(plainly)).not.toHaveProperty("wrap")
  })

  it("are as in a program where texts stand in quotes, and raw where nothing tells them from others", () => {
    expect(formOf((value) => JSON.stringify(value))).toMatchObject({ values: "literal" })
    expect(formOf((value) => JSON.stringify(value))).not.toHaveProperty("quote")
    expect(formOf((value) => (typeof value === "string" ? `«${value}»` : JSON.stringify(value)))).toMatchObject({
      values: "literal",
      quote: { open: "«", close: "»" }
    })
    expect(formOf(plainly)).toEqual({
      _tag: "elements",
      mid: ['">'],
      open: ['<arg n="', { hole: "key" }, '">'],
      close: ["</arg>"],
      separator: "",
      values: "raw"
    })
  })
})

describe("white space around an argument", () => {
  it("belongs to what closes it where both marks could have it", () => {
    const { tools } = learned({
      turn: ({ calls, content }) =>
        `${content}${calls
          .map(({ args, name }) => {
            const inner = Object.entries(args).map(([key, value]) => `<arg n="${key}">${plainly(value)}</arg>\n`)
            return `<call n="${name}">\n${inner.join("")}</call>`
          })
          .join("")}`
    })
    expect([tools?.open, tools?.close]).toEqual([['<call n="'], [["</call>"]]])
    expect(tools?.form).toMatchObject({
      mid: ['">\n'],
      open: ['<arg n="', { hole: "key" }, '">'],
      close: ["</arg>\n"],
      separator: ""
    })
  })
})

describe("an exception", () => {
  const harmony: Dialect = {
    ...dialectOf("messages in an answer"),
    reasoning: {
      open: "<|channel|>analysis<|message|>",
      close: "<|end|>",
      confirmed: "render",
      prompt: { on: "none", off: "none", default: "none" }
    }
  }

  it("is made of a dialect with its marks and its form of calls, and of no other", () => {
    expect(withExceptions(harmony).source).toEqual({ exception: exceptions[0]?.reason })
    const others: ReadonlyArray<Dialect> = [
      { ...harmony, tools: null },
      { ...harmony, tools: dialectOf("an object between marks").tools },
      { ...harmony, reasoning: null },
      dialectOf("messages in an answer"),
      contentOnly("")
    ]
    for (const dialect of others) expect(withExceptions(dialect)).toBe(dialect)
  })

  it("lets the model name a tool before or behind its channel, and say content between", () => {
    const { content, tools } = withExceptions(harmony)
    expect(content).toMatchObject({ also: ["<|channel|>commentary<|message|>"], close: "<|end|>" })
    expect((tools?.also ?? []).map(({ mid, open }) => [...open, ...mid])).toEqual([
      ["<|channel|>commentary to=functions.", " <|constrain|>json<|message|>"],
      ["<|channel|>commentary to=functions.", " json<|message|>"],
      ["<|channel|>commentary to=functions.", "<|message|>"],
      ["<|channel|>analysis to=functions.", " <|constrain|>json<|message|>"],
      ["<|channel|>analysis to=functions.", " json<|message|>"],
      ["<|channel|>analysis to=functions.", "<|message|>"],
      [...(harmony.tools?.open ?? []), "<|channel|>commentary <|constrain|>json<|message|>"],
      [...(harmony.tools?.open ?? []), "<|channel|>commentary json<|message|>"],
      [...(harmony.tools?.open ?? []), "<|channel|>commentary<|message|>"]
    ])
  })
})
