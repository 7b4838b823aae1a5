/** The OpenAI edge with the official client, over real HTTP and real job logs; only who runs the jobs is scripted. */
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type OpenAI from "openai"
import { RateLimitError } from "openai"
import { describe, expectTypeOf } from "vitest"
import { rbeeError } from "../../../src/machines/errors.ts"
import { inferConnected } from "../../../src/machines/narration.ts"
import type { ChatCompletion, ChatCompletionChunk, ModelList } from "../../../src/machines/vocabulary/openai/openai.ts"
import {
  answerText,
  call,
  collect,
  doneEvent,
  edge,
  failing,
  hello,
  layer,
  say,
  sayAll,
  texts
} from "../../support/queen/openai-edge.ts"

it("speaks the types of the official client", () => {
  expectTypeOf<ChatCompletion["choices"][number]>().toExtend<OpenAI.Chat.ChatCompletion.Choice>()
  expectTypeOf<ChatCompletion["usage"]>().toExtend<OpenAI.CompletionUsage>()
  expectTypeOf<ChatCompletionChunk["choices"][number]>().toExtend<OpenAI.Chat.ChatCompletionChunk.Choice>()
  expectTypeOf<ModelList["data"][number]>().toExtend<OpenAI.Model>()
})

describe("the OpenAI edge", () => {
  it.scopedLive("lists models", () =>
    Effect.gen(function* () {
      const { client } = yield* edge(sayAll)
      const { data } = yield* call(() => client.models.list())
      expect(data).toEqual([
        { id: "minillama", object: "model", created: 1_700_000_000, owned_by: "rbee" },
        { id: "file:/a.gguf", object: "model", created: 0, owned_by: "rbee" }
      ])
      expect(yield* call(() => client.models.retrieve("FILE:/a.gguf"))).toEqual(data[1])
      const unknown = yield* failing(() => client.models.retrieve("gpt-4o"))
      expect(unknown).toMatchObject({ status: 404, code: "model_not_found", param: "model" })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("answers as a whole, with usage", () =>
    Effect.gen(function* () {
      const { client, asked } = yield* edge(sayAll)
      const answer = yield* call(() =>
        client.chat.completions.create({
          ...hello,
          messages: [
            {
              role: "developer",
              content: [
                { type: "text", text: "be " },
                { type: "text", text: "kind" }
              ]
            },
            { role: "user", content: "hello" }
          ],
          max_tokens: 3,
          max_completion_tokens: 7,
          temperature: 0,
          top_p: 0.5,
          seed: 4,
          stop: ["a", "b"],
          n: 1,
          user: "ignored",
          logit_bias: null
        })
      )
      expect(answer).toMatchObject({
        id: "chatcmpl-job-1",
        object: "chat.completion",
        model: "minillama",
        choices: [{ index: 0, message: { role: "assistant", content: answerText }, finish_reason: "stop" }],
        usage: { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11, prompt_tokens_details: { cached_tokens: 2 } }
      })
      expect(asked).toEqual([
        {
          model: "minillama",
          messages: [
            { role: "system", content: "be kind" },
            { role: "user", content: "hello" }
          ],
          stream: false,
          max_tokens: 7,
          temperature: 0,
          top_p: 0.5,
          seed: 4,
          stop: ["a", "b"]
        }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("streams: role, contents, finish, and usage where it is asked for", () =>
    Effect.gen(function* () {
      const { client } = yield* edge(sayAll)
      const chunks = yield* call(async () =>
        collect(
          await client.chat.completions.create({ ...hello, stream: true, stream_options: { include_usage: true } })
        )
      )
      expect(chunks[0]?.choices).toEqual([
        { index: 0, delta: { role: "assistant", content: "" }, logprobs: null, finish_reason: null }
      ])
      expect(chunks.slice(1, 7).map((chunk) => chunk.choices[0]?.delta)).toEqual(texts.map((content) => ({ content })))
      expect(chunks[7]?.choices).toEqual([{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }])
      expect(chunks.slice(0, 8).every(({ usage }) => usage === null)).toBe(true)
      expect(chunks[8]).toMatchObject({ choices: [], usage: { prompt_tokens: 5, total_tokens: 11 } })
      expect(chunks).toHaveLength(9)
      expect(new Set(chunks.map(({ id, created, model, object }) => [id, created, model, object].join())).size).toBe(1)

      const bare = yield* call(async () => collect(await client.chat.completions.create({ ...hello, stream: true })))
      expect(bare).toHaveLength(8)
      expect(bare.every((chunk) => !("usage" in chunk))).toBe(true)
      expect(bare.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe(answerText)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("begins to stream with the first token, and ends with [DONE]", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const { url } = yield* edge((log) =>
        Effect.gen(function* () {
          yield* say(log)
          yield* Deferred.await(go)
          log.end({ _tag: "Done", event: doneEvent(log) })
        })
      )
      const response = yield* call(() =>
        fetch(`${url}/v1/chat/completions`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ ...hello, stream: true })
        })
      )
      expect(response.headers.get("content-type")).toContain("text/event-stream")
      yield* Deferred.succeed(go, undefined)
      const text = yield* call(() => response.text())
      expect(text.endsWith("data: [DONE]\n\n")).toBe(true)
      expect(text).not.toContain("event:")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("gives errors before the first token their status, streaming or not", () =>
    Effect.gen(function* () {
      const tooLong = rbeeError("INVALID_REQUEST", "the prompt has 9 tokens, the context 8", "Shorten it", {
        status: 400
      })
      const { client } = yield* edge((log) =>
        Effect.sync(() => {
          log.narrate(inferConnected())
          log.end({ _tag: "Error", error: tooLong })
        })
      )
      for (const stream of [false, true]) {
        const error = yield* failing(() => client.chat.completions.create({ ...hello, stream }))
        expect(error).toMatchObject({ status: 400, code: "invalid_request", type: "invalid_request_error" })
        expect(error.message).toContain("the prompt has 9 tokens, the context 8. Shorten it")
        const full = yield* failing(() => client.chat.completions.create({ ...hello, model: "full", stream }))
        expect(full).toBeInstanceOf(RateLimitError)
      }
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("ends a stream that fails in the middle with its error, and without [DONE]", () =>
    Effect.gen(function* () {
      const { client } = yield* edge((log) =>
        Effect.zipRight(
          say(log),
          Effect.sync(() => log.end({ _tag: "Error", error: rbeeError("SHUTTING_DOWN", "the queen ends") }))
        )
      )
      const seen: Array<string> = []
      const error = yield* failing(async () => {
        const stream = await client.chat.completions.create({ ...hello, stream: true })
        for await (const chunk of stream) seen.push(chunk.choices[0]?.delta.content ?? "")
      })
      expect(seen.join("")).toBe(answerText)
      expect(error).toMatchObject({ code: "shutting_down", type: "server_error" })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive.each([true, false])("cancels the job of a client that leaves (streaming: %s)", (stream) =>
    Effect.gen(function* () {
      const spoken = yield* Deferred.make<void>()
      const { client, cancelled } = yield* edge((log) =>
        Effect.zipRight(
          say(log),
          Effect.sync(() => Deferred.unsafeDone(spoken, Exit.void))
        )
      )
      const leaving = new AbortController()
      yield* Effect.fork(
        call(async () => {
          try {
            const answer = await client.chat.completions.create({ ...hello, stream }, { signal: leaving.signal })
            if (Symbol.asyncIterator in answer) for await (const _ of answer);
          } catch {
            // aborted, as it should be
          }
        })
      )
      yield* Deferred.await(spoken)
      leaving.abort()
      expect(yield* Deferred.await(cancelled)).toBe("job-1")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("refuses what it cannot do, names the field, and echoes nothing back", () =>
    Effect.gen(function* () {
      const { url, asked } = yield* edge(sayAll)
      const refused = (body: unknown) =>
        call(async () => {
          const response = await fetch(`${url}/v1/chat/completions`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body)
          })
          return [response.status, await response.text()] as const
        })
      const secret = "my-secret-prompt"
      const image = { type: "image_url", image_url: { url: secret } }
      for (const [body, field] of [
        [{ messages: hello.messages }, "model"],
        [{ ...hello, messages: [] }, "messages"],
        [{ ...hello, messages: [{ role: secret, content: "" }] }, "role"],
        [{ ...hello, messages: [{ role: "user", content: [image] }] }, "content"],
        [{ ...hello, n: 200 }, "n"],
        [{ ...hello, max_tokens: -2 }, "max_tokens"],
        [{ ...hello, temperature: 3 }, "temperature"],
        [{ ...hello, stop: 7 }, "stop"],
        [{ ...hello, stream: secret }, "stream"]
      ] as const) {
        const [status, text] = yield* refused(body)
        expect([status, text]).toEqual([400, expect.stringContaining(field)])
        expect(text).not.toContain(secret)
        expect(JSON.parse(text)).toMatchObject({
          error: { details: { code: expect.stringMatching(/^(INVALID_REQUEST|UNSUPPORTED_PARAMETER)$/) } }
        })
      }
      expect(asked).toEqual([])
    }).pipe(Effect.provide(layer))
  )
})
