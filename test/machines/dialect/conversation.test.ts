/** A conversation, and what a template is given of it. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { contentParts, offeredTools, templateInput } from "../../../src/machines/dialect/conversation.ts"
import { contentOnly, type Dialect } from "../../../src/machines/dialect/dialect.ts"
import { Fold } from "../../../src/machines/dialect/fold/fold.ts"
import { gathered } from "../../../src/machines/dialect/trial/trial.ts"
import { Conversation } from "../../../src/machines/vocabulary/conversation.ts"
import { dialectOf, renderOf, templates } from "../../support/dialects.ts"

const weather = { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } }
const call = { id: "call00001", name: "get_weather", arguments: { city: "Bonn" } }
const history: Conversation = {
  messages: [
    { role: "system", content: "Be short." },
    {
      role: "user",
      content: "Weather?"
    },
    { role: "assistant", content: "", reasoning: "I ask.", tool_calls: [call] },
    { role: "tool", content: "sunny", tool_call_id: "call00001" }
  ],
  tools: [weather],
  tool_choice: "auto",
  reasoning: { effort: "low" },
  template_args: { today: "Monday" }
}
const given = (dialect: Dialect, conversation = history) => Either.getOrThrow(templateInput(conversation, dialect))

describe("a conversation", () => {
  it("is what a job's messages are, with tools and wishes", () => {
    const decode = Schema.decodeUnknownEither(Conversation, { onExcessProperty: "error" })
    expect(Either.isRight(decode({ messages: [{ role: "user", content: "Hi" }] }))).toBe(true)
    expect(Either.isRight(decode(history))).toBe(true)
    for (const wrong of [
      { messages: [] },
      { ...history, tool_choice: "perhaps" },
      { ...history, reasoning: { effort: "endless" } },
      { ...history, tools: [{ name: "" }] },
      { ...history, response_format: { type: "json_schema" } }
    ])
      expect(Either.isLeft(decode(wrong))).toBe(true)
  })
})

describe("what a template is given", () => {
  it("has arguments, silence and reasoning as it wants them", async () => {
    const text = given(dialectOf("arguments that must be text")).messages[2]
    expect(text?.tool_calls?.[0]?.function.arguments).toBe('{"city":"Bonn"}')
    const object = given(dialectOf("an object between marks")).messages[2]
    expect(object).toMatchObject({ content: "", reasoning_content: "I ask.", tool_calls: [{ id: "call00001" }] })
    expect(object?.tool_calls?.[0]?.function.arguments).toEqual({ city: "Bonn" })
    const silent: Dialect = {
      ...contentOnly("x"),
      tools: dialectOf("a bare object").tools,
      manner: { arguments: "object", content: "null" }
    }
    expect(given(silent).messages[2]?.content).toBeNull()
  })

  it("has tools, wishes and its own variables", async () => {
    const dialect = dialectOf("an object between marks")
    const input = given(dialect)
    expect(input.tools).toEqual([{ type: "function", function: { ...weather, description: "" } }])
    expect([input.prompt, input.thinking, input.args]).toEqual([
      true,
      true,
      { reasoning_effort: "low", today: "Monday" }
    ])
    expect(given(dialect, { ...history, reasoning: "off" }).thinking).toBe(false)
    expect(given(dialect, { ...history, tool_choice: "none" }).tools).toEqual([])
  })

  it("is nothing where tools are asked for and it knows none: that is refused", () => {
    const refused = templateInput(history, contentOnly("the template shows no calls"))
    expect(Either.isLeft(refused) ? [refused.left.code, refused.left.details["field"]] : undefined).toEqual([
      "INVALID_REQUEST",
      "tools"
    ])
    expect(Either.isRight(templateInput({ messages: history.messages }, contentOnly("")))).toBe(true)
  })

  it("has of messages what they say, and no field that they leave out", () => {
    const messages: Conversation["messages"] = [
      { role: "user", content: "Hi", name: "ann" },
      { role: "assistant", content: "I look.", tool_calls: [call] },
      { role: "tool", content: "sunny", tool_call_id: "call00001" }
    ]
    const { args, messages: given_, prompt, thinking, tools } = given(contentOnly(""), { messages })
    expect(given_).toStrictEqual([
      { role: "user", content: "Hi", name: "ann" },
      {
        role: "assistant",
        content: "I look.",
        tool_calls: [
          { id: "call00001", type: "function", function: { name: "get_weather", arguments: call.arguments } }
        ]
      },
      { role: "tool", content: "sunny", tool_call_id: "call00001" }
    ])
    expect({ args, prompt, thinking, tools }).toStrictEqual({ args: {}, prompt: true, thinking: undefined, tools: [] })
    expect(given(contentOnly(""), { messages, reasoning: {} }).args).toStrictEqual({})
    expect(given(contentOnly(""), { messages, reasoning: "off" }).args).toStrictEqual({})
  })

  it("has thoughts in the field that the template reads, or as a part of the content", () => {
    const thinks = (field: string | undefined): Dialect => ({
      ...contentOnly(""),
      reasoning: {
        open: "<think>",
        close: "</think>",
        confirmed: "render",
        prompt: { on: "none", off: "none", default: "none" },
        ...(field === undefined ? {} : { field })
      }
    })
    const messages: Conversation["messages"] = [{ role: "assistant", content: "Yes.", reasoning: "Hm." }]
    const said = (field: string | undefined) => given(thinks(field), { messages }).messages[0]
    expect(said("thinking")).toStrictEqual({ role: "assistant", content: "Yes.", thinking: "Hm." })
    expect(said(undefined)).toStrictEqual({ role: "assistant", content: "Yes.", reasoning_content: "Hm." })
    expect(said("parts")).toStrictEqual({ role: "assistant", content: contentParts("Hm.", "Yes.") })
    expect(contentParts("Hm.", "Yes.")).toStrictEqual([
      { type: "thinking", thinking: "Hm." },
      { type: "text", text: "Yes." }
    ])
    const silent = { messages: [{ role: "assistant" as const, content: "Yes." }] }
    expect(given(thinks("parts"), silent).messages[0]).toStrictEqual({ role: "assistant", content: "Yes." })
  })

  it("is told of each tool as its client described it, and of none where none may be called", () => {
    const described = { name: "stop", description: "Ends it." }
    const input = given(dialectOf("a bare object"), { ...history, tools: [described] })
    expect(input.tools).toStrictEqual([
      { type: "function", function: { ...described, parameters: { type: "object", properties: {} } } }
    ])
    expect(offeredTools({ tools: [described], tool_choice: "none" })).toEqual([])
    expect(offeredTools({ tools: [described], tool_choice: "required" })).toEqual([described])
    expect(offeredTools({})).toEqual([])
  })

  it("has no variable in place of the conversation's own", () => {
    const refusal = (name: string) => {
      const made = templateInput({ messages: history.messages, template_args: { [name]: "x" } }, contentOnly(""))
      return Either.isLeft(made) ? [made.left.code, made.left.details["field"]] : undefined
    }
    for (const name of ["messages", "tools", "functions", "add_generation_prompt", "bos_token", "eos_token"])
      expect([name, refusal(name)]).toEqual([name, ["INVALID_REQUEST", "template_args"]])
    expect(refusal("today")).toBeUndefined()
  })

  it("goes on with the last message only where that is the assistant's, and calls nothing", () => {
    const goesOn = (last: Conversation["messages"][number], continued = true) => {
      const messages = [{ role: "user" as const, content: "Hi" }, last]
      const made = templateInput({ messages, continue_final_message: continued }, contentOnly(""))
      return Either.isLeft(made) ? made.left.details["field"] : made.right.prompt
    }
    expect(goesOn({ role: "assistant", content: "It is" })).toBe(false)
    expect(goesOn({ role: "assistant", content: "It is", tool_calls: [] })).toBe(false)
    expect(goesOn({ role: "assistant", content: "", tool_calls: [call] })).toBe("continue_final_message")
    expect(goesOn({ role: "user", content: "Hi" })).toBe("continue_final_message")
    expect(goesOn({ role: "user", content: "Hi" }, false)).toBe(true)
  })

  it("is refused where the template leaves out the tools that are asked for", () => {
    const dialect = dialectOf("a bare object")
    const deaf: Dialect = { ...dialect, tools: dialect.tools === null ? null : { ...dialect.tools, told: false } }
    expect(Either.isLeft(templateInput(history, deaf))).toBe(true)
    expect(Either.isRight(templateInput({ ...history, tool_choice: "none" }, deaf))).toBe(true)
  })

  it("is the prompt that an answer is read after", async () => {
    const render = await renderOf(templates["an element an argument"])
    const dialect = dialectOf("an element an argument")
    const fold = new Fold(dialect, { tools: [weather], prompt: render(given(dialect)) })
    const text =
      "So.\n</think>\n\n<tool_call>\n<function=get_weather>\n<parameter=city>\nBonn\n</parameter>\n</function>\n</tool_call>"
    expect(gathered([...fold.push(text), ...fold.end()])).toEqual({
      reasoning: "So.",
      content: "",
      calls: [{ name: "get_weather", id: "", arguments: '{"city": "Bonn"}' }]
    })
  })
})
