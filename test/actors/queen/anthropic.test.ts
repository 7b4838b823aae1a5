/** Anthropic's messages with the official client, over real HTTP and real job logs; only who runs the jobs is scripted. */
import { expect, it } from "@effect/vitest"
import { type Anthropic, APIError } from "@anthropic-ai/sdk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { describe, expectTypeOf } from "vitest"
import { rbeeError } from "../../../src/machines/errors.ts"
import type { AnthropicModel, Delta, Message } from "../../../src/machines/vocabulary/anthropic/anthropic.ts"
import { answerText, call, doneEvent, edge, layer, say, sayAll } from "../../support/queen/openai-edge.ts"
import { called, ending, saying, sayingAll, thought } from "../../support/queen/spoken.ts"

const hello = { model: "minillama", max_tokens: 99, messages: [{ role: "user" as const, content: "hello" }] }
const tools: Array<Anthropic.Tool> = [
  { name: "calc", description: "sums", input_schema: { type: "object", properties: { a: { type: "number" } } } }
]

const failing = (ask: () => PromiseLike<unknown>) =>
  call(async () => {
    try {
      await ask()
    } catch (cause) {
      if (cause instanceof APIError) return cause
      throw cause
    }
    throw new Error("it did not fail")
  })

/** The names of a stream's events as they are on the wire, and what they carry. */
const events = (url: string, body: unknown) =>
  call(async () => {
    const response = await fetch(`${url}/v1/messages?beta=true`, { method: "POST", body: JSON.stringify(body) })
    return (await response.text())
      .split("\n\n")
      .filter((one) => one !== "")
      .map((one) => {
        const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(one) ?? []
        return { event, data: JSON.parse(data ?? "null") }
      })
  })

it("speaks the types of the official client", () => {
  expectTypeOf<Message["stop_reason"]>().toExtend<Anthropic.Message["stop_reason"]>()
  expectTypeOf<Message["usage"]>().toExtend<Pick<Anthropic.Usage, keyof Message["usage"]>>()
  expectTypeOf<Delta>().toExtend<Anthropic.RawContentBlockDelta>()
  expectTypeOf<AnthropicModel>().toExtend<Pick<Anthropic.ModelInfo, keyof AnthropicModel>>()
})

describe("Anthropic's edge", () => {
  it.scopedLive("lists models to who speaks by a version of it, and fails them as its clients read it", () =>
    Effect.gen(function* () {
      const { claude, client, url } = yield* edge(sayAll)
      const { data } = yield* call(() => claude.models.list())
      const first = {
        type: "model",
        id: "minillama",
        display_name: "minillama",
        created_at: "2023-11-14T22:13:20.000Z"
      }
      expect(data.slice(0, 1)).toEqual([first])
      expect(yield* call(() => claude.models.retrieve("minillama"))).toEqual(first)
      expect((yield* call(() => client.models.list())).data).toHaveLength(2)
      const unknown = yield* failing(() => claude.models.retrieve("claude-9"))
      expect([unknown.status, unknown.error]).toMatchObject([
        404,
        { type: "error", error: { type: "not_found_error" } }
      ])
      const nowhere = yield* call(async () => {
        const response = await fetch(`${url}/v2/what`, { headers: { "anthropic-version": "2023-06-01" } })
        return response.json()
      })
      expect(nowhere).toMatchObject({
        type: "error",
        error: { type: "not_found_error", details: { code: "NOT_FOUND" } }
      })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("answers as a whole, with usage, and asks what it was asked", () =>
    Effect.gen(function* () {
      const { asked, claude } = yield* edge(sayAll)
      const message = yield* call(() =>
        claude.messages.create({
          ...hello,
          system: [
            { type: "text", text: "be" },
            { type: "text", text: "kind", cache_control: { type: "ephemeral" } }
          ],
          stop_sequences: ["a", "b"],
          metadata: { user_id: "me" }
        })
      )
      expect(message).toEqual({
        id: "msg_job-1",
        type: "message",
        role: "assistant",
        model: "minillama",
        content: [{ type: "text", text: answerText }],
        stop_reason: "end_turn",
        stop_sequence: null,
        usage: {
          input_tokens: 3,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 2,
          output_tokens: 6
        }
      })
      expect(asked).toEqual([
        {
          model: "minillama",
          stream: false,
          messages: [
            { role: "system", content: "be\n\nkind" },
            { role: "user", content: "hello" }
          ],
          max_tokens: 99,
          reasoning: "off",
          stop: ["a", "b"]
        }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("streams the events of a text in their order, and their names are their types", () =>
    Effect.gen(function* () {
      const { url } = yield* edge(sayAll)
      const told = yield* events(url, { ...hello, stream: true })
      expect(told.map(({ event }) => event)).toEqual([
        "message_start",
        "content_block_start",
        ...Array.from({ length: 4 }, () => "content_block_delta"),
        "content_block_stop",
        "message_delta",
        "message_stop"
      ])
      expect(told.map(({ data }) => data.type)).toEqual(told.map(({ event }) => event))
      expect(told[0]?.data.message).toMatchObject({ id: "msg_job-1", content: [], stop_reason: null })
      expect(told.at(-2)?.data).toEqual({
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { input_tokens: 3, cache_creation_input_tokens: 0, cache_read_input_tokens: 2, output_tokens: 6 }
      })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("begins with the tokens of its prompt, as its worker has told them", () =>
    Effect.gen(function* () {
      const { url } = yield* edge((log) => {
        log.record({ prompt_tokens: 5 })
        return sayAll(log)
      })
      const [start] = yield* events(url, { ...hello, stream: true })
      expect(start?.data.message).toMatchObject({ usage: { input_tokens: 5, output_tokens: 0 } })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive.each([
    {
      name: "thoughts, a text and two calls",
      text: `${thought}So: ${called("calc", { a: 6 })}${called("calc", { a: [7] })}`
    },
    { name: "a call alone", text: called("calc", {}) },
    { name: "nothing", text: "" }
  ])("says the same in a stream as in a whole: $name", ({ text }) =>
    Effect.gen(function* () {
      const { claude } = yield* edge(sayingAll(text))
      const whole = yield* call(() => claude.messages.create({ ...hello, tools }))
      const streamed = yield* call(() => claude.messages.stream({ ...hello, tools }).finalMessage())
      // each job has call ids of its own
      const plain = (message: Anthropic.Message) =>
        JSON.parse(JSON.stringify({ ...message, id: "" }).replace(/toolu_\w{9}/g, "toolu_"))
      expect(plain(streamed)).toMatchObject(plain(whole))
      expect(whole.stop_reason).toBe(text.includes("calc") ? "tool_use" : "end_turn")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("tells thoughts, which it seals, and calls, whose arguments are JSON in pieces", () =>
    Effect.gen(function* () {
      const { claude } = yield* edge(sayingAll(`${thought}So: ${called("calc", { a: 6 })}`))
      const message = yield* call(() => claude.messages.stream({ ...hello, tools }).finalMessage())
      expect(message.content).toMatchObject([
        { type: "thinking", thinking: 'hm, "6"', signature: "cmJlZQ==" },
        { type: "text", text: "So:" },
        { type: "tool_use", id: expect.stringMatching(/^toolu_[a-z0-9]{9}$/), name: "calc", input: { a: 6 } }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("says max_tokens of an answer that was cut, whatever it called", () =>
    Effect.gen(function* () {
      const { claude } = yield* edge(sayingAll(called("calc", { a: 6 }), "length"))
      expect((yield* call(() => claude.messages.create({ ...hello, tools }))).stop_reason).toBe("max_tokens")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("says which stop sequence ended it", () =>
    Effect.gen(function* () {
      const { claude } = yield* edge((log) =>
        Effect.zipRight(
          say(log),
          Effect.sync(() => log.end({ _tag: "Done", event: { ...doneEvent(log), stop_sequence: "END" } }))
        )
      )
      const stopped = { stop_reason: "stop_sequence", stop_sequence: "END" }
      const asked = { ...hello, stop_sequences: ["END"] }
      expect(yield* call(() => claude.messages.create(asked))).toMatchObject(stopped)
      expect(yield* call(() => claude.messages.stream(asked).finalMessage())).toMatchObject(stopped)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("counts the tokens of a prompt by having it read", () =>
    Effect.gen(function* () {
      const { asked, claude } = yield* edge((log) => ending(log, "length"))
      const { max_tokens: _, ...prompt } = hello
      expect(yield* call(() => claude.messages.countTokens({ ...prompt, tools }))).toEqual({ input_tokens: 5 })
      expect(asked).toMatchObject([{ max_tokens: 0, stream: false, tools: [{ name: "calc" }] }])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("says of a prompt that does not fit how long it is, in words that its clients know", () =>
    Effect.gen(function* () {
      const { max_tokens: _, ...prompt } = hello
      const { claude } = yield* edge((log) =>
        Effect.sync(() =>
          log.end({
            _tag: "Error",
            error: rbeeError("INVALID_REQUEST", "too long", "", { prompt_tokens: 5000, context: 4096 })
          })
        )
      )
      expect(yield* call(() => claude.messages.countTokens(prompt))).toEqual({ input_tokens: 5000 })
      const long = yield* failing(() => claude.messages.create(hello))
      expect(long.message).toContain("prompt is too long: 5000 tokens > 4096 maximum")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("ends a stream that fails in the middle with `error`, and without `message_stop`", () =>
    Effect.gen(function* () {
      const { claude, url } = yield* edge((log) =>
        Effect.zipRight(
          say(log),
          Effect.sync(() => log.end({ _tag: "Error", error: rbeeError("WORKER_CRASHED", "it died") }))
        )
      )
      const told = yield* events(url, { ...hello, stream: true })
      expect(told.at(-1)).toMatchObject({ event: "error", data: { type: "error", error: { type: "api_error" } } })
      expect(told.map(({ event }) => event)).not.toContain("message_stop")
      const failed = yield* failing(() => claude.messages.stream(hello).finalMessage())
      expect(failed.message).toContain("it died")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive.each([
    ["full", 429, "rate_limit_error"],
    ["", 400, "invalid_request_error"]
  ] as const)("gives what goes wrong before the first token its status and its kind: %s", ([model, status, type]) =>
    Effect.gen(function* () {
      const { claude } = yield* edge(sayAll)
      for (const stream of [true, false]) {
        const failed = yield* failing(() => claude.messages.create({ ...hello, model, stream }))
        expect([failed.status, failed.type]).toEqual([status, type])
      }
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive.each([true, false])("cancels the job of a client that leaves (streaming: %s)", (stream) =>
    Effect.gen(function* () {
      const spoken = yield* Deferred.make<void>()
      const { cancelled, url } = yield* edge((log) =>
        Effect.zipRight(
          saying("so ")(log),
          Effect.sync(() => Deferred.unsafeDone(spoken, Exit.void))
        ).pipe(Effect.zipRight(Effect.never))
      )
      const controller = new AbortController()
      const left = fetch(`${url}/v1/messages`, {
        method: "POST",
        body: JSON.stringify({ ...hello, stream }),
        signal: controller.signal
      }).then(
        async (response) => response.text(),
        () => ""
      )
      yield* Deferred.await(spoken)
      controller.abort()
      expect(yield* Deferred.await(cancelled)).toBe("job-1")
      yield* call(async () => left.catch(() => ""))
    }).pipe(Effect.provide(layer))
  )
})
