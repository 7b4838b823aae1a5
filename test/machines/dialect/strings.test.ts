/** The strings in what a client wrote. */
import { expect, it } from "vitest"
import { eachSaid, eachString, mapStrings } from "../../../src/machines/dialect/strings.ts"

const value = { a: "x", b: [1, null, true, ["y", { c: "z" }]], d: undefined, "": "" }

it("are mapped wherever they stand, keys as well, and nothing else is", () => {
  expect(mapStrings(value, (text) => `<${text}>`)).toStrictEqual({
    "<a>": "<x>",
    "<b>": [1, null, true, ["<y>", { "<c>": "<z>" }]],
    "<d>": undefined,
    "<>": "<>"
  })
  expect([mapStrings("x", () => "y"), mapStrings(7, String), mapStrings(null, String)]).toStrictEqual(["y", 7, null])
})

it("are told one by one, each key before what it holds", () => {
  const told: Array<string> = []
  eachString(value, (text) => told.push(text))
  expect(told).toEqual(["a", "x", "b", "y", "c", "z", "d", "", ""])
})

it("are, of a conversation, those that a template writes", () => {
  const said = (tool_choice?: "none" | "auto") => {
    const told: Array<string> = []
    eachSaid(
      {
        messages: [
          { role: "user", content: "Hi" },
          {
            role: "assistant",
            content: "So.",
            reasoning: "Hm.",
            tool_calls: [{ id: "1", name: "look", arguments: { at: "it" } }]
          }
        ],
        tools: [{ name: "look", description: "Looks.", parameters: { type: "object" } }, { name: "stop" }],
        ...(tool_choice === undefined ? {} : { tool_choice })
      },
      (text) => told.push(text)
    )
    return told
  }
  const messages = ["Hi", "So.", "look", "at", "it"]
  expect(said()).toEqual([...messages, "look", "Looks.", "type", "object", "stop", ""])
  expect(said("auto")).toEqual(said())
  expect(said("none")).toEqual(messages)
})

it("are those of the messages alone where no tools are declared", () => {
  const told: Array<string> = []
  eachSaid({ messages: [{ role: "user", content: "Hi" }] }, (text) => told.push(text))
  expect(told).toEqual(["Hi"])
})
