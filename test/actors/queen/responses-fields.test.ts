/** What becomes of every field of a response's request, and of the kinds of items and tools in it. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type OpenAI from "openai"
import { harmless, served, unserved } from "../../../src/machines/vocabulary/responses/fields.ts"
import { edge, layer, sayAll } from "../../support/queen/openai-edge.ts"

const hello = { model: "minillama", input: "hello" }
const path = "/v1/responses"
const tool = { type: "function", name: "calc", parameters: { type: "object" }, strict: false }

type Published = OpenAI.Responses.ResponseCreateParamsNonStreaming & OpenAI.Responses.ResponseCreateParamsStreaming
type Fate = "served" | "harmless" | "refused"

/** One value of each field that asks for something, and what becomes of it; the compiler knows all. */
const published: Record<keyof Published, readonly [value: unknown, fate: Fate]> = {
  background: [true, "served"],
  context_management: [[{ type: "compaction" }], "refused"],
  conversation: ["conv_1", "refused"],
  include: [["reasoning.encrypted_content", "web_search_call.action.sources"], "served"],
  input: ["hello", "served"],
  instructions: ["be kind", "served"],
  max_output_tokens: [7, "served"],
  metadata: [{ a: "b" }, "served"],
  model: ["minillama", "served"],
  parallel_tool_calls: [false, "served"],
  previous_response_id: ["resp_job-1", "served"],
  prompt: [{ id: "pmpt_1" }, "refused"],
  prompt_cache_key: ["k", "harmless"],
  prompt_cache_retention: ["24h", "harmless"],
  reasoning: [{ effort: "high", summary: "auto" }, "served"],
  safety_identifier: ["me", "harmless"],
  service_tier: ["flex", "harmless"],
  store: [false, "served"],
  stream: [false, "served"],
  stream_options: [{ include_obfuscation: false }, "harmless"],
  temperature: [0.5, "served"],
  text: [{ format: { type: "json_object" }, verbosity: "low" }, "served"],
  tool_choice: ["none", "served"],
  tools: [[tool], "served"],
  top_p: [0.5, "served"],
  truncation: ["auto", "harmless"],
  user: ["me", "harmless"]
}
/** Of newer versions of it. */
const newer: Record<string, readonly [value: unknown, fate: Fate]> = {
  max_tool_calls: [3, "harmless"],
  top_logprobs: [2, "served"]
}

const fates = Object.entries({ ...published, ...newer }).map(([field, [value, fate]]) => ({ field, value, fate }))

describe("a field of a response's request", () => {
  it.scopedLive.each(fates)(
    "of OpenAI's schema is served, harmless or refused by its name: $field",
    ({ fate, field, value }) =>
      Effect.gen(function* () {
        const { asked, post } = yield* edge(sayAll)
        // something to go on from
        yield* post(hello, path)
        asked.length = 1
        const got = yield* post({ ...hello, [field]: value }, path)
        expect(got.headers.get("x-rbee-ignored")).toBeNull()
        if (fate === "refused") {
          expect([got.status, got.body]).toMatchObject([
            400,
            { error: { code: "unsupported_parameter", param: field, details: { code: "UNSUPPORTED_PARAMETER" } } }
          ])
          return expect([asked.length, Object.keys(unserved)]).toEqual([1, expect.arrayContaining([field])])
        }
        expect([got.status, got.body]).toMatchObject([200, { object: "response" }])
        expect(fate === "served" ? served : harmless).toContain(field)
        const ofNull = yield* post({ ...hello, [field]: null }, path)
        expect(ofNull.status).toBe(["model", "input"].includes(field) ? 400 : 200)
      }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that nobody has published is taken, and named", () =>
    Effect.gen(function* () {
      const { counted, post } = yield* edge(sayAll)
      const got = yield* post({ ...hello, foo: 1 }, path)
      expect([got.status, got.headers.get("x-rbee-ignored"), counted.ignored]).toEqual([200, "foo", 1])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("becomes what a job is asked", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const becomes = (fields: object) =>
        Effect.map(post({ ...hello, ...fields }, path), ({ body, status }) => {
          if (status !== 200) return [status, body.error.param]
          const { messages: _, model: __, response: ___, stream: ____, ...rest } = asked.at(-1) ?? { model: "" }
          return rest
        })
      expect(yield* becomes({})).toEqual({})
      const tools = [{ name: "calc", parameters: { type: "object" }, strict: false }]
      const other = { ...tool, name: "now" }
      expect(yield* becomes({ tools: [tool], tool_choice: { type: "function", name: "calc" } })).toEqual({
        tools,
        tool_choice: { name: "calc" }
      })
      const allowed = { type: "allowed_tools", mode: "required", tools: [{ type: "function", name: "calc" }] }
      expect(yield* becomes({ tools: [tool, other], tool_choice: allowed })).toEqual({ tools, tool_choice: "required" })
      expect(yield* becomes({ tools: [tool], tool_choice: { type: "web_search_preview" } })).toEqual([
        400,
        "tool_choice"
      ])
      expect(yield* becomes({ tools: [tool], tool_choice: { type: "function", name: "x" } })).toEqual([
        400,
        "tool_choice"
      ])
      const schema = { type: "object", properties: {} }
      expect(yield* becomes({ text: { format: { type: "json_schema", name: "a", schema, strict: true } } })).toEqual({
        response_format: { type: "json_schema", name: "a", schema }
      })
      expect(yield* becomes({ text: { format: { type: "text" } } })).toEqual({})
      expect(yield* becomes({ reasoning: { effort: "none" } })).toEqual({ reasoning: "off" })
      expect(yield* becomes({ reasoning: { effort: null, summary: "auto" } })).toEqual({})
      expect(yield* becomes({ max_output_tokens: 5, temperature: 0, top_p: 0 })).toEqual({
        max_tokens: 5,
        temperature: 0,
        top_p: 0
      })
      expect(yield* becomes({ include: ["message.output_text.logprobs"] })).toMatchObject({ logprobs: 0 })
      expect(yield* becomes({ top_logprobs: 3 })).toMatchObject({ logprobs: 3 })
      expect(yield* becomes({ top_logprobs: 21 })).toEqual([400, "top_logprobs"])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("tools that are no functions are left out of the prompt, and named", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      // as Codex has them
      const tools = [
        tool,
        { type: "namespace", name: "mcp", description: "more", tools: [tool] },
        { type: "web_search", external_web_access: false },
        { type: "custom", name: "apply_patch", format: { type: "grammar", syntax: "lark", definition: "" } }
      ]
      const got = yield* post({ ...hello, tools }, path)
      expect([got.status, got.headers.get("x-rbee-ignored")]).toEqual([
        200,
        "tools.namespace, tools.web_search, tools.custom"
      ])
      expect(asked[0]?.tools).toMatchObject([{ name: "calc" }])
    }).pipe(Effect.provide(layer))
  )
})

describe("items", () => {
  it.scopedLive("of an agent are a conversation", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const call = (id: string, name: string, given: string) => ({
        type: "function_call",
        id: `fc_${id}`,
        call_id: id,
        name,
        arguments: given,
        status: "completed"
      })
      const got = yield* post(
        {
          model: "minillama",
          instructions: "be kind",
          input: [
            { type: "message", role: "developer", content: [{ type: "input_text", text: "be brief" }] },
            { role: "user", content: "6 and 7?" },
            { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "hm" }], encrypted_content: "x" },
            { type: "message", role: "assistant", content: [{ type: "output_text", text: "So", annotations: [] }] },
            call("call_1", "calc", '{"a":6}'),
            call("call_2", "now", ""),
            { type: "function_call_output", call_id: "call_1", output: "42" },
            { type: "function_call_output", call_id: "call_2", output: [{ type: "input_text", text: "noon" }] },
            { type: "web_search_call", id: "ws_1", status: "completed", action: {} },
            { type: "message", role: "assistant", content: [{ type: "refusal", refusal: "no" }] },
            { role: "user", content: "and?" }
          ]
        },
        path
      )
      expect([got.status, got.headers.get("x-rbee-ignored")]).toEqual([200, "input.web_search_call"])
      expect(asked[0]?.messages).toEqual([
        { role: "system", content: "be kind" },
        { role: "system", content: "be brief" },
        { role: "user", content: "6 and 7?" },
        {
          role: "assistant",
          content: "So",
          reasoning: "hm",
          tool_calls: [
            { id: "call_1", name: "calc", arguments: { a: 6 } },
            { id: "call_2", name: "now", arguments: {} }
          ]
        },
        { role: "tool", content: "42", tool_call_id: "call_1" },
        { role: "tool", content: "noon", tool_call_id: "call_2" },
        { role: "assistant", content: "no" },
        { role: "user", content: "and?" }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("are refused by the place of what is not supported or not right", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const refused = (item: unknown) =>
        Effect.map(post({ ...hello, input: [{ role: "user", content: "a" }, item] }, path), ({ body, status }) => [
          status,
          body.error.code,
          body.error.param
        ])
      const file = { type: "input_file", file_url: "data:," }
      expect(yield* refused({ role: "user", content: [file] })).toEqual([
        400,
        "unsupported_parameter",
        "input[1].content[0]"
      ])
      expect(yield* refused({ role: "captain", content: "a" })).toEqual([400, "invalid_request", "input[1].role"])
      expect(yield* refused({ role: "user" })).toEqual([400, "invalid_request", "input[1].content"])
      expect(yield* refused({ type: "function_call", arguments: "{}" })).toEqual([
        400,
        "invalid_request",
        "input[1].name"
      ])
      expect(yield* refused({ type: "function_call_output", output: "a" })).toEqual([
        400,
        "invalid_request",
        "input[1].call_id"
      ])
      expect(yield* refused({ type: "item_reference", id: "msg_1" })).toEqual([400, "invalid_request", "input[1]"])
      const { body, status } = yield* post({ ...hello, input: [] }, path)
      expect([status, body.error.param]).toEqual([400, "input"])
      expect(asked).toEqual([])
    }).pipe(Effect.provide(layer))
  )
})
