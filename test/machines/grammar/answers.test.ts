/** What an answer may be, by what was asked of it and by how its model writes: text for text. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import type { Addon } from "../../../src/layers/engine/llama/addon.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import { contentOnly, type Dialect, type ElementsForm } from "../../../src/machines/dialect/dialect.ts"
import {
  checkWishes,
  constraintOf,
  isFree,
  type Wishes,
  wishesIn
} from "../../../src/machines/grammar/answer/constraint.ts"
import { beforeEnd, carriedOff, filled, notBegunWith, withoutMark } from "../../../src/machines/grammar/answer/spans.ts"
import { accepts, anything } from "../../../src/machines/grammar/automaton/automaton.ts"
import { Rules } from "../../../src/machines/grammar/rules.ts"
import type { Tool } from "../../../src/machines/vocabulary/conversation.ts"
import { dialectOf, type Form } from "../../support/dialects.ts"

let addon: Addon
beforeAll(async () => {
  ;({ addon } = await loadRuntime({ gpu: "cpu" }))
})

const made = (wishes: Wishes, dialect: Dialect, prompt: string) =>
  constraintOf({ wishes, dialect, prompt, ends: dialect.end })
/** Those of the texts that are let through. */
const through = (wishes: Wishes, dialect: Dialect, texts: ReadonlyArray<string>, prompt = "<|a|>") => {
  const text = Either.getOrThrow(made(wishes, dialect, prompt)) ?? ""
  const grammar = new addon.AddonGrammar(text, { addonExports: addon, rootRuleName: "root" })
  return texts.filter((one) => grammar.isTextCompatible(one))
}
/** The first ones are let through, and no others. */
const splits = (
  wishes: Wishes,
  dialect: Dialect,
  right: ReadonlyArray<string>,
  wrong: ReadonlyArray<string>,
  prompt?: string
) => expect(through(wishes, dialect, [...right, ...wrong], prompt)).toEqual(right)
const fieldOf = <A>(result: Either.Either<A, { readonly details: Readonly<Record<string, unknown>> }>) =>
  Either.isLeft(result) ? result.left.details["field"] : undefined

const look: Tool = {
  name: "look",
  parameters: {
    type: "object",
    properties: { at: { type: "string", maxLength: 3 } },
    required: ["at"],
    additionalProperties: false
  }
}
const stop: Tool = { name: "stop" }
const tools = [look, stop]
const yes = { type: "json_schema" as const, schema: { const: "yes" } }
const marks = dialectOf("an object between marks")
const call = (name: string, args: string): string =>
  `<tool_call>\n{"name": "${name}", "arguments": ${args}}\n</tool_call>`

describe("an answer", () => {
  it("is free unless a form is asked for, or a call that is bound to something", () => {
    const free: ReadonlyArray<Wishes> = [
      {},
      { tools },
      { tools, tool_choice: "auto", parallel_tool_calls: true },
      { tools, tool_choice: "none", parallel_tool_calls: false },
      { tools: [], parallel_tool_calls: false },
      { tools: [{ ...look, strict: false }] },
      { response_format: { type: "text" } }
    ]
    const bound: ReadonlyArray<Wishes> = [
      { tools, parallel_tool_calls: false },
      { tools: [stop, { ...look, strict: true }] },
      { tools, tool_choice: "required" },
      { tools, tool_choice: { name: "stop" } },
      { response_format: yes },
      { response_format: { type: "json_object" } }
    ]
    expect(free.filter((one) => !isFree(one))).toEqual([])
    expect(bound.filter(isFree)).toEqual([])
    expect(Either.getOrThrow(made({ tools }, marks, ""))).toBeUndefined()
  })

  it("is held to its wishes alone, whatever else was said", () => {
    const wishes: Wishes = {
      tools,
      tool_choice: "auto",
      parallel_tool_calls: false,
      response_format: yes,
      reasoning: "off"
    }
    expect(wishesIn({ ...wishes, ...{ messages: [] } })).toStrictEqual(wishes)
  })

  it("that no model could be held to is refused, by the place of what is wrong", () => {
    const wrong = { type: "object", not: {} }
    const strict = (more: Partial<Tool>): Tool => ({ name: "x", parameters: wrong, ...more })
    expect(fieldOf(checkWishes({ response_format: { type: "json_schema", schema: wrong } }))).toBe(
      "response_format/schema/not"
    )
    expect(fieldOf(checkWishes({ tools: [stop, strict({ strict: true })] }))).toBe("tools/1/parameters/not")
    expect(fieldOf(checkWishes({ tools: [strict({})], tool_choice: "required" }))).toBe("tools/0/parameters/not")
    for (const right of [
      {},
      { tools: [strict({})] },
      { tools: [strict({ strict: true })], tool_choice: "none" as const },
      { tools: [stop, strict({})], tool_choice: { name: "stop" } },
      {
        tools: [stop],
        tool_choice: "required" as const,
        response_format: { type: "json_schema" as const, schema: wrong }
      },
      { tools: [{ name: "x", strict: true }] }
    ])
      expect([right, fieldOf(checkWishes(right))]).toEqual([right, undefined])
  })

  it("has calls only of a model that can be told of tools", () => {
    expect(fieldOf(made({ tools, tool_choice: "required" }, contentOnly("no template"), ""))).toBe("tools")
    expect(fieldOf(made({ tools, parallel_tool_calls: false }, contentOnly(""), ""))).toBe("tools")
    splits({ response_format: yes }, contentOnly(""), ['"yes"', '\n"yes"'], ['"no"', "yes", '"yes" '])
  })
})

describe("thoughts", () => {
  const asks: Wishes = { response_format: yes }

  it("may come first where the model thinks, and have to where its prompt began them", () => {
    const thought = '<think>Hm. "no"</think>\n\n"yes"'
    splits(asks, marks, ['"yes"', thought], ['Hm.</think>"yes"', "<think>", "</think>", '<think>Hm.</think>"no"'])
    splits(asks, marks, ['Hm.</think>"yes"', '</think>"yes"'], ['"yes"', thought.slice(0, 9)], "<|a|><think>\n")
    splits(asks, marks, ['"yes"'], [thought, 'Hm.</think>"yes"'], "<|a|><think>\n</think>\n")
    splits({ ...asks, reasoning: "off" }, marks, ['"yes"', '\n"yes"'], [thought])
  })

  it("are no part of an answer of a model that does not think", () => {
    splits(asks, dialectOf("a bare object"), ['"yes"'], ['<think>Hm.</think>"yes"'])
  })

  it("may be followed by the head of another message", () => {
    const dialect = dialectOf("messages in an answer")
    const said = '<|channel|>final<|message|>"yes"'
    const thought = "<|channel|>thought<|message|>Hm.<|end|>"
    splits(
      asks,
      dialect,
      [
        said,
        `${said}<|end|>`,
        `${thought}<|start|>assistant${said}`,
        `${thought}\n<|start|>assistant\n${said}`,
        `${thought}${said}`
      ],
      [`<|start|>assistant${said}`, '"yes"', `${said}<|`, `${thought}<|start|>user${said}`]
    )
  })

  it("may be all that a free answer has before it ends", () => {
    const strict = { tools: [{ ...look, strict: true }] }
    splits(
      strict,
      marks,
      ["<think>Hm.", `<think>Hm.</think>So.`, "So."],
      [`<think>Hm.</think>${call("look", '{"at":"here"}')}`]
    )
  })
})

describe("content", () => {
  it("stands within the model's marks, but for what the prompt has written of them", () => {
    const dialect = dialectOf("a prompt that has opened a call")
    const asks: Wishes = { response_format: yes }
    splits(asks, dialect, ['>>>all"yes"'], ['all"yes"', '"yes"'])
    splits(asks, dialect, ['all"yes"'], ['>>>all"yes"', '"yes"'], "<|a|>>>>")
  })

  it("may be calls instead, where there are tools", () => {
    const asks: Wishes = { response_format: yes, tools }
    splits(asks, marks, ['"yes"', call("stop", "{}")], ["So.", '"no"'])
    splits({ ...asks, tool_choice: "none" }, marks, ['"yes"'], [call("stop", "{}")])
    splits({ ...asks, tool_choice: "required" }, marks, [call("stop", "{}")], ['"yes"'])
  })

  it("is an object where that is all that is asked for", () => {
    splits({ response_format: { type: "json_object" } }, marks, ['{"a": [1]}', "{}"], ["[]", "1", "So."])
  })
})

describe("calls", () => {
  const strict = tools.map((tool) => ({ ...tool, strict: true }))

  it("are of the tools that may be called, and no more at once than may be", () => {
    const [one, other] = [call("look", '{"at":"it"}'), call("stop", '{"x": 1}')]
    splits(
      { tools, tool_choice: "required" },
      marks,
      [one, other, `${one}\n${other}`],
      ["", call("rm", "{}"), `So. ${one}`, call("look", "{}")]
    )
    splits({ tools, tool_choice: { name: "stop" } }, marks, [other], [one])
    splits({ tools, tool_choice: "required", parallel_tool_calls: false }, marks, [one], [`${one}\n${other}`])
  })

  it("have to satisfy a schema where they are bound, and are free where they are not", () => {
    const free = { tools, parallel_tool_calls: false }
    splits(
      free,
      marks,
      [call("look", '{"at": 12345}'), call("look", "{}"), "So."],
      [call("rm", "{}"), call("look", "[]")]
    )
    splits(
      { tools: strict },
      marks,
      [call("look", '{"at": "abc"}'), call("stop", "{}")],
      [call("look", '{"at": "abcd"}')]
    )
  })

  it("that no mark begins are told by how the answer does", () => {
    const dialect = dialectOf("a bare object")
    const free = { tools: strict }
    const written = '{"name": "look", "arguments": {"at": "it"}}'
    splits(free, dialect, [written, "So {it} is.", "", "1 {"], ['{"name": "look", "arguments": {}}', "{so}", " [1]"])
  })

  it("after a prompt that has opened one are that call, or content in its place", () => {
    const dialect = dialectOf("a prompt that has opened a call")
    const prompt = "<|a|>>>>"
    splits(
      { tools: strict },
      dialect,
      ['look\n{"at": "it"}', "all\nSo.", 'all\nSo.>>>look\n{"at": "it"}', 'stop\n{}>>>look\n{"at": "it"}'],
      ['look\n{"at": 1}', "So.", ">>>all\nSo.", "rm\n{}", "all\nSo.>>>rm\n{}"],
      prompt
    )
    splits({ tools: strict }, dialect, ["So.", '>>>look\n{"at": "it"}'], ['>>>look\n{"at": 1}'])
  })

  it("have the name wherever the model's form has it", () => {
    const dialect = dialectOf("a name and its object")
    const twice: Dialect = {
      ...dialect,
      tools:
        dialect.tools === null
          ? null
          : { ...dialect.tools, form: { _tag: "name_json", mid: ["(", { hole: "name" }, ")"] } }
    }
    splits(
      { tools, tool_choice: "required" },
      twice,
      ['[CALL]stop(stop){"a": 1}'],
      ["[CALL]stop(){}", "[CALL]stop(look){}"]
    )
  })

  it("in a list are as many as may be, with ids of their own", () => {
    const dialect = dialectOf("a list with ids")
    const listed = (...names: ReadonlyArray<string>) =>
      `[CALLS][${names.map((name, at) => `{"name": "${name}", "arguments": {}, "id": "abc12345${at}"}`).join(", ")}]`
    const required: Wishes = { tools: [stop, { name: "go" }], tool_choice: "required" }
    splits(
      required,
      dialect,
      [listed("stop"), listed("stop", "go")],
      ["[CALLS][]", listed("rm"), listed("stop").replace("abc1", "ab")]
    )
    splits({ ...required, parallel_tool_calls: false }, dialect, [listed("go")], [listed("stop", "go")])
  })
})

describe("arguments in elements", () => {
  const of = (
    form: Form,
    properties: Readonly<Record<string, unknown>>,
    more: object = {},
    dialect = dialectOf(form)
  ) => {
    const tool: Tool = {
      name: "look",
      parameters: { type: "object", properties, additionalProperties: false, ...more }
    }
    const wishes: Wishes = { tools: [tool], tool_choice: "required", parallel_tool_calls: false }
    return { dialect, wishes, refused: () => fieldOf(made(wishes, dialect, "")) }
  }
  const xml = (inner: string): string => `<invoke name="look">${inner}</invoke>`

  it("come in the schema's order, those that have to and those that may", () => {
    const { dialect, wishes } = of(
      "an element named by its key",
      { a: { type: "string" }, b: { type: "null" } },
      { required: ["b"] }
    )
    splits(
      wishes,
      dialect,
      [xml("<b>null</b>"), xml("<a></a><b>null</b>"), xml("<a>x <y> </b>\n</a><b>null</b>")],
      [
        xml(""),
        xml("<a>x</a>"),
        xml("<b>null</b><a>x</a>"),
        xml("<b>1</b>"),
        xml("<c>1</c><b>null</b>"),
        xml("<b>null</b><b>null</b>")
      ]
    )
  })

  it("that are texts stand as they are, within what is asked of them, and others are JSON", () => {
    const properties = {
      a: { type: "string", pattern: "^[x<]{2}$" },
      b: { type: ["string", "null"] },
      c: { enum: ["x", "y"] }
    }
    const { dialect, wishes } = of("an element named by its key", properties)
    splits(
      wishes,
      dialect,
      [xml("<a>x<</a>"), xml('<b>"x"</b>'), xml("<b>null</b>"), xml("<c>y</c>"), xml('<b>"\\u003c"</b>')],
      [xml("<a>x</a>"), xml('<a>"x"</a>'), xml("<b>x</b>"), xml("<c>z</c>"), xml('<b>"<"</b>')]
    )
  })

  it("of a form with a word for the type say whether they are texts", () => {
    const { dialect, wishes } = of("a word for the type", { a: { type: ["string", "integer"] } })
    const written = (word: string, value: string) =>
      `<calls>\n<invoke name="look">\n<parameter name="a" text="${word}">${value}</parameter>\n</invoke>\n</calls>`
    splits(
      wishes,
      dialect,
      [written("yes", "x"), written("yes", "7"), written("number", "7"), written("json", "7")],
      [written("number", '"x"'), written("string", "7"), written("yes", "a</parameter>b"), written("no", "7")]
    )
    const said: Dialect = typedBy(dialect, "true")
    splits(wishes, said, [written("true", "x"), written("false", "7")], [written("no", "7"), written("false", "x")])
  })

  it("do not begin with what is put around texts that hold marks", () => {
    const { dialect, wishes } = of("texts that are wrapped", { a: { type: "string" } })
    const written = (value: string): string => `<call name="look"><arg name="a">${value}</arg></call>`
    splits(wishes, dialect, [written("x"), written("x<![CDATA[")], [written("<![CDATA[x]]>"), written("a</arg>b")])
  })

  it("as in a program have their quotes, or the model's own", () => {
    const python = of("calls as in Python", { a: { type: "string", maxLength: 2 }, b: { type: "integer" } })
    const said = (inner: string): string => `<|calls|>[look(${inner})]<|end_calls|>`
    splits(
      python.wishes,
      python.dialect,
      [said('a="x"'), said('a="x", b=1'), said("b=1"), said("")],
      [said('a="xyz"'), said("a=x"), said('b=1, a="x"'), said('a="x"b=1')]
    )
    const own = of("quotes of its own", { a: { type: ["string", "null"] }, b: { type: "string", minLength: 2 } })
    const quoted = (inner: string): string => `<|call>call:look{${inner}}<call|>`
    splits(
      own.wishes,
      own.dialect,
      [quoted('a:<|"|>"x" <<|"|>'), quoted("a:null"), quoted('a:<|"|><|"|>,b:<|"|>ab<|"|>')],
      [quoted('a:"x"'), quoted('b:<|"|>a<|"|>'), quoted("a:1"), quoted('a:<|"|>x<|"|><|"|>')]
    )
  })

  it("are refused where they cannot be written so that they are read back", () => {
    const path = "tools/0/parameters"
    const form = "an element named by its key"
    expect(of(form, { "a b": {} }).refused()).toBe(path)
    expect(of(form, {}, { minProperties: 1 }).refused()).toBe(path)
    expect(of(form, {}, { maxProperties: 1 }).refused()).toBe(path)
    expect(of(form, {}, { enum: [{ a: 1 }] }).refused()).toBe(path)
    expect(of(form, { "Straße_1.b@c-d$": {} }, { minProperties: 0 }).refused()).toBeUndefined()
    expect(of(form, { a: false }, { required: ["a"] }).refused()).toBe("schema")
    expect(of(form, { a: false }).refused()).toBeUndefined()
    const closed = formed(dialectOf(form), { close: ["end"] })
    expect(of(form, { a: { type: "integer" } }, {}, closed).refused()).toBe("tools")
    expect(of(form, { a: { type: "string" } }, {}, closed).refused()).toBeUndefined()
  })
})

const formed = (dialect: Dialect, more: Partial<ElementsForm>): Dialect =>
  dialect.tools?.form._tag === "elements"
    ? { ...dialect, tools: { ...dialect.tools, form: { ...dialect.tools.form, ...more } } }
    : dialect
const typedBy = (dialect: Dialect, word: string): Dialect =>
  formed(dialect, { typed: { before: '" text="', after: '">', text: word } })

describe("a mark", () => {
  it("is written up to what ends the answer", () => {
    expect(beforeEnd(["a</s>b"], ["</s>"])).toEqual(["a"])
    expect(beforeEnd(["</s>b"], ["</s>"])).toEqual([])
    expect(beforeEnd(["x", { hole: "id" }, "ab", "c"], ["b", "a"])).toEqual(["x", { hole: "id" }])
    expect(beforeEnd(["x", "yab"], ["b", "a"])).toEqual(["x", "y"])
    expect(beforeEnd(["x", { hole: "id" }], ["</s>"])).toEqual(["x", { hole: "id" }])
    expect(beforeEnd(["x"], [])).toEqual(["x"])
  })

  it("is written without what the prompt has of it", () => {
    expect(carriedOff([">>>x", "y"], ">>>")).toEqual(["x", "y"])
    expect([
      carriedOff(["x"], ">>>"),
      carriedOff(["x"], ""),
      carriedOff([{ hole: "name" }], "x"),
      carriedOff([], "x")
    ]).toEqual([["x"], ["x"], [{ hole: "name" }], []])
  })

  it("has its holes filled", () => {
    const of = (hole: "name" | "key" | "index" | "id", values = {}) => filled(new Rules(), ["<", { hole }], values)
    const opened = { _tag: "Text", text: "<" }
    expect(of("name", { name: "look" })).toEqual([opened, { _tag: "Text", text: "look" }])
    expect(of("key", { key: "at" })).toEqual([opened, { _tag: "Text", text: "at" }])
    expect([of("name"), of("key")]).toEqual([
      [opened, { _tag: "Text", text: "" }],
      [opened, { _tag: "Text", text: "" }]
    ])
    const letters = {
      _tag: "Class",
      ranges: [
        [48, 57],
        [65, 90],
        [97, 122]
      ]
    }
    expect(of("id")).toEqual([opened, ...Array.from({ length: 9 }, () => letters)])
    expect(of("index").slice(0, 2)).toEqual([opened, { _tag: "Class", ranges: [[48, 57]] }])
  })

  it("is kept out of texts, or from their beginning", () => {
    const texts = ["", "</a", "x</a>", "</a>x", "<b>", "x"]
    const those = (automaton: typeof anything) => texts.filter((one) => accepts(automaton, one))
    expect(those(withoutMark(anything, "</a>", "<b>"))).toEqual(["", "</a", "x"])
    expect(those(withoutMark(anything, "", "<b>"))).toEqual(["", "</a", "x</a>", "</a>x", "x"])
    expect(withoutMark(anything, "")).toBe(anything)
    expect(those(notBegunWith(anything, "</a"))).toEqual(["", "x</a>", "<b>", "x"])
  })
})
