/** What becomes of every field of a chat completion: three classes, and no fourth. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type OpenAI from "openai"
import { harmless, served, sortFields, unserved } from "../../../src/machines/vocabulary/openai/fields.ts"
import { edge, hello, layer, sayAll } from "../../support/queen/openai-edge.ts"

type Published = OpenAI.Chat.ChatCompletionCreateParamsNonStreaming & OpenAI.Chat.ChatCompletionCreateParamsStreaming

const aTool = { type: "function", function: { name: "f", parameters: {} } }

/** One value of each field of OpenAI's schema that asks for something, and what becomes of it; the compiler knows all. */
const openAi: Record<keyof Published, readonly [value: unknown, fate: "served" | "harmless" | "refused"]> = {
  messages: [hello.messages, "served"],
  model: ["minillama", "served"],
  audio: [{ voice: "alloy", format: "mp3" }, "refused"],
  frequency_penalty: [0.5, "served"],
  function_call: [{ name: "f" }, "refused"],
  functions: [[{ name: "f" }], "refused"],
  logit_bias: [{ 50256: -100 }, "served"],
  logprobs: [true, "served"],
  max_completion_tokens: [7, "served"],
  max_tokens: [7, "served"],
  metadata: [{ a: "b" }, "harmless"],
  modalities: [["text", "audio"], "refused"],
  n: [2, "served"],
  parallel_tool_calls: [false, "served"],
  prediction: [{ type: "content", content: "x" }, "refused"],
  presence_penalty: [-1, "served"],
  prompt_cache_key: ["k", "harmless"],
  prompt_cache_retention: ["24h", "refused"],
  reasoning_effort: ["high", "served"],
  response_format: [{ type: "json_object" }, "served"],
  safety_identifier: ["me", "harmless"],
  seed: [7, "served"],
  service_tier: ["flex", "harmless"],
  stop: [["END"], "served"],
  store: [true, "harmless"],
  stream: [false, "served"],
  stream_options: [{ include_usage: true }, "served"],
  temperature: [0.5, "served"],
  tool_choice: ["required", "served"],
  tools: [[aTool], "served"],
  top_logprobs: [3, "served"],
  top_p: [0.5, "served"],
  user: ["me", "harmless"],
  verbosity: ["low", "harmless"],
  web_search_options: [{}, "refused"]
}

/** What a field needs beside it to ask for anything. */
const beside: Readonly<Record<string, object>> = { tool_choice: { tools: [aTool] }, top_logprobs: { logprobs: true } }

const fates = Object.entries(openAi).map(([field, [value, fate]]) => ({ field, value, fate }))

describe("a field of a chat completion", () => {
  it.scopedLive.each(fates)(
    "of OpenAI's schema is served, harmless or refused by its name: $field",
    ({ fate, field, value }) =>
      Effect.gen(function* () {
        const { asked, post } = yield* edge(sayAll)
        const got = yield* post({ ...hello, ...beside[field], [field]: value })
        expect(got.headers.get("x-rbee-ignored")).toBeNull()
        if (fate === "refused") {
          expect([got.status, got.body]).toMatchObject([
            400,
            { error: { code: "unsupported_parameter", param: field, details: { code: "UNSUPPORTED_PARAMETER" } } }
          ])
          return expect(asked).toEqual([])
        }
        expect(got.status).toBe(200)
        expect(fate === "served" ? served : harmless).toContain(field)
      }).pipe(Effect.provide(layer))
  )

  it.each(Object.entries(unserved))(
    "that is not served asks for nothing with its default, and with null: %s",
    (field, nothings) => {
      for (const nothing of [null, undefined, ...nothings]) {
        const sorted = Either.getOrThrow(sortFields({ [field]: nothing }))
        expect([nothing, sorted]).toEqual([nothing, { asked: {}, ignored: [] }])
      }
      const refused = Either.flip(sortFields({ [field]: { asks: "for something" } }))
      expect(Either.getOrThrow(refused)).toMatchObject({ code: "UNSUPPORTED_PARAMETER", details: { field } })
    }
  )

  it.scopedLive("that is served may be null, which is as if it were not there", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      for (const field of served.filter((name) => !["model", "messages"].includes(name))) {
        expect([field, (yield* post({ ...hello, [field]: null })).status]).toEqual([field, 200])
      }
      for (const request of asked) expect(request).toEqual({ ...hello, stream: false })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("of tools and wishes has no value but its own", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const wrong = {
        tools: [{ type: "function", function: { name: 7 } }],
        tool_choice: "perhaps",
        parallel_tool_calls: "yes",
        response_format: { type: "poem" },
        reasoning_effort: "utmost",
        chat_template_kwargs: "thinking"
      }
      for (const [field, value] of Object.entries(wrong)) {
        const { body, status } = yield* post({ ...hello, ...beside[field], [field]: value })
        expect([status, body.error.code, body.error.param?.split(/[.[]/)[0]]).toEqual([400, "invalid_value", field])
      }
      const none = yield* post({ ...hello, tool_choice: "required" })
      expect([none.status, none.body.error.param]).toEqual([400, "tool_choice"])
      expect(asked).toEqual([])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("in no published schema is taken, named in a header and counted, streaming or not", () =>
    Effect.gen(function* () {
      const { client, counted, post } = yield* edge(sayAll)
      const odd = {
        ...hello,
        foo: 1,
        "b\u00e4r\n": { deep: [] },
        messages: [{ ...hello.messages[0], cache_control: {} }]
      }
      const got = yield* post(odd)
      expect([got.status, got.headers.get("x-rbee-ignored")]).toEqual([200, "foo, b?r?, messages.cache_control"])
      expect(counted.ignored).toBe(3)
      const parts = [{ type: "text", text: "hi", cache_control: { type: "ephemeral" } }]
      const { response } = yield* Effect.promise(() =>
        client.chat.completions
          .create({ ...hello, stream: true, messages: [{ role: "user", content: parts as [] }] })
          .withResponse()
      )
      expect(response.headers.get("x-rbee-ignored")).toBe("messages.content.cache_control")
      expect(counted.ignored).toBe(4)
      const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`field${i}`.padEnd(200, "x"), i]))
      const long = (yield* post({ ...hello, ...many })).headers.get("x-rbee-ignored") ?? ""
      expect(long.split(", ").length).toBe(32)
      expect(long.length).toBeLessThan(3000)
      expect(counted.ignored).toBe(504)
    }).pipe(Effect.provide(layer))
  )
})

describe("a number of other makers' clients", () => {
  it.scopedLive("is a seed of 64 bits, -1 for none; a top_p of 0; what there is room for", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const becomes = (fields: string) =>
        Effect.gen(function* () {
          const got = yield* post(`{"model":"minillama","messages":[{"role":"user","content":"hello"}],${fields}}`)
          if (got.status !== 200) return `${got.status} ${got.body.error.param}`
          const { model: _, messages: __, stream: ___, ...rest } = asked.at(-1) ?? { model: "" }
          return rest
        })
      expect(yield* becomes('"seed":-1')).toEqual({})
      expect(yield* becomes('"seed":-7')).toEqual({ seed: -7 })
      expect(yield* becomes('"seed":9007199254740991')).toEqual({ seed: 2 ** 53 - 1 })
      expect(yield* becomes('"seed":9223372036854775807')).toEqual({ seed: 2 ** 63 })
      expect(yield* becomes('"seed":-9223372036854775808')).toEqual({ seed: -(2 ** 63) })
      for (const seed of ["1.5", "1e30", '"7"']) expect(yield* becomes(`"seed":${seed}`)).toBe("400 seed")
      expect(yield* becomes('"top_p":0')).toEqual({ top_p: 0 })
      for (const topP of ["-0.1", "1.1"]) expect(yield* becomes(`"top_p":${topP}`)).toBe("400 top_p")
      expect(yield* becomes('"min_p":0.05,"top_k":40,"ignore_eos":true')).toEqual({
        min_p: 0.05,
        top_k: 40,
        ignore_eos: true
      })
      for (const room of ["-1", "null", "1048577", "9e15", "1e300"]) {
        expect(yield* becomes(`"max_tokens":${room}`)).toEqual({})
        expect(yield* becomes(`"max_completion_tokens":${room}`)).toEqual({})
      }
      expect(yield* becomes('"max_tokens":0')).toEqual({ max_tokens: 0 })
      expect(yield* becomes('"max_tokens":5,"max_completion_tokens":3')).toEqual({ max_tokens: 3 })
      for (const wrong of ["-2", "1.5", '"9"']) expect(yield* becomes(`"max_tokens":${wrong}`)).toBe("400 max_tokens")
    }).pipe(Effect.provide(layer))
  )
})

describe("messages", () => {
  const last = [{ role: "user", content: "and?" }]
  const call = { id: "call_1", type: "function", function: { name: "calc", arguments: '{"a":6,"b":[7]}' } }

  it.scopedLive("of an agent keep their calls and results, whatever the client's habits", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const becomes = (...messages: ReadonlyArray<unknown>) =>
        Effect.map(post({ ...hello, messages: [...messages, ...last] }), ({ body, status }) => {
          if (status !== 200) throw new Error(JSON.stringify(body))
          return asked.at(-1)?.messages?.slice(0, -1)
        })
      const called = {
        role: "assistant",
        content: "",
        tool_calls: [{ id: "call_1", name: "calc", arguments: { a: 6, b: [7] } }]
      }
      expect(
        yield* becomes(
          { role: "assistant", content: null, tool_calls: [call], refusal: null, audio: null, function_call: null },
          {
            role: "tool",
            tool_call_id: "call_1",
            content: [
              { type: "text", text: "4" },
              { type: "text", text: "2" }
            ]
          }
        )
      ).toEqual([called, { role: "tool", content: "42", tool_call_id: "call_1" }])
      expect(yield* becomes({ role: "assistant", tool_calls: [call] })).toEqual([called])
      const begun = { messages: [...last, { role: "assistant", content: "Hello! I" }], continue_final_message: true }
      for (const more of [{}, { add_generation_prompt: false }]) yield* post({ ...hello, ...begun, ...more })
      for (const job of asked.slice(-2)) expect(job).toMatchObject({ continue_final_message: true })
      // what a model wrote that was cut off, or is no object, comes back with what came of it
      for (const wrong of ['{"a":"b', "[]", "7", "yes"]) {
        const asWritten = { ...call, function: { name: "calc", arguments: wrong } }
        const kept = { id: "call_1", name: "calc", arguments: { INVALID_JSON: wrong } }
        expect(yield* becomes({ role: "assistant", tool_calls: [asWritten] })).toEqual([
          { ...called, tool_calls: [kept] }
        ])
      }
      const asObject = { ...call, function: { name: "calc", arguments: { a: 6, b: [7] } } }
      expect(yield* becomes({ role: "assistant", content: "", tool_calls: [asObject] })).toEqual([called])
      expect(
        yield* becomes(
          { role: "assistant", content: null, function_call: { name: "calc", arguments: "" } },
          { role: "function", name: "calc", content: "42" }
        )
      ).toEqual([
        { role: "assistant", content: "", tool_calls: [{ id: "", name: "calc", arguments: {} }] },
        { role: "tool", content: "42", name: "calc" }
      ])
      expect(
        yield* becomes(
          { role: "developer", content: "be brief", name: "boss" },
          { role: "user", content: null },
          { role: "assistant", content: "4", reasoning_content: "2 and 2" },
          { role: "assistant", content: [{ type: "refusal", refusal: "no" }] },
          { role: "assistant", refusal: "never" }
        )
      ).toEqual([
        { role: "system", content: "be brief", name: "boss" },
        { role: "user", content: "" },
        { role: "assistant", content: "4", reasoning: "2 and 2" },
        { role: "assistant", content: "no" },
        { role: "assistant", content: "never" }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("are refused by the place of what is not supported or not right", () =>
    Effect.gen(function* () {
      const { asked, post } = yield* edge(sayAll)
      const refused = (message: unknown) =>
        Effect.map(post({ ...hello, messages: [...last, message] }), ({ body, status }) => [
          status,
          body.error.code,
          body.error.param
        ])
      const sound = { type: "input_audio", input_audio: { data: "" } }
      expect(yield* refused({ role: "user", content: [{ type: "text", text: "a" }, sound] })).toEqual([
        400,
        "unsupported_parameter",
        "messages[1].content[1]"
      ])
      expect(yield* refused({ role: "assistant", content: "", audio: { id: "a" } })).toEqual([
        400,
        "unsupported_parameter",
        "messages[1].audio"
      ])
      expect(yield* refused({ role: "assistant", tool_calls: [{ id: "1", type: "custom", custom: {} }] })).toEqual([
        400,
        "unsupported_parameter",
        "messages[1].tool_calls[0]"
      ])
      expect(yield* refused({ role: "user" })).toEqual([400, "invalid_request", "messages[1].content"])
      const wrong = yield* post({ ...hello, continue_final_message: true, add_generation_prompt: true })
      expect([wrong.status, wrong.body.error.param]).toEqual([400, "add_generation_prompt"])
      const headless = yield* post({ ...hello, add_generation_prompt: false })
      expect([headless.body.error.code, headless.body.error.param]).toEqual([
        "unsupported_parameter",
        "add_generation_prompt"
      ])
      const nameless = { ...hello, tools: [{ type: "function", function: { name: "" } }] }
      expect((yield* post(nameless)).body.error.param).toBe("tools[0].function.name")
      expect(asked).toEqual([])
    }).pipe(Effect.provide(layer))
  )
})
