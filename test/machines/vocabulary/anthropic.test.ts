/** Anthropic's messages as jobs. */
import { assert, describe, it } from "@effect/vitest"
import { jobOf, MessagesRequest, stopOf, usageOf } from "../../../src/machines/vocabulary/anthropic/anthropic.ts"
import { asked, refused, right } from "./told.ts"

const hello = { role: "user", content: "hello" } as const
const askedOf = (more: object) => jobOf(asked(MessagesRequest, { model: "m", messages: [hello], ...more }))
const jobOfAll = (more: object) => right(askedOf(more)).job
const messagesOf = (...messages: ReadonlyArray<object>) => jobOfAll({ messages }).messages
const block = (...content: ReadonlyArray<object>) => askedOf({ messages: [{ role: "user", content }] })
const said = (...content: ReadonlyArray<object>) => askedOf({ messages: [{ role: "assistant", content }, hello] })
const text = (one: string) => ({ type: "text", text: one })
const place = "messages[0].content[0]"

describe("messages", () => {
  it("begin with the system's, a text or several, unless it is empty", () => {
    assert.deepStrictEqual(jobOfAll({}).messages, [hello])
    assert.deepStrictEqual(jobOfAll({ system: "" }).messages, [hello])
    assert.deepStrictEqual(jobOfAll({ system: "s" }).messages, [{ role: "system", content: "s" }, hello])
    assert.deepStrictEqual(jobOfAll({ system: [text("a"), text("b")] }).messages?.[0], {
      role: "system",
      content: "a\n\nb"
    })
    assert.deepStrictEqual(refused(askedOf({ system: [{ type: "image" }] })), [
      "UNSUPPORTED_PARAMETER",
      { field: "system[0]" }
    ])
  })

  it("have their blocks as texts of their own, but an assistant's, which are one", () => {
    assert.deepStrictEqual(messagesOf({ role: "user", content: [text("a"), text("b")] }), [
      { role: "user", content: "a\n\nb" }
    ])
    assert.deepStrictEqual(messagesOf({ role: "assistant", content: [text("a"), text("b")] }), [
      { role: "assistant", content: "ab" }
    ])
  })

  it("have results of tools before what is said of them, an error's told as one", () => {
    const result = (id: string, more: object) => ({ type: "tool_result", tool_use_id: id, ...more })
    const content = [
      text("so"),
      result("a", { content: "1" }),
      result("b", { content: [text("x"), { type: "tool_reference", tool_name: "y" }], is_error: true }),
      result("c", {})
    ]
    assert.deepStrictEqual(messagesOf({ role: "user", content }), [
      { role: "tool", content: "1", tool_call_id: "a" },
      { role: "tool", content: "Error: x\n\ny", tool_call_id: "b" },
      { role: "tool", content: "", tool_call_id: "c" },
      { role: "user", content: "so" }
    ])
    assert.deepStrictEqual(messagesOf({ role: "user", content: [result("a", { is_error: false })] }), [
      { role: "tool", content: "", tool_call_id: "a" }
    ])
    assert.deepStrictEqual(messagesOf({ role: "user", content: [] }), [{ role: "user", content: "" }])
  })

  it("have what an assistant said, thought and called", () => {
    const content = [
      { type: "thinking", thinking: "a" },
      text("hi"),
      { type: "thinking", thinking: "b" },
      { type: "thinking" },
      { type: "tool_use", id: "t", name: "f", input: { x: 1 } },
      { type: "tool_use", name: "g" }
    ]
    assert.deepStrictEqual(messagesOf({ role: "assistant", content }), [
      {
        role: "assistant",
        content: "hi",
        reasoning: "a\n\nb\n\n",
        tool_calls: [
          { id: "t", name: "f", arguments: { x: 1 } },
          { id: "", name: "g", arguments: {} }
        ]
      }
    ])
  })

  it("leave out what was thought or done elsewhere, and say so once", () => {
    const kinds = ["redacted_thinking", "server_tool_use", "web_search_tool_result", "server_tool_use"]
    const { ignored, job } = right(said(...kinds.map((type) => ({ type })), text("x")))
    assert.deepStrictEqual(job.messages?.[0], { role: "assistant", content: "x" })
    assert.deepStrictEqual(
      ignored,
      kinds.slice(0, 3).map((kind) => `messages.content.${kind}`)
    )
  })

  it("are refused by the place of what is no text, or says too little", () => {
    const missing = (field: string) => ["INVALID_REQUEST", { field: `${place}.${field}` }]
    const other = ["UNSUPPORTED_PARAMETER", { field: place }]
    assert.deepStrictEqual(refused(block({ type: "document" })), other)
    assert.deepStrictEqual(refused(said({ type: "image" })), other)
    assert.deepStrictEqual(refused(block({ type: "image" })), missing("source"))
    const elsewhere = { type: "url", url: "https://a.b/c.png" }
    assert.deepStrictEqual(refused(block({ type: "image", source: elsewhere })), missing("source"))
    assert.deepStrictEqual(refused(said({ type: "tool_result", tool_use_id: "a" })), other)
    assert.deepStrictEqual(refused(block({ type: "text" })), missing("text"))
    assert.deepStrictEqual(refused(said({ type: "text" })), missing("text"))
    assert.deepStrictEqual(refused(said({ type: "tool_use" })), missing("name"))
    assert.deepStrictEqual(refused(block({ type: "tool_result" })), missing("tool_use_id"))
    assert.deepStrictEqual(refused(block({ type: "tool_result", tool_use_id: "a", content: 7 })), missing("content"))
    assert.deepStrictEqual(refused(block({ type: "tool_result", tool_use_id: "a", content: [{ type: "image" }] })), [
      "UNSUPPORTED_PARAMETER",
      { field: `${place}.content[0]` }
    ])
  })

  it("have images where they stand among their texts", () => {
    const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "aGk=" } }
    const content = [{ type: "text", text: "ab" }, image, { type: "text", text: "c" }]
    assert.deepStrictEqual(messagesOf({ role: "user", content }), [
      { role: "user", content: "ab\n\nc", images: [{ at: 2, data: "aGk=" }] }
    ])
  })

  it("name the kind of a block in a refusal only where it is a word", () => {
    const told = (type: string) => {
      const result = block({ type })
      return result._tag === "Left" ? result.left.what : ""
    }
    assert.include(told("x".repeat(32)), "of type xxx")
    for (const type of ["IMAGE", "an image", "a1", "x".repeat(33)]) assert.include(told(type), "of type another,")
  })

  it("end with what the answer goes on with, where that is an assistant's text", () => {
    const begun = { role: "assistant", content: "Well" }
    const calling = { role: "assistant", content: [{ type: "tool_use", name: "f" }] }
    assert.isTrue(jobOfAll({ messages: [hello, begun] }).continue_final_message)
    assert.notProperty(jobOfAll({ messages: [begun, hello] }), "continue_final_message")
    assert.notProperty(jobOfAll({ messages: [hello, calling] }), "continue_final_message")
  })
})

describe("tools", () => {
  const tool = { name: "f" }
  const full = { name: "g", description: "d", strict: false }

  it("are told as they are said, and others than one's own are left out, which is said", () => {
    const { ignored, job } = right(
      askedOf({
        tools: [
          tool,
          { type: "custom", ...full, input_schema: { type: "object" } },
          { type: "web_search", name: "w" },
          { type: "custom" },
          { name: "" }
        ]
      })
    )
    assert.deepStrictEqual(job.tools, [tool, { ...full, parameters: { type: "object" } }])
    assert.deepStrictEqual(ignored, ["tools.web_search", "tools.custom"])
  })

  it("are chosen among, and nothing is where there are none", () => {
    const choice = (tool_choice: object) => jobOfAll({ tools: [tool], tool_choice }).tool_choice
    assert.strictEqual(choice({ type: "auto" }), "auto")
    assert.strictEqual(choice({ type: "none" }), "none")
    assert.strictEqual(choice({ type: "any" }), "required")
    assert.deepStrictEqual(choice({ type: "tool", name: "f" }), { name: "f" })
    assert.notProperty(jobOfAll({ tool_choice: { type: "auto" } }), "tool_choice")
    assert.notProperty(jobOfAll({ tools: [tool] }), "tool_choice")
    assert.notProperty(jobOfAll({}), "tools")
    for (const wrong of [{ type: "any" }, { type: "tool", name: "f" }])
      assert.deepStrictEqual(refused(askedOf({ tool_choice: wrong })), ["INVALID_REQUEST", { field: "tool_choice" }])
  })

  it("are called one at a time where that is said", () => {
    const parallel = (more: object) => jobOfAll({ tools: [tool], tool_choice: { type: "auto", ...more } })
    assert.isFalse(parallel({ disable_parallel_tool_use: true }).parallel_tool_calls)
    assert.notProperty(parallel({ disable_parallel_tool_use: false }), "parallel_tool_calls")
    assert.notProperty(parallel({}), "parallel_tool_calls")
  })
})

describe("what is wished of an answer", () => {
  it("is a form, by the newer name or the older one", () => {
    const format = { type: "json_schema", schema: { type: "array" } }
    for (const more of [{ output_config: { format } }, { output_format: format }])
      assert.deepStrictEqual(jobOfAll(more).response_format, { type: "json_schema", schema: { type: "array" } })
    assert.notProperty(jobOfAll({ output_format: { type: "text" } }), "response_format")
    for (const wrong of [{ type: "xml" }, { type: "json_schema" }, { type: "xml", schema: {} }])
      assert.deepStrictEqual(refused(askedOf({ output_format: wrong })), [
        "UNSUPPORTED_PARAMETER",
        { field: "output_config.format" }
      ])
  })

  it("is that it thinks only where it is told to, as much as it may", () => {
    const thinks = (thinking?: object, effort?: string) =>
      jobOfAll({
        ...(thinking === undefined ? {} : { thinking }),
        ...(effort === undefined ? {} : { output_config: { effort } })
      }).reasoning
    assert.strictEqual(thinks(), "off")
    assert.strictEqual(thinks({ type: "disabled" }), "off")
    assert.deepStrictEqual(thinks({ type: "enabled" }), {})
    assert.isUndefined(thinks({ type: "adaptive" }))
    assert.deepStrictEqual(thinks({ type: "enabled", budget_tokens: 9 }), { budget: 9 })
    assert.deepStrictEqual(thinks({ type: "adaptive" }, "low"), { effort: "low" })
    assert.deepStrictEqual(thinks({ type: "enabled", budget_tokens: 9 }, "medium"), { effort: "medium", budget: 9 })
    for (const most of ["high", "xhigh", "max"])
      assert.deepStrictEqual(thinks({ type: "adaptive" }, most), { effort: "high" })
  })

  it("is how it is drawn", () => {
    const own = { temperature: 0.5, top_p: 0.6, top_k: 7 }
    const { messages: _, reasoning: __, ...sampling } = jobOfAll({ ...own, max_tokens: 5, stop_sequences: ["x"] })
    assert.deepStrictEqual(sampling, { ...own, max_tokens: 5, stop: ["x"] })
    const { messages: ___, ...none } = jobOfAll({ stop_sequences: [], max_tokens: 1_048_577 })
    assert.deepStrictEqual(none, { reasoning: "off" })
    assert.strictEqual(jobOfAll({ max_tokens: 1_048_576 }).max_tokens, 1_048_576)
  })
})

describe("how an answer ended", () => {
  const ended = (finish_reason: "stop" | "length", stop_sequence?: string, calls = 0) =>
    stopOf({ finish_reason, ...(stop_sequence === undefined ? {} : { stop_sequence }) }, calls)

  it("is by itself, by a sequence, by a call, or cut short", () => {
    assert.deepStrictEqual(ended("stop"), { stop_reason: "end_turn", stop_sequence: null })
    assert.deepStrictEqual(ended("stop", "x"), { stop_reason: "stop_sequence", stop_sequence: "x" })
    assert.deepStrictEqual(ended("stop", "x", 1), { stop_reason: "tool_use", stop_sequence: null })
    assert.deepStrictEqual(ended("length", undefined, 1), { stop_reason: "max_tokens", stop_sequence: null })
  })

  it("is by the sequence where that came in the middle of a call, which nobody is to make", () => {
    const stopped = (given: string) => {
      const message = { content: "", tool_calls: [{ id: "a", name: "f", arguments: given }] }
      return stopOf({ finish_reason: "stop", stop_sequence: "x", message }, 1)
    }
    for (const half of ["", "{", '{"a":"b'])
      assert.deepStrictEqual(stopped(half), { stop_reason: "stop_sequence", stop_sequence: "x" })
    assert.deepStrictEqual(stopped('{"a":"b"}'), { stop_reason: "tool_use", stop_sequence: null })
  })

  it("has the prompt's tokens without those that were read before", () => {
    assert.deepStrictEqual(usageOf({ prompt_tokens: 7, completion_tokens: 3, cached_tokens: 2 }), {
      input_tokens: 5,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 2,
      output_tokens: 3
    })
  })
})
