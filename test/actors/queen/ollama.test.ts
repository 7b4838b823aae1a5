/** Ollama's interface by its official client and by hand: what its lines say, and how they end. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { rbeeError } from "../../../src/machines/errors.ts"
import { answerText, layer, say, sayAll } from "../../support/queen/openai-edge.ts"
import { call, collect, edge, failing, hello, thinking } from "../../support/queen/ollama-edge.ts"

const weather = {
  type: "function",
  function: {
    name: "weather",
    description: "",
    parameters: { type: "object", properties: { city: { type: "string" } } }
  }
}
const called = '{"name": "weather", "arguments": {"city": "Oslo", "days": [1, 2]}}'
const thoughts = [
  "<think>",
  "hm ",
  "so",
  "</think>",
  "I ",
  "look.",
  "<tool_call>",
  called.slice(0, 30),
  called.slice(30)
]
const calls = [...thoughts, "</tool_call>", "<tool_call>", '{"name": "weather", "arguments": {}}', "</tool_call>"]
const oslo = { name: "weather", arguments: { city: "Oslo", days: [1, 2] } }

describe("Ollama's client", () => {
  it.scopedLive("chats, streaming, and hears the text and then how it ended", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayAll)
      const chunks = yield* call(async () => collect(await client.chat({ ...hello, stream: true })))
      expect(chunks.map(({ message }) => message.content).join("")).toBe(answerText)
      expect(new Set(chunks.slice(0, -1).map(({ done }) => done))).toEqual(new Set([false]))
      expect(chunks.at(-1)).toMatchObject({ model: "minillama", done: true, done_reason: "stop", eval_count: 6 })
      expect(asked).toEqual([{ ...hello, stream: true }])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("chats and generates, whole, with times in nanoseconds", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge((log) => thinking(log, ["<think>", "hm", "</think>", "yes"]))
      const end = {
        done: true,
        done_reason: "stop",
        total_duration: 80_000_000,
        load_duration: 40_000_000,
        prompt_eval_count: 5,
        prompt_eval_duration: 10_500_000,
        eval_count: 4,
        eval_duration: 29_500_000
      }
      const chat = yield* call(() => client.chat({ ...hello, think: true }))
      expect(chat).toEqual({
        model: "minillama",
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        message: { role: "assistant", content: "yes", thinking: "hm" },
        ...end
      })
      const made = yield* call(() => client.generate({ model: "minillama:latest", system: "short", prompt: "hello" }))
      expect(made).toMatchObject({ model: "minillama:latest", response: "yes", thinking: "hm", ...end })
      expect(asked.at(-1)).toEqual({
        model: "minillama",
        messages: [
          { role: "system", content: "short" },
          { role: "user", content: "hello" }
        ],
        stream: false
      })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("hears thoughts, text and calls, each call at once and its arguments an object", () =>
    Effect.gen(function* () {
      const { client } = yield* edge((log) => thinking(log, calls))
      const chunks = yield* call(async () => collect(await client.chat({ ...hello, tools: [weather], stream: true })))
      const said = chunks.map(({ message }) => message)
      expect(said.map(({ thinking: thought = "" }) => thought).join("")).toBe("hm so")
      expect(said.map(({ content }) => content).join("")).toBe("I look.")
      const one = said.flatMap(({ tool_calls = [] }) => tool_calls)
      expect(one).toMatchObject([
        { id: expect.stringMatching(/^call_\w{9}$/), function: { index: 0, ...oslo } },
        { function: { index: 1, name: "weather", arguments: {} } }
      ])
      const whole = yield* call(() => client.chat({ ...hello, tools: [weather] }))
      expect(whole.message).toMatchObject({ content: "I look.", thinking: "hm so" })
      expect(whole.message.tool_calls?.map(({ function: { arguments: given } }) => given)).toEqual([oslo.arguments, {}])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("is not told of a call that was cut short, but of its text", () =>
    Effect.gen(function* () {
      const { client } = yield* edge((log) => thinking(log, thoughts.slice(0, -1), "length"))
      const chunks = yield* call(async () => collect(await client.chat({ ...hello, tools: [weather], stream: true })))
      expect(chunks.some(({ message }) => message.tool_calls !== undefined)).toBe(false)
      const text = chunks.map(({ message }) => message.content).join("")
      expect(text).toMatch(/^I look\.weather /)
      expect(chunks.at(-1)).toMatchObject({ done: true, done_reason: "length" })
      const whole = yield* call(() => client.chat({ ...hello, tools: [weather] }))
      expect(whole.message.content).toBe(text)
      expect(whole.message.tool_calls).toBeUndefined()
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("learns of a failure in the middle, and never that it is done", () =>
    Effect.gen(function* () {
      const { client, post } = yield* edge((log) =>
        Effect.zipRight(
          say(log),
          Effect.sync(() => log.end({ _tag: "Error", error: rbeeError("WORKER_CRASHED", "all died", "Wait") }))
        )
      )
      const failed = yield* failing(async () => collect(await client.chat({ ...hello, stream: true })))
      expect(failed.message).toBe("all died. Wait")
      const { lines, status } = yield* post("chat", hello)
      expect(status).toBe(200)
      expect(lines.at(-1)).toEqual({ error: "all died. Wait", code: "WORKER_CRASHED", details: { status: 502 } })
      expect(lines.some(({ done }) => done === true)).toBe(false)
      expect(yield* failing(() => client.chat(hello))).toMatchObject({ status_code: 502, error: "all died. Wait" })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("cancels its job by leaving", () =>
    Effect.gen(function* () {
      const { cancelled, client } = yield* edge((log) => Effect.zipRight(say(log), Effect.never))
      const stream = yield* call(() => client.generate({ model: "minillama", prompt: "hi", stream: true }))
      yield* call(() => stream[Symbol.asyncIterator]().next())
      stream.abort()
      expect(yield* Deferred.await(cancelled)).toBe("job-1")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("loads a model, pins it, and unloads it, with nothing asked or after an answer", () =>
    Effect.gen(function* () {
      const { asked, client, unloaded } = yield* edge(sayAll)
      const empty = { model: "minillama", prompt: "" }
      expect(yield* call(() => client.generate(empty))).toMatchObject({ response: "", done_reason: "load", done: true })
      expect(asked).toEqual([
        { model: "minillama", stream: false, max_tokens: 0, messages: [{ role: "user", content: "" }] }
      ])
      yield* call(() => client.chat({ model: "minillama", messages: [], keep_alive: "-1m" }))
      expect(asked.at(-1)).toMatchObject({ max_tokens: 0, keep_warm: true })
      yield* call(() => client.chat({ ...hello, keep_alive: "10m" }))
      expect([asked.length, asked.at(-1)?.keep_warm, unloaded]).toEqual([3, undefined, []])
      const gone = yield* call(() => client.generate({ ...empty, keep_alive: 0 }))
      expect([gone.done_reason, unloaded, asked.length]).toEqual(["unload", ["minillama"], 3])
      yield* call(() => client.chat({ ...hello, keep_alive: "0s" }))
      yield* call(async () => collect(await client.chat({ ...hello, keep_alive: 0, stream: true })))
      expect([unloaded.length, asked.length]).toEqual([3, 5])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("sees the models, those that are loaded, and what is known of one", () =>
    Effect.gen(function* () {
      const { client } = yield* edge(sayAll)
      const { models } = yield* call(() => client.list())
      expect(models.map(({ name }) => name)).toEqual(["minillama", "file:/a.gguf"])
      expect(models[0]).toMatchObject({
        model: "minillama",
        size: 3_000_000,
        digest: "ab".repeat(32),
        modified_at: "2026-01-02T00:00:00.000Z",
        details: { format: "gguf", family: "llama", parameter_size: "3.05M", quantization_level: "Q8_0" }
      })
      const loaded = yield* call(() => client.ps())
      expect(loaded.models).toMatchObject([{ name: "minillama", size: 100_000_000, size_vram: 0, context_length: 512 }])
      const shown = yield* call(() => client.show({ model: "minillama:latest" }))
      expect(shown).toMatchObject({
        capabilities: ["completion", "tools", "thinking"],
        model_info: { "general.architecture": "llama", "llama.context_length": 512 },
        details: { family: "llama" }
      })
      expect(yield* failing(() => client.show({ model: "gone" }))).toMatchObject({ status_code: 404 })
      expect(yield* failing(() => client.show({ model: "unknown" }))).toMatchObject({ status_code: 404 })
      expect((yield* call(() => client.version())).version).toBe("0.13.4")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("fetches a model and hears how far it is, and removes one", () =>
    Effect.gen(function* () {
      const { client, removed } = yield* edge(sayAll)
      const told = yield* call(async () => collect(await client.pull({ model: "HF:a/b", stream: true })))
      const part = { status: "pulling HF:a/b", digest: "HF:a/b", total: 10 }
      expect(told).toEqual([
        { status: "pulling manifest" },
        ...[1, 5, 10].map((completed) => ({ ...part, completed })),
        { status: "success" }
      ])
      expect(yield* call(() => client.pull({ model: "HF:a/b" }))).toEqual({ status: "success" })
      const none = { model: "HF:no/body" }
      expect(yield* failing(() => client.pull(none))).toMatchObject({ status_code: 404 })
      const late = yield* failing(async () => collect(await client.pull({ ...none, stream: true })))
      expect(late.message).toBe("the hub has no such model.")
      expect(yield* call(() => client.delete({ model: "HF:a/b" }))).toEqual({ status: "success" })
      expect(removed).toEqual(["HF:a/b"])
      const second = yield* failing(() => client.copy({ source: "a", destination: "b" }))
      expect(second).toMatchObject({ status_code: 400, error: expect.stringMatching(/second name/) })
    }).pipe(Effect.provide(layer))
  )
})

describe("a result of a tool", () => {
  it.scopedLive("may lack its call's id: it is that of its name, or the next that has none", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayAll)
      const calling = (...names: ReadonlyArray<string>) => ({
        role: "assistant",
        content: "",
        thinking: "hm",
        tool_calls: names.map((name) => ({ function: { name, arguments: { name } } }))
      })
      const result = (content: string, tool_name?: string) => ({
        role: "tool",
        content,
        ...(tool_name === undefined ? {} : { tool_name })
      })
      const messages = [
        calling("a", "b"),
        result("of b", "b"),
        result("of a", "a"),
        calling("c", "c"),
        result("one"),
        result("two"),
        result("three")
      ]
      yield* call(() => client.chat({ ...hello, messages }))
      const [first, ...rest] = asked[0]?.messages ?? []
      expect(first).toMatchObject({ reasoning: "hm", tool_calls: [{ id: "call00000" }, { id: "call00001" }] })
      expect(rest.map(({ content, name, tool_call_id }) => [content, name, tool_call_id])).toEqual([
        ["of b", "b", "call00001"],
        ["of a", "a", "call00000"],
        ["", undefined, undefined],
        ["one", "c", "call00002"],
        ["two", "c", "call00003"],
        ["three", undefined, undefined]
      ])
    }).pipe(Effect.provide(layer))
  )
})

describe("an error", () => {
  it.scopedLive("is a text, with our code beside it, wherever it is found", () =>
    Effect.gen(function* () {
      const { post, url } = yield* edge(sayAll)
      const told = yield* Effect.forEach(
        [
          ["chat", {}],
          ["chat", { ...hello, model: "gone-7b" }],
          ["chat", { ...hello, messages: [{ role: "boss" }] }],
          ["nothing", {}]
        ] as const,
        ([path, body]) => Effect.map(post(path, body), ({ body: { code, error }, status }) => [status, code, error])
      )
      expect(told).toEqual([
        [400, "INVALID_REQUEST", expect.stringMatching(/model/)],
        [404, "MODEL_NOT_FOUND", expect.stringMatching(/^model 'gone-7b' not found\. /)],
        [400, "INVALID_REQUEST", expect.stringMatching(/messages\[0\].role/)],
        [404, "NOT_FOUND", expect.stringMatching(/there is nothing at POST \/api\/nothing\. There is \/api\/version/)]
      ])
      const wrong = yield* call(() => fetch(`${url}/api/chat`))
      expect([wrong.status, yield* call(() => wrong.json())]).toMatchObject([405, { code: "METHOD_NOT_ALLOWED" }])
    }).pipe(Effect.provide(layer))
  )
})
