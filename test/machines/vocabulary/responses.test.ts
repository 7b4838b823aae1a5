/** OpenAI's responses as jobs, and what is kept of them. */
import { assert, describe, it } from "@effect/vitest"
import { Item, messagesOf, seal } from "../../../src/machines/vocabulary/responses/items.ts"
import { itemsOf, jobOf, ResponseRequest } from "../../../src/machines/vocabulary/responses/request.ts"
import { usageOf } from "../../../src/machines/vocabulary/responses/response.ts"
import type { ChatMessage } from "../../../src/machines/vocabulary/conversation.ts"
import { asked, refused, right } from "./told.ts"

const hello = { role: "user", content: "hello" } as const
const read = (...items: ReadonlyArray<object>) => messagesOf(items.map((item) => asked(Item, item)))
const messages = (...items: ReadonlyArray<object>) => right(read(...items)).messages
const said = (content: string) => ({ role: "assistant" as const, content })
const call = (more: object) => ({ type: "function_call", call_id: "c", name: "f", ...more })

describe("items", () => {
  it("that are messages have their roles, and a type only where they say one", () => {
    assert.deepStrictEqual(
      messages(hello, { type: "message", role: "developer", content: "d" }, { role: "system", content: "s" }),
      [hello, { role: "system", content: "d" }, { role: "system", content: "s" }]
    )
    for (const role of ["tool", undefined])
      assert.deepStrictEqual(refused(read({ role, content: "x" })), ["INVALID_REQUEST", { field: "input[0].role" }])
  })

  it("of an assistant that follow each other are one message", () => {
    assert.deepStrictEqual(
      messages(
        { type: "reasoning", content: [{ type: "reasoning_text", text: "hm" }] },
        said("yes"),
        call({ arguments: '{"a":1}' }),
        call({ call_id: undefined, name: "g" }),
        hello,
        said("x")
      ),
      [
        {
          role: "assistant",
          content: "yes",
          reasoning: "hm",
          tool_calls: [
            { id: "c", name: "f", arguments: { a: 1 } },
            { id: "", name: "g", arguments: {} }
          ]
        },
        hello,
        { role: "assistant", content: "x" }
      ]
    )
  })

  it("of an assistant are several messages where it says something anew, or after a call", () => {
    assert.deepStrictEqual(messages(said("a"), said("b")), [said("a"), said("b")])
    assert.strictEqual(messages(call({}), said("b")).length, 2)
    assert.strictEqual(messages(call({}), call({})).length, 1)
    assert.strictEqual(messages(said("a"), { type: "reasoning", content: "x" }).length, 2)
    assert.deepStrictEqual(messages(said(""), said("b")), [said("b")])
  })

  it("have a call's arguments as an object, as its text, or not at all", () => {
    const args = (given?: unknown) => messages(call({ arguments: given }))[0]?.tool_calls?.[0]?.arguments
    assert.deepStrictEqual(args(), {})
    assert.deepStrictEqual(args(" "), {})
    assert.deepStrictEqual(args({ a: 1 }), { a: 1 })
    assert.deepStrictEqual(args('{"a":1}'), { a: 1 })
    for (const written of ["[1]", "{", 7]) assert.deepStrictEqual(args(written), { INVALID_JSON: String(written) })
    assert.deepStrictEqual(refused(read({ type: "function_call" })), ["INVALID_REQUEST", { field: "input[0].name" }])
  })

  it("have what a tool gave, and to which call", () => {
    const output = { type: "function_call_output", call_id: "c", output: [{ type: "input_text", text: "7" }] }
    assert.deepStrictEqual(messages(call({}), output).at(-1), { role: "tool", content: "7", tool_call_id: "c" })
    assert.deepStrictEqual(refused(read({ ...output, call_id: undefined })), [
      "INVALID_REQUEST",
      { field: "input[0].call_id" }
    ])
    assert.deepStrictEqual(refused(read({ ...output, output: undefined })), [
      "INVALID_REQUEST",
      { field: "input[0].output" }
    ])
  })

  it("have thoughts as they are, else as they were summed up, else as their client kept them", () => {
    const thought = (more: object) => messages({ type: "reasoning", ...more }, said("x"))[0]?.reasoning
    const content = [{ type: "reasoning_text", text: "own" }]
    const summary = [{ type: "summary_text", text: "told" }]
    const encrypted_content = `${seal}kept`
    assert.strictEqual(thought({ content, summary, encrypted_content }), "own")
    assert.strictEqual(thought({ summary, encrypted_content }), "told")
    assert.strictEqual(thought({ encrypted_content }), "kept")
    assert.isUndefined(thought({ encrypted_content: "another's" }))
    assert.isUndefined(thought({}))
    assert.deepStrictEqual(refused(read({ type: "reasoning", content: 7 })), [
      "INVALID_REQUEST",
      { field: "input[0].content" }
    ])
    assert.deepStrictEqual(refused(read({ type: "reasoning", summary: 7 })), [
      "INVALID_REQUEST",
      { field: "input[0].summary" }
    ])
  })

  it("have text in parts of every name, and nothing else", () => {
    const kinds = ["input_text", "output_text", "text", "reasoning_text", "summary_text", "refusal"]
    const parts = kinds.map((type) => ({ type, text: `${type};` }))
    assert.deepStrictEqual(messages({ role: "user", content: parts })[0]?.content, `${kinds.join(";")};`)
    assert.deepStrictEqual(messages({ role: "user", content: [{ type: "refusal", refusal: "no" }] })[0]?.content, "no")
    const part = (one: object) => refused(read({ role: "user", content: [one] }))
    const field = "input[0].content[0]"
    assert.deepStrictEqual(part({ type: "input_file" }), ["UNSUPPORTED_PARAMETER", { field }])
    assert.deepStrictEqual(part({ type: "input_image" }), ["INVALID_REQUEST", { field: `${field}.image_url` }])
    const image = { type: "input_image", image_url: "data:image/jpeg;base64,aGk=" }
    const shown = messages({ role: "user", content: [{ type: "input_text", text: "ab" }, image] })
    assert.deepStrictEqual(shown, [{ role: "user", content: "ab", images: [{ at: 2, data: "aGk=" }] }])
    assert.deepStrictEqual(part({ type: "text" }), ["INVALID_REQUEST", { field: `${field}.text` }])
  })

  it("name the kind of a part in a refusal only where it is a word", () => {
    const told = (type: string) => {
      const result = read({ role: "user", content: [{ type }] })
      return result._tag === "Left" ? result.left.what : ""
    }
    assert.include(told("x".repeat(32)), "of type xxx")
    for (const type of ["IMAGE", "an image", "a1", "x".repeat(33)]) assert.include(told(type), "of type another;")
  })

  it("of other kinds are left out, which is said once, and references are refused", () => {
    const { ignored, messages: rest } = right(read({ type: "web_search_call" }, hello, { type: "web_search_call" }))
    assert.deepStrictEqual(rest, [hello])
    assert.deepStrictEqual(ignored, ["input.web_search_call"])
    assert.deepStrictEqual(refused(read(hello, { type: "item_reference", id: "x" })), [
      "INVALID_REQUEST",
      { field: "input[1]" }
    ])
  })
})

const answerOf = (body: Readonly<Record<string, unknown>>, before: ReadonlyArray<ChatMessage> = []) => {
  const request = asked(ResponseRequest, { model: "m", ...body })
  return jobOf(request, { before, body: { model: "m", ...body }, items: itemsOf(request) })
}
const jobFor = (body: Readonly<Record<string, unknown>>) => {
  const { messages: _, response: __, stream: ___, ...job } = right(answerOf({ input: "hello", ...body })).job
  return job
}
const keptFor = (body: Readonly<Record<string, unknown>>) => right(answerOf({ input: "hello", ...body })).kept

describe("a response", () => {
  it("goes on from its instructions, what was before, and what is said now", () => {
    const { job, kept } = right(answerOf({ input: "hello", instructions: "i" }, [said("x")]))
    assert.deepStrictEqual(job, {
      messages: [{ role: "system", content: "i" }, said("x"), hello],
      stream: true,
      response: kept
    })
    assert.deepStrictEqual(right(answerOf({ input: [] }, [hello])).job.messages, [hello])
    for (const nothing of [{}, { input: [] }])
      assert.deepStrictEqual(refused(answerOf(nothing)), ["INVALID_REQUEST", { field: "input" }])
  })

  it("is drawn as it is asked for", () => {
    assert.deepStrictEqual(jobFor({}), {})
    assert.deepStrictEqual(jobFor({ temperature: 0.5, top_p: 0.6, max_output_tokens: 5 }), {
      temperature: 0.5,
      top_p: 0.6,
      max_tokens: 5
    })
    assert.deepStrictEqual(jobFor({ max_output_tokens: 1_048_576 }), { max_tokens: 1_048_576 })
    assert.deepStrictEqual(jobFor({ max_output_tokens: 1_048_577 }), {})
  })

  it("has logprobs where they are included, or others are asked for", () => {
    assert.deepStrictEqual(jobFor({ include: ["message.output_text.logprobs"] }), { logprobs: 0 })
    assert.deepStrictEqual(jobFor({ top_logprobs: 2 }), { logprobs: 2 })
    assert.deepStrictEqual(jobFor({ top_logprobs: 0, include: ["other"] }), {})
  })

  const tool = { type: "function", name: "f" }
  const other = { type: "function", name: "g", description: "d", parameters: {}, strict: true }

  it("has functions as they are told, and others are left out, which is said once", () => {
    const tools = [tool, other, { type: "web_search" }, { type: "function" }, { type: "web_search", name: "x" }]
    const { ignored, job } = right(answerOf({ input: "hello", tools }))
    assert.deepStrictEqual(job.tools, [{ name: "f" }, { name: "g", description: "d", parameters: {}, strict: true }])
    assert.deepStrictEqual(ignored, ["tools.web_search", "tools.function"])
  })

  it("has a choice among its functions", () => {
    const choice = (tool_choice: unknown) => jobFor({ tools: [tool, other], tool_choice })
    const names = (job: ReturnType<typeof jobFor>) => job.tools?.map(({ name }) => name)
    assert.strictEqual(choice("required").tool_choice, "required")
    assert.deepStrictEqual(choice({ type: "function", name: "g" }).tool_choice, { name: "g" })
    const some = choice({ type: "allowed_tools", mode: "required", tools: [{ name: "g" }, { type: "function" }] })
    assert.deepStrictEqual([some.tool_choice, names(some)], ["required", ["g"]])
    const any = choice({ type: "allowed_tools", tools: [{ name: "f" }] })
    assert.deepStrictEqual([any.tool_choice, names(any)], ["auto", ["f"]])
    assert.notProperty(choice({ type: "allowed_tools" }), "tools")
    for (const wrong of [{ type: "function" }, { type: "custom", name: "f" }])
      assert.deepStrictEqual(refused(answerOf({ input: "hello", tools: [tool], tool_choice: wrong })), [
        "UNSUPPORTED_PARAMETER",
        { field: "tool_choice" }
      ])
  })

  it("has the wishes of a chat", () => {
    assert.deepStrictEqual(jobFor({ reasoning: { effort: "low" }, parallel_tool_calls: true }), {
      reasoning: { effort: "low" },
      parallel_tool_calls: true
    })
    const form = (format: object) => jobFor({ text: { format } }).response_format
    assert.deepStrictEqual(form({ type: "json_object" }), { type: "json_object" })
    assert.isUndefined(form({ type: "text" }))
    assert.deepStrictEqual(form({ type: "json_schema", name: "n", schema: { type: "array" } }), {
      type: "json_schema",
      name: "n",
      schema: { type: "array" }
    })
    assert.deepStrictEqual(form({ type: "json_schema" }), { type: "json_schema", schema: {} })
  })
})

describe("what is kept of a response", () => {
  it("is what it was asked with", () => {
    const input = [{ role: "user", content: "hello", made: "up" }]
    assert.deepStrictEqual(keptFor({ input, instructions: "i", previous_response_id: "p", background: true }), {
      model: "m",
      store: true,
      background: true,
      previous: "p",
      instructions: "i",
      input,
      summary: false,
      sealed: false,
      echo: { instructions: "i" }
    })
    assert.deepStrictEqual(keptFor({}).input, [{ type: "message", role: "user", content: "hello" }])
  })

  it("has nothing of its input where it is not stored", () => {
    const { input, store } = keptFor({ store: false })
    assert.deepStrictEqual([store, input], [false, []])
  })

  it("says how its thoughts are told", () => {
    assert.isTrue(keptFor({ reasoning: { summary: "auto" } }).summary)
    assert.isTrue(keptFor({ reasoning: { generate_summary: "auto" } }).summary)
    assert.isFalse(keptFor({ reasoning: { effort: "low" } }).summary)
    assert.isTrue(keptFor({ include: ["reasoning.encrypted_content"] }).sealed)
  })

  it("has the fields that the response repeats, as they were sent", () => {
    const repeated = {
      instructions: "i",
      max_output_tokens: 5,
      metadata: {},
      parallel_tool_calls: true,
      prompt_cache_key: "k",
      reasoning: {},
      safety_identifier: "s",
      service_tier: "t",
      temperature: 0.5,
      text: {},
      tool_choice: "auto",
      tools: [],
      top_p: 1,
      truncation: "disabled",
      user: "u"
    }
    assert.deepStrictEqual(keptFor({ ...repeated, include: [], store: true }).echo, repeated)
    assert.deepStrictEqual(keptFor({ metadata: null }).echo, {})
  })
})

it("the usage of a response counts the prompt's tokens, the answer's and both", () => {
  assert.deepStrictEqual(usageOf({ prompt_tokens: 5, completion_tokens: 3, cached_tokens: 2 }), {
    input_tokens: 5,
    input_tokens_details: { cached_tokens: 2 },
    output_tokens: 3,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 8
  })
})
