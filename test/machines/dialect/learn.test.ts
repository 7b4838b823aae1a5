/** What is learned of a template, for each form that models write calls in. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import type { Dialect } from "../../../src/machines/dialect/dialect.ts"
import { exceptions } from "../../../src/machines/dialect/exceptions.ts"
import { learnDialect } from "../../../src/machines/dialect/learn/learn.ts"
import { folded, roundTrip } from "../../../src/machines/dialect/trial/trial.ts"
import { type Form, plainTemplate, renderOf, templates, unreadable, variants } from "../../support/dialects.ts"

const learned = async (template: string): Promise<Dialect> => learnDialect(await renderOf(template))

/** By hand: what opens a call, what stands between two, what ends them, and the reasoning's marks. */
const byHand: Readonly<Record<Form, ReadonlyArray<unknown>>> = {
  "an object between marks": ["<tool_call>\n", "\n</tool_call>\n<tool_call>\n", "\n</tool_call>", "<think> </think>"],
  "objects in a section": ["<calls>\n", "\n", "\n</calls>", ""],
  "a bare object": ["", undefined, undefined, ""],
  "an object whose key is the name": ["<|call|>", "<|done|><|call|>", "<|done|>", ""],
  "arguments as text in an object": ["<|call|>", "<|done|><|call|>", "<|done|>", ""],
  "a list with ids": ["[CALLS]", undefined, undefined, ""],
  "a name and its object": ["[CALL]", "[CALL]", undefined, ""],
  "a name that is counted": [
    "<|section|><|call|>functions.",
    "<|end_call|><|call|>functions.",
    "<|end_call|><|end_section|>",
    "<think> </think>"
  ],
  "arguments that must be text": ["<|calls|><|call|>", "\n```<|end|><|call|>", "\n```<|end|><|end_calls|>", ""],
  "a prompt that has opened a call": [">>>", ">>>", undefined, ""],
  "an element an argument": [
    "<tool_call>\n<function=",
    "</function>\n</tool_call>\n<tool_call>\n<function=",
    "</function>\n</tool_call>",
    "<think> </think>"
  ],
  "keys and values": ["<tool_call>", "</tool_call><tool_call>", "</tool_call>", "<think> </think>"],
  "an element named by its key": [`<invoke name="`, `</invoke><invoke name="`, "</invoke>", ""],
  "a word for the type": [`<calls>\n<invoke name="`, `</invoke>\n<invoke name="`, "</invoke>\n</calls>", ""],
  "texts that are wrapped": [`<call name="`, `</call><call name="`, "</call>", ""],
  "calls as in Python": ["<|calls|>[", "), ", ")]<|end_calls|>", ""],
  "quotes of its own": ["<|call>call:", "}<call|><|call>call:", "}<call|>", ""],
  "messages in an answer": [
    "<|channel|>tool to=",
    "<|end|><|start|>assistant<|channel|>tool to=",
    // as of any message of an answer
    undefined,
    "<|channel|>thought<|message|> <|end|>"
  ]
}

describe.each(Object.entries(templates))("a template with %s", (form, template) => {
  it("is learned, and what it writes is read back exactly, 50 times for each kind that it can write", async () => {
    const render = await renderOf(template)
    const dialect = learnDialect(render)
    const { failed, impossible, kinds } = roundTrip(dialect, render, 50)
    expect(failed.map(({ given, got }) => ({ given, got })).slice(0, 1)).toEqual([])
    expect(dialect.tools?.lossy).toEqual([])
    expect(dialect.source).toBe("learned")
    for (const { tried } of Object.values(kinds)) expect(tried).toBe(50)
    expect(kinds.one).toBeDefined()
    expect(impossible.filter((kind) => kind === "one" || kind === "none")).toEqual([])
  })

  it("has the marks that a reader finds in it", async () => {
    const { reasoning, tools } = await learned(template)
    const text = (mark: ReadonlyArray<unknown> | undefined) => mark?.join("{}")
    expect([
      text(tools?.open) ?? "",
      text(tools?.between),
      text(tools?.close[0]),
      reasoning === null ? "" : `${reasoning.open} ${reasoning.close}`
    ]).toEqual(byHand[form as Form])
  })
})

describe("everything that is learned", () => {
  const { others, ...few } = variants
  it.each([
    ["learned", templates],
    ["learned-others", { ...others, ...few, plain: plainTemplate, unreadable }]
  ])("is what it was: %s.jsonl", async (file, all) => {
    const lines = await Promise.all(
      Object.entries(all).map(async ([form, template]) => JSON.stringify({ form, dialect: await learned(template) }))
    )
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(`${file}.jsonl`)
  })
})

describe("a dialect", () => {
  it("tells in which state each prompt leaves the model", async () => {
    const { reasoning } = await learned(templates["an element an argument"])
    expect(reasoning?.prompt).toEqual({ on: "open", off: "closed", default: "open" })
    expect((await learned(templates["an object between marks"])).reasoning?.prompt.default).toBe("none")
  })

  it("tells what of a call the prompt has written", async () => {
    const { content, tools } = await learned(templates["a prompt that has opened a call"])
    expect([tools?.carry.default, content.open]).toEqual([">>>", ">>>all"])
  })

  it("tells that arguments are a text within JSON", async () => {
    expect((await learned(templates["arguments as text in an object"])).tools?.form).toMatchObject({ argsAsText: true })
    expect((await learned(templates["a bare object"])).tools?.form).not.toHaveProperty("argsAsText")
  })

  it("tells that the template wants arguments as text", async () => {
    expect((await learned(templates["arguments that must be text"])).manner.arguments).toBe("text")
    expect((await learned(templates["a bare object"])).manner.arguments).toBe("object")
  })

  it("has reasoning that only a prompt shows, and says so", async () => {
    const { reasoning, tools } = await learned(variants.thoughtInPrompt)
    expect(tools).not.toBeNull()
    expect(reasoning).toMatchObject({ open: "<think>", close: "</think>", confirmed: "prompt", prompt: { on: "open" } })
  })

  it("has no tools where the template knows none, or writes them as nobody can read, and says why", async () => {
    const plain = await learned(plainTemplate)
    expect([plain.tools, plain.why]).toEqual([null, "the template shows no calls"])
    const wild = await learned(unreadable)
    expect([wild.tools, wild.why !== undefined]).toEqual([null, true])
  })

  it("says where the template does not tell the model which tools there are", async () => {
    const style = templates["an object between marks"]
    expect((await learned(style)).tools?.told).toBeUndefined()
    expect((await learned(style.replace("{{ tools | tojson }}", ""))).tools?.told).toBe(false)
  })

  it("says whose messages the template writes", async () => {
    expect((await learned(templates["keys and values"])).roles).toEqual(["system", "user", "assistant", "tool"])
    const few = `{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('none') }}{% endif %}{% if m.role != 'tool' %}<|{{ m.role }}|>{{ m.content }}{% endif %}{% endfor %}`
    expect((await learned(few)).roles).toEqual(["user", "assistant"])
  })

  it("says what does not come back as it was given", async () => {
    expect((await learned(variants.quotesUnescaped)).tools?.lossy).toContain("texts with backslashes")
    expect((await learned(variants.nested)).tools?.lossy).toEqual(expect.arrayContaining(["objects", "lists"]))
  })

  it("is content only where the template refuses everything", async () => {
    const dialect = await learned(`{{ raise_exception('no') }}`)
    expect([dialect.tools, dialect.reasoning]).toEqual([null, null])
    expect(dialect.why).toBeDefined()
  })

  it.each(Object.entries(variants.others))("of a template that writes %s is learned as well", async (_, template) => {
    const render = await renderOf(template)
    const dialect = learnDialect(render)
    expect(dialect.tools).not.toBeNull()
    expect(roundTrip(dialect, render, 10).failed).toEqual([])
  })
})

describe("exceptions", () => {
  it("are at most five, each with its reason", () => {
    expect(exceptions.length).toBeLessThanOrEqual(5)
    for (const { reason } of exceptions) expect(reason.length).toBeGreaterThan(20)
  })

  it("let a model write what its template does not show, beside what it does", async () => {
    const render = await renderOf(variants.channels)
    const dialect = learnDialect(render)
    expect(dialect.source).toEqual({ exception: exceptions[0]?.reason })
    expect(roundTrip(dialect, render, 20).failed).toEqual([])
    const tools = [{ name: "search" }]
    for (const header of [
      "<|channel|>commentary to=functions.search <|constrain|>json<|message|>",
      "<|channel|>commentary to=functions.search<|message|>",
      "<|channel|>analysis to=functions.search json<|message|>",
      " to=functions.search<|channel|>commentary <|constrain|>json<|message|>"
    ]) {
      const said = `<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>I look.<|end|><|start|>assistant${header}{"q": 1}<|call|>`
      expect(folded(dialect, tools, "<|start|>assistant", said)).toEqual({
        reasoning: "Hm.",
        content: "I look.",
        calls: [{ name: "search", id: "", arguments: '{"q": 1}' }]
      })
    }
  })
})

/** Public templates: a folder of theirs that this variable names. */
const families = process.env["RBEE_TEST_FAMILIES"]

describe.runIf(families !== undefined)("a public template", () => {
  const folder = join(families ?? "", "templates")
  const files = families === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith(".jinja"))

  it.each(files)("%s is learned exactly, or says what it is not", async (file) => {
    const render = await renderOf(readFileSync(join(folder, file), "utf8"))
    const dialect = learnDialect(render)
    const { failed, kinds } = roundTrip(dialect, render, 50)
    if (dialect.tools === null) expect(dialect.why).toBeDefined()
    else if (dialect.tools.lossy.length === 0) expect(failed).toEqual([])
    for (const { exact } of Object.values(kinds)) expect(exact).toBeGreaterThan(45)
  })
})
