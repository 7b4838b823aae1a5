import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import { answered, asked, type Chat, cleared, loaded, saved } from "../../src/machines/chat/conversation.ts"
import { type Begun, ended, help, type Input, read } from "../../src/machines/chat/typed.ts"

/** What lines make, one after the other. */
const inputs = (...lines: ReadonlyArray<string>): ReadonlyArray<Input> => {
  const found: Array<Input> = []
  let begun: Begun | undefined
  for (const line of lines) {
    const typed = read(line, begun)
    begun = typed._tag === "Begun" ? typed.begun : undefined
    if (typed._tag === "Whole") found.push(typed.input)
  }
  return begun === undefined ? found : [...found, ended(begun)]
}
const message = (text: string): Input => ({ _tag: "Message", text })

describe("what is typed", () => {
  it("is a message, or nothing", () => {
    expect(inputs(" hello ", "", "  ")).toEqual([message("hello"), { _tag: "Nothing" }, { _tag: "Nothing" }])
  })

  it.each([
    ["/system Be brief.", { _tag: "System", text: "Be brief." }],
    ["/model HF:a/b:Q4_K_M", { _tag: "Model", text: "HF:a/b:Q4_K_M" }],
    ["/save a file.json", { _tag: "Save", text: "a file.json" }],
    ["/load  x.json ", { _tag: "Load", text: "x.json" }],
    ["/clear", { _tag: "Clear" }],
    ["/help", { _tag: "Help" }],
    ["/?", { _tag: "Help" }],
    ["/bye", { _tag: "Bye" }],
    ["/EXIT", { _tag: "Bye" }]
  ])("is a command: %s", (line, input) => {
    expect(inputs(line)).toEqual([input])
  })

  it.each([
    ["/image cat.png", "/image is not served"],
    ["/nope", "/nope is no command; /help lists them"],
    ["/constructor", "/constructor is no command"],
    ["/system", "/system takes TEXT"],
    ["/save", "/save takes FILE"],
    ["/bye now", "/bye takes nothing more"]
  ])("is refused by its name: %s", (line, problem) => {
    expect(inputs(line)).toEqual([{ _tag: "Wrong", problem: expect.stringContaining(problem) }])
  })

  it("is a message where it is a path, or a slash within a sentence", () => {
    for (const text of ["/etc/hosts, what is it?", "and/or", "//", "/1"]) expect(inputs(text)).toEqual([message(text)])
  })

  it("goes on over lines within quotes, and behind a backslash", () => {
    expect(inputs('"""one', "  two", "", 'three"""')).toEqual([message("one\n  two\n\nthree")])
    expect(inputs('"""', "/bye", '"""')).toEqual([message("/bye")])
    expect(inputs('"""all of it"""')).toEqual([message("all of it")])
    expect(inputs('"""', '"""')).toEqual([{ _tag: "Nothing" }])
    expect(inputs("one\\", "two\\", "three")).toEqual([message("one\ntwo\nthree")])
    expect(inputs("one\\", "/bye")).toEqual([message("one\n/bye")])
  })

  it("is a message where its end is that of the input", () => {
    expect(inputs('"""one', "two")).toEqual([message("one\ntwo")])
    expect(inputs("one\\")).toEqual([message("one")])
    expect(inputs('"""')).toEqual([{ _tag: "Nothing" }])
  })

  it("has its help, which names each command", () => {
    for (const name of ["system", "model", "save", "load", "clear", "help", "bye"]) expect(help).toContain(`/${name}`)
  })
})

const empty: Chat = { model: "minillama", turns: [] }
const one = answered(empty, "hello", { content: "Hello!", reasoning: "a greeting" })

describe("a conversation", () => {
  it("is asked for with all that was said, the system prompt first", () => {
    expect(asked({ ...one, system: "Be brief." }, "and?")).toEqual([
      { role: "system", content: "Be brief." },
      { role: "user", content: "hello" },
      { role: "assistant", content: "Hello!", reasoning: "a greeting" },
      { role: "user", content: "and?" }
    ])
    expect(asked(empty, "hello")).toEqual([{ role: "user", content: "hello" }])
  })

  it("forgets a question to which nothing was said, and all but model and system prompt when it is cleared", () => {
    expect(answered(one, "and?", { content: "" })).toEqual(one)
    expect(cleared({ ...one, system: "Be brief." })).toEqual({ ...empty, system: "Be brief." })
  })

  it.each([empty, one, { ...one, system: "Be brief." }])("is the same after it was kept", (chat) => {
    expect(loaded({ model: "other", turns: [] }, saved(chat))).toEqual(Either.right(chat))
  })

  it("is read from a list of messages alone, too", () => {
    const { turns } = one
    expect(loaded({ ...empty, model: "mine" }, JSON.stringify(turns))).toEqual(Either.right({ model: "mine", turns }))
  })

  it.each([
    ["no JSON", "{", "no JSON"],
    ["something else", '{"a": 1}', "messages"],
    ["messages of nobody", '[{"content": "x"}]', "messages"],
    ["null", "null", "messages"],
    ["an answer without a question", '[{"role": "assistant", "content": "x"}]', "no question"],
    ["a question without an answer", '[{"role": "user", "content": "x"}]', "without an answer"]
  ])("is refused where it is %s", (_, text, problem) => {
    expect(loaded(empty, text)).toEqual(Either.left(expect.stringContaining(problem)))
  })
})
