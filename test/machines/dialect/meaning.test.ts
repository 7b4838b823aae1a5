/** What the tokens of an answer mean to who reads them, and what a whole answer was. */
import { expect, it } from "vitest"
import { Meaning, messageOf } from "../../../src/machines/dialect/meaning.ts"
import { contentOnly } from "../../../src/machines/dialect/dialect.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import { dialectOf } from "../../support/dialects.ts"

const tools = [{ name: "look" }, { name: "stop" }]
const form = { dialect: dialectOf("an object between marks"), prompt: "" }
const call = (name: string, args: string): string =>
  `<tool_call>\n{"name": "${name}", "arguments": ${args}}\n</tool_call>`
const answer = `<think>\nHm.\n</think>\n\nI look.\n${call("look", '{"at": "it"}')}\n${call("stop", "{}")}`
const job = (id: string) => ({ jobId: JobId.make(id), form, tools })

it("is a message with its content, thoughts and calls, each with the id that older programs gave it", () => {
  expect(messageOf(job("job-1"), answer)).toStrictEqual({
    content: "I look.",
    reasoning: "Hm.",
    tool_calls: [
      { id: "kx04xnjv1", name: "look", arguments: '{"at": "it"}' },
      { id: "vy1asf0pi", name: "stop", arguments: "{}" }
    ]
  })
})

it("has no field for what an answer does not have", () => {
  expect(messageOf(job("job-1"), "Hello.")).toStrictEqual({ content: "Hello." })
  expect(messageOf({ ...job("job-1"), form: { dialect: contentOnly(""), prompt: "" } }, "<think>")).toStrictEqual({
    content: "<think>"
  })
})

it("has the same ids each time, nine letters and digits, and others in each job", () => {
  const idsOf = (id: string) => (messageOf(job(id), answer).tool_calls ?? []).map((one) => one.id)
  const all = Array.from({ length: 300 }, (_, at) => idsOf(`job-${at}`)).flat()
  expect(all.filter((id) => !/^[\da-z]{9}$/.test(id))).toEqual([])
  expect(new Set(all).size).toBe(600)
  expect(idsOf("job-7")).toEqual(all.slice(14, 16))
})

it("is told token by token: thoughts, content, a call, and its arguments as they come", () => {
  const told: Array<ReadonlyArray<unknown>> = []
  const meaning = new Meaning(job("job-1"), {
    content: (text) => told.push(["content", text]),
    reasoning: (text) => told.push(["reasoning", text]),
    call: (...of) => told.push(["call", ...of]),
    argument: (...of) => told.push(["argument", ...of])
  })
  for (const token of ["<think>Hm", ".</think>I", " look", '.<tool_call>{"name": "look", "arguments": {"a":', "1}}"])
    meaning.token(token)
  meaning.token(" <")
  meaning.end()
  const id = messageOf(job("job-1"), call("look", "{}")).tool_calls?.[0]?.id
  expect(told).toEqual([
    ["reasoning", "Hm"],
    ["reasoning", "."],
    ["content", "I"],
    ["content", " look"],
    ["content", "."],
    ["call", 0, id, "look"],
    ["argument", 0, '{"a":'],
    ["argument", 0, "1}"],
    ["content", "<"]
  ])
})

it("keeps to itself the ids that a model makes up", () => {
  const own = { ...job("job-1"), form: { dialect: dialectOf("a name and its object"), prompt: "" } }
  const [one] = messageOf(own, "[CALL]look[ID]xyz[ARGS]{}").tool_calls ?? []
  expect(one?.id).toBe(messageOf(job("job-1"), call("look", "{}")).tool_calls?.[0]?.id)
})
