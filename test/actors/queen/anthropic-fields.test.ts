/** What becomes of every field of a message's request, and of the kinds of blocks and tools in it. */
import { describe, expect, it } from "@effect/vitest"
import type Anthropic from "@anthropic-ai/sdk"
import * as Effect from "effect/Effect"
import { harmless, served } from "../../../src/machines/vocabulary/anthropic/fields.ts"
import { edge, layer, sayAll } from "../../support/queen/openai-edge.ts"

const hello = { model: "minillama", max_tokens: 9, messages: [{ role: "user" as const, content: "hello" }] }
const path = "/v1/messages?beta=true"

type Published = Anthropic.MessageCreateParamsNonStreaming & Anthropic.MessageCreateParamsStreaming
type Beta = Omit<Anthropic.Beta.MessageCreateParamsNonStreaming, "betas">
type Fate = "served" | "harmless" | "refused" | "ignored"

const tool = { name: "calc", input_schema: { type: "object" } }

/** One value of each field that asks for something, and what becomes of it; the compiler knows all. */
const published: Record<keyof Published | keyof Beta, readonly [value: unknown, fate: Fate]> = {
  messages: [hello.messages, "served"],
  model: ["minillama", "served"],
  max_tokens: [7, "served"],
  cache_control: [{ type: "ephemeral" }, "harmless"],
  container: ["container_1", "refused"],
  diagnostics: [{ previous_message_id: "msg_1" }, "harmless"],
  inference_geo: ["eu", "harmless"],
  metadata: [{ user_id: "me" }, "harmless"],
  output_config: [{ effort: "high" }, "served"],
  service_tier: ["auto", "harmless"],
  speed: ["fast", "harmless"],
  stop_sequences: [["END"], "served"],
  stream: [false, "served"],
  system: ["be kind", "served"],
  thinking: [{ type: "adaptive", display: "summarized" }, "served"],
  tool_choice: [{ type: "auto" }, "served"],
  tools: [[tool], "served"],
  user_profile_id: ["me", "harmless"],
  workspace_id: ["w", "harmless"],
  // of betas
  billing_policy: [{}, "ignored"],
  compaction: [{ type: "auto" }, "ignored"],
  context_management: [{ edits: [{ type: "clear_tool_uses_20250919" }] }, "ignored"],
  fallback_credit_token: ["t", "ignored"],
  fallbacks: [[{ model: "other" }], "ignored"],
  mcp_servers: [[{ type: "url", url: "https://a.example", name: "a" }], "refused"],
  output_format: [{ type: "json_schema", schema: { type: "object" } }, "served"],
  thread: [{ id: "t" }, "refused"]
}
/** Of older versions of it. */
const older: Record<string, readonly [value: unknown, fate: Fate]> = {
  temperature: [0.5, "served"],
  top_k: [5, "served"],
  top_p: [0.5, "served"]
}

const fates = Object.entries({ ...published, ...older }).map(([field, [value, fate]]) => ({ field, value, fate }))

describe("a field of a message's request", () => {
  it.scopedLive.each(fates)(
    "of Anthropic's schema is served, harmless, named as left out, or refused by its name: $field",
    ({ fate, field, value }) =>
      Effect.gen(function* () {
        const { asked, post } = yield* edge(sayAll)
        const got = yield* post({ ...hello, [field]: value }, path)
        expect(got.headers.get("x-rbee-ignored")).toBe(fate === "ignored" ? field : null)
        if (fate === "refused") {
          expect([got.status, got.body]).toMatchObject([
            400,
            { error: { type: "invalid_request_error", details: { code: "UNSUPPORTED_PARAMETER", field } } }
          ])
          return expect(asked).toEqual([])
        }
        expect([got.status, got.body]).toMatchObject([200, { type: "message" }])
        if (fate !== "ignored") expect(fate === "served" ? served : harmless).toContain(field)
        expect((yield* post({ ...hello, [field]: null }, path)).status).toBe(
          ["model", "messages"].includes(field) ? 400 : 200
        )
      }).pipe(Effect.provide(layer))
  )

  it.scopedLive("becomes what a job is asked", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const becomes = (fields: object) =>
        Effect.map(post({ ...hello, ...fields }, path), ({ body, status }) => {
          if (status !== 200) return [status, body.error.message]
          const { max_tokens: _, messages: __, model: ___, stream: ____, ...rest } = asked.at(-1) ?? { model: "" }
          return rest
        })
      const off = { reasoning: "off" }
      expect(yield* becomes({})).toEqual(off)
      expect(yield* becomes({ thinking: { type: "disabled" }, output_config: { effort: "low" } })).toEqual(off)
      expect(yield* becomes({ thinking: { type: "enabled", budget_tokens: 2000 } })).toEqual({
        reasoning: { budget: 2000 }
      })
      expect(yield* becomes({ thinking: { type: "adaptive" } })).toEqual({})
      expect(yield* becomes({ thinking: { type: "adaptive" }, output_config: { effort: "max" } })).toEqual({
        reasoning: { effort: "high" }
      })
      const schema = { type: "object", properties: {} }
      expect(yield* becomes({ output_config: { format: { type: "json_schema", schema } } })).toEqual({
        ...off,
        response_format: { type: "json_schema", schema }
      })
      const strict = { ...tool, type: "custom", description: "sums", strict: true, cache_control: {} }
      const tools = [{ name: "calc", description: "sums", parameters: { type: "object" }, strict: true }]
      expect(yield* becomes({ tools: [strict] })).toEqual({ ...off, tools })
      for (const [choice, meant] of [
        [{ type: "any" }, { tool_choice: "required" }],
        [{ type: "none" }, { tool_choice: "none" }],
        [{ type: "tool", name: "calc" }, { tool_choice: { name: "calc" } }],
        [
          { type: "auto", disable_parallel_tool_use: true },
          { tool_choice: "auto", parallel_tool_calls: false }
        ]
      ] as const)
        expect(yield* becomes({ tools: [strict], tool_choice: choice })).toEqual({ ...off, tools, ...meant })
      expect(yield* becomes({ tool_choice: { type: "tool", name: "nope" } })).toMatchObject([
        400,
        expect.stringMatching(/nope/)
      ])
      expect(yield* becomes({ temperature: 1, top_p: 0.9, top_k: 40, stop_sequences: [] })).toEqual({
        ...off,
        temperature: 1,
        top_p: 0.9,
        top_k: 40
      })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("tools that run on Anthropic's servers are left out of the prompt, and named", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const web = { type: "web_search_20250305", name: "web_search", max_uses: 5 }
      const got = yield* post({ ...hello, tools: [tool, web] }, path)
      expect([got.status, got.headers.get("x-rbee-ignored")]).toEqual([200, "tools.web_search_20250305"])
      expect(asked[0]?.tools).toMatchObject([{ name: "calc" }])
    }).pipe(Effect.provide(layer))
  )
})

describe("messages", () => {
  it.scopedLive("of an agent keep their thoughts, calls and results", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const becomes = (...messages: ReadonlyArray<unknown>) =>
        Effect.map(post({ ...hello, messages }, path), ({ body, headers, status }) => {
          if (status !== 200) throw new Error(JSON.stringify(body))
          return [asked.at(-1)?.messages, headers.get("x-rbee-ignored")]
        })
      expect(
        yield* becomes(
          {
            role: "user",
            content: [
              { type: "text", text: "a" },
              { type: "text", text: "b", cache_control: {} }
            ]
          },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "hm", signature: "s" },
              { type: "redacted_thinking", data: "x" },
              { type: "text", text: "So" },
              { type: "tool_use", id: "toolu_1", name: "calc", input: { a: 6, b: [7] } },
              { type: "tool_use", id: "toolu_2", name: "now", input: {} }
            ]
          },
          {
            role: "user",
            content: [
              { type: "text", text: "go on" },
              { type: "tool_result", tool_use_id: "toolu_1", content: [{ type: "text", text: "42" }] },
              { type: "tool_result", tool_use_id: "toolu_2", content: "no clock", is_error: true }
            ]
          },
          { role: "system", content: "be brief" },
          { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_3" }] }
        )
      ).toEqual([
        [
          { role: "user", content: "a\n\nb" },
          {
            role: "assistant",
            content: "So",
            reasoning: "hm",
            tool_calls: [
              { id: "toolu_1", name: "calc", arguments: { a: 6, b: [7] } },
              { id: "toolu_2", name: "now", arguments: {} }
            ]
          },
          { role: "tool", content: "42", tool_call_id: "toolu_1" },
          { role: "tool", content: "Error: no clock", tool_call_id: "toolu_2" },
          { role: "user", content: "go on" },
          { role: "system", content: "be brief" },
          { role: "tool", content: "", tool_call_id: "toolu_3" }
        ],
        "messages.content.redacted_thinking"
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that end with an assistant's are the beginning of the answer", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      yield* post({ ...hello, messages: [...hello.messages, { role: "assistant", content: "{" }] }, path)
      expect(asked[0]).toMatchObject({ continue_final_message: true })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("are refused by the place of what is not supported or not right", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const refused = (content: unknown, role = "user") =>
        Effect.map(post({ ...hello, messages: [{ role, content }] }, path), ({ body, status }) => [
          status,
          body.error.message
        ])
      const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "" } }
      expect(yield* refused([{ type: "text", text: "a" }, { type: "search_result" }])).toEqual([
        400,
        "messages[0].content[1] is of type search_result, which is not supported here. Leave it out"
      ])
      expect(yield* refused([{ type: "tool_result", tool_use_id: "t", content: [image] }])).toMatchObject([
        400,
        expect.stringMatching(/^messages\[0\].content\[0\].content\[0\] is of type image/)
      ])
      expect(yield* refused([{ type: "document" }])).toMatchObject([400, expect.stringMatching(/document/)])
      expect(yield* refused([{ type: "tool_result", content: "a" }])).toMatchObject([
        400,
        expect.stringMatching(/tool_use_id/)
      ])
      expect(yield* refused([{ type: "tool_use", id: "t" }], "assistant")).toMatchObject([
        400,
        expect.stringMatching(/name/)
      ])
      expect(yield* refused("hi", "tool")).toMatchObject([400, expect.stringMatching(/role/)])
      expect(asked).toEqual([])
    }).pipe(Effect.provide(layer))
  )
})
