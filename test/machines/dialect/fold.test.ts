/** An answer read piece by piece: the same deltas wherever it is cut, and nothing lost. */
import { describe, expect, it } from "vitest"
import type { Dialect } from "../../../src/machines/dialect/dialect.ts"
import { type DeclaredTool, type Delta, Fold } from "../../../src/machines/dialect/fold/fold.ts"
import { gathered, kinds, Trial } from "../../../src/machines/dialect/trial/trial.ts"
import { dialectOf as of, type Form, renderOf, templates } from "../../support/dialects.ts"

const weather: DeclaredTool = {
  name: "get_weather",
  parameters: {
    type: "object",
    properties: {
      city: { type: "string" },
      days: { type: "integer" },
      when: { anyOf: [{ type: "string" }, { type: "null" }] },
      opts: { type: "object" }
    }
  }
}

const deltas = (
  dialect: Dialect,
  pieces: ReadonlyArray<string>,
  tools = [weather],
  prompt = ""
): ReadonlyArray<Delta> => {
  const fold = new Fold(dialect, { tools, prompt })
  return [...pieces.flatMap((piece) => fold.push(piece)), ...fold.end()]
}
const read = (form: Form, text: string, prompt = "", tools = [weather]) =>
  gathered(deltas(of(form), [text], tools, prompt))
const argumentsIn = (form: Form, text: string): unknown => JSON.parse(read(form, text).calls[0]?.arguments ?? "null")

/** Texts about marks, and texts that look like calls. */
const prose = [
  `Here is JSON: {"name": "x", "arguments": {}}`,
  `{"name": "Bob", "age": 3}`,
  `{"name": "get", "arguments": {"a": 1}}`,
  `{"a": {"b": [1, 2`,
  "[1, 2, 3]",
  "Use <tool_call> tags.\nThen go.",
  "a >>> b",
  '```json\n{"a": 1}\n```',
  "[foo(x=1)] is Python",
  '<function=foo> is a tag, <invoke name="foo"> too',
  "<tool_call>{broken</tool_call> tail",
  "<tool_call>get_weather is what I would write",
  "The <think> tag opens, </think> closes.",
  "[CALL] and [CALLS] are marks",
  "<|call|>foo<|args|>{}",
  "  spaces around \n\n",
  "",
  "<",
  "ends with <tool_call>",
  "ends with <tool_call>\n<function=get_wea"
]

describe("a text about marks", () => {
  it.each(Object.keys(templates))("stays content, to the letter, in the dialect with %s", (form) => {
    for (const text of prose) {
      const got = read(form as Form, text)
      // a mark that closes an answer's message ends it, where the dialect has one
      expect({ text, content: got.content, calls: got.calls }).toEqual({ text, content: text, calls: [] })
    }
  })

  it("comes out at once but for what may still become a mark", () => {
    const fold = new Fold(of("an object between marks"), { tools: [weather], prompt: "" })
    expect(fold.push("It is ")).toEqual([{ _tag: "Content", text: "It is" }])
    expect(fold.push("warm. <tool")).toEqual([{ _tag: "Content", text: " warm." }])
    expect(fold.push("box> is open")).toEqual([{ _tag: "Content", text: " <toolbox> is open" }])
    expect(fold.end()).toEqual([])
  })
})

describe("content", () => {
  it("may begin as what opens it does", () => {
    const open = "<|channel|>final<|message|>"
    expect(read("messages in an answer", `${open}${open}x`).content).toBe(`${open}x`)
  })
})

describe("an answer that is cut", () => {
  it.each(Object.keys(templates))("tells of nothing that is empty, with %s", async (form) => {
    const trial = new Trial(of(form as Form), await renderOf(templates[form as Form]))
    for (const kind of kinds) {
      const one = trial.try(kind, 405, true)
      if (one === undefined) continue
      const { prompt, text, tools } = one
      const found = deltas(of(form as Form), [...text], [...tools], prompt)
      expect(found.filter((delta) => "text" in delta && delta.text === "")).toEqual([])
    }
  })

  it.each(Object.entries(templates))("gives the same at every place, with %s", async (form, template) => {
    const trial = new Trial(of(form as Form), await renderOf(template))
    for (const kind of kinds)
      for (const seed of [404]) {
        const one = trial.try(kind, seed, true)
        if (one === undefined) continue
        const { got, prompt, text, tools } = one
        for (let at = 1; at < text.length; at++)
          expect(gathered(deltas(of(form as Form), [text.slice(0, at), text.slice(at)], [...tools], prompt))).toEqual(
            got
          )
        expect(
          gathered(
            deltas(
              of(form as Form),
              [...Array.from({ length: text.length }, (_, at) => text.charAt(at))],
              [...tools],
              prompt
            )
          )
        ).toEqual(got)
      }
  })

  it("gives the very same deltas when its tokens are read anew", () => {
    const tokens =
      `So.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nZürich 😀\n</parameter>\n</function>\n</tool_call>`.match(
        /[^]{1,4}/g
      ) ?? []
    const once = deltas(of("an element an argument"), tokens)
    expect(deltas(of("an element an argument"), tokens)).toEqual(once)
    expect(once.map(({ _tag }) => _tag)).toContain("Call")
  })
})

describe("a call", () => {
  it("is told as soon as its name is known, and its arguments as they come", () => {
    const fold = new Fold(of("an object between marks"), { tools: [weather], prompt: "" })
    expect(fold.push('<tool_call>\n{"name": "get_wea')).toEqual([])
    expect(fold.push('ther", "arguments": {"ci')).toEqual([
      { _tag: "Call", index: 0, name: "get_weather" },
      { _tag: "Arguments", index: 0, text: '{"ci' }
    ])
    expect(fold.push('ty": "B')).toEqual([{ _tag: "Arguments", index: 0, text: 'ty": "B' }])
    expect(fold.push('onn"}}\n</tool_call>')).toEqual([{ _tag: "Arguments", index: 0, text: 'onn"}' }])
    expect(fold.end()).toEqual([])
  })

  it("passes a long text on while it comes", () => {
    const fold = new Fold(of("an element an argument"), { tools: [weather], prompt: "" })
    fold.push("<tool_call>\n<function=get_weather>\n<parameter=city>\n")
    const text = "x".repeat(1000)
    const [delta] = fold.push(text)
    expect(delta?._tag === "Arguments" ? delta.text.length : 0).toBeGreaterThan(900)
  })

  it("of a tool that nobody declared is content", () => {
    for (const text of [
      `<tool_call>\n{"name": "rm", "arguments": {}}\n</tool_call>`,
      `<tool_call>\n{"arguments": {"a": "${"x".repeat(100)}"}, "name": "rm"}\n</tool_call>`
    ])
      expect(read("an object between marks", text)).toEqual({ reasoning: "", content: text, calls: [] })
  })

  it("takes the longest name that is declared", () => {
    const tools = [{ name: "get" }, weather, { name: "get_weather_now" }]
    const text = "<tool_call>get_weather<arg_key>city</arg_key><arg_value>Bonn</arg_value></tool_call>"
    expect(read("keys and values", text, "", tools).calls).toEqual([
      { name: "get_weather", id: "", arguments: '{"city": "Bonn"}' }
    ])
  })

  it("tells the id that the model wrote", () => {
    const written = `[CALLS][{"name": "get_weather", "arguments": {}, "id": "abc123def"}]`
    expect(read("a list with ids", written).calls[0]?.id).toBe("abc123def")
    expect(read("a name and its object", "[CALL]get_weather[ID]xyz[ARGS]{}").calls[0]?.id).toBe("xyz")
  })

  it("has values of the types that the tool's schema admits, and texts else", () => {
    const value = (key: string, text: string) =>
      argumentsIn(
        "an element an argument",
        `<tool_call>\n<function=get_weather>\n<parameter=${key}>\n${text}\n</parameter>\n</function>\n</tool_call>`
      )
    expect(value("city", "7")).toEqual({ city: "7" })
    expect(value("days", "7")).toEqual({ days: 7 })
    expect(value("days", "seven")).toEqual({ days: "seven" })
    expect(value("when", "null")).toEqual({ when: null })
    expect(value("when", "12")).toEqual({ when: "12" })
    expect(value("opts", "{'a': [True, None, 'it\\'s']}")).toEqual({ opts: { a: [true, null, "it's"] } })
    expect(value("unknown", '{"a": 1}')).toEqual({ unknown: { a: 1 } })
    expect(value("city", "a</parameter>b")).toEqual({ city: "a</parameter>b" })
  })

  it("may have other white space than the template", () => {
    expect(
      argumentsIn(
        "an object between marks",
        `<tool_call>{"name":"get_weather","arguments":{"city":"Bonn"}}</tool_call>`
      )
    ).toEqual({ city: "Bonn" })
    expect(
      argumentsIn(
        "an element an argument",
        `<tool_call><function=get_weather><parameter=city>Bonn</parameter></function></tool_call>`
      )
    ).toEqual({ city: "Bonn" })
  })

  it("may have line ends in its texts that JSON would not allow", () => {
    expect(
      argumentsIn(
        "an object between marks",
        `<tool_call>\n{"name": "get_weather", "arguments": {"city": "a\nb\tc"}}\n</tool_call>`
      )
    ).toEqual({ city: "a\nb\tc" })
  })

  it("that ends in its middle keeps what came, and one that breaks before its name is content", () => {
    const cut = read("an object between marks", `Now: <tool_call>\n{"name": "get_weather", "arguments": {"city": "Bo`)
    expect(cut).toEqual({
      reasoning: "",
      content: "Now:",
      calls: [{ name: "get_weather", id: "", arguments: '{"city": "Bo' }]
    })
    const early = `<tool_call>\n{"name": "get_wea`
    expect(read("an object between marks", early)).toEqual({ reasoning: "", content: early, calls: [] })
    expect(argumentsIn("an element an argument", "<tool_call>\n<function=get_weather>\n<parameter=city>\nBo")).toEqual({
      city: "Bo"
    })
  })

  it("that a section does not close is one all the same, and what follows it is content", () => {
    const got = read("a name that is counted", `<|section|><|call|>functions.get_weather:0<|args|>{}<|end_call|> done`)
    expect(got.calls).toHaveLength(1)
    expect(got.content).toBe("done")
  })

  it("after thoughts is one where no mark opens it, and has its arguments between separators alone", () => {
    const { reasoning } = of("an object between marks")
    const thinks: Dialect = { ...of("a bare object"), reasoning }
    const said = '<think>hm</think>{"name": "get_weather", "arguments": {}}'
    expect(gathered(deltas(thinks, [said]))).toEqual({
      reasoning: "hm",
      content: "",
      calls: [{ name: "get_weather", id: "", arguments: "{}" }]
    })
    const python = (inner: string) => read("calls as in Python", `<|calls|>[get_weather(${inner})]<|end_calls|>`).calls
    expect(python('city="Bonn",days=2')[0]?.arguments).toBe('{"city": "Bonn", "days": 2}')
    expect(python(', city="Bonn"')[0]?.arguments).toBe("{}")
  })

  it("is none where no mark tells its name from a text, and nothing that a call has follows it", () => {
    const dialect = of("keys and values")
    const { tools } = dialect
    if (tools?.form._tag !== "elements") throw new Error("the form has changed")
    const lines: Dialect = { ...dialect, tools: { ...tools, form: { ...tools.form, mid: ["\n"] } } }
    const said = (text: string) => gathered(deltas(lines, [text]))
    const text = "<tool_call>get_weather\nis what I would write"
    expect(said(text)).toEqual({ reasoning: "", content: text, calls: [] })
    const call = "<tool_call>get_weather\n<arg_key>city</arg_key><arg_value>Bonn</arg_value></tool_call>"
    expect(said(call).calls).toEqual([{ name: "get_weather", id: "", arguments: '{"city": "Bonn"}' }])
    expect(said("<tool_call>get_weather\n</tool_call>").calls).toHaveLength(1)
  })

  it("looks for a name no further than 4 KB", () => {
    const text = `{"arguments": {"a": "${"x".repeat(5000)}"}, "name": "get_weather"}`
    expect(read("a bare object", text)).toEqual({ reasoning: "", content: text, calls: [] })
  })
})

describe("reasoning", () => {
  it("is told apart, whether the model opens it or the prompt did", () => {
    const wanted = { reasoning: "hm\n\nso", content: "Yes.", calls: [] }
    expect(read("an object between marks", "<think>\nhm\n\nso\n</think>\n\nYes.")).toEqual(wanted)
    expect(read("an element an argument", "hm\n\nso\n</think>\n\nYes.", "<|im_start|>assistant\n<think>\n")).toEqual(
      wanted
    )
  })

  it("that is never closed is reasoning to its end", () => {
    expect(read("an object between marks", "<think>hm <tool").reasoning).toBe("hm <tool")
  })

  it("comes before a call in messages of its own", () => {
    const text =
      "<|channel|>thought<|message|>hm<|end|><|start|>assistant<|channel|>tool to=get_weather<|message|>{}<|end|>"
    expect(read("messages in an answer", text)).toEqual({
      reasoning: "hm",
      content: "",
      calls: [{ name: "get_weather", id: "", arguments: "{}" }]
    })
  })
})

describe("a prompt that has opened a call", () => {
  const form = "a prompt that has opened a call"
  it("is part of the answer, and not said again", () => {
    expect(read(form, "get_weather\n{}", "…>>>").calls).toHaveLength(1)
    expect(read(form, "all\nHello >>> you", "…>>>").content).toBe("Hello >>> you")
    expect(read(form, "Hello", "…>>>").content).toBe("Hello")
  })
})
