/** The OpenAI edge with the official client, over real HTTP and real job logs; only who runs the jobs is scripted. */
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import OpenAI, { APIError, RateLimitError } from "openai"
import { describe, expectTypeOf } from "vitest"
import { type JobLog, JobLogs } from "../../../src/actors/queen/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/job-logs.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics.ts"
import { type Jobs, openAi } from "../../../src/actors/queen/openai.ts"
import { serveHttp } from "../../../src/layers/api/http-server.ts"
import { layerMemory } from "../../../src/layers/journal/memory.ts"
import { queenApi } from "../../../src/layers/queen-api/index.ts"
import { Turns } from "../../../src/layers/turns/index.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import { inferConnected, inferDone } from "../../../src/machines/narration.ts"
import type { DoneEvent, JobRequest } from "../../../src/machines/vocabulary/job.ts"
import type { ChatCompletion, ChatCompletionChunk, ModelList } from "../../../src/machines/vocabulary/openai.ts"

const layer = Layer.provideMerge(
  Layer.scoped(JobLogs, makeJobLogs({ retentionMs: 1e9, retentionJobs: 100 })),
  Layer.mergeAll(layerMemory(), layerNode, layerMetrics, Logger.minimumLogLevel(LogLevel.Error))
)

const turn = Effect.flatMap(Turns, (turns) =>
  Effect.async<void>((resume) => turns.atEndOfTurn(() => resume(Effect.void)))
)
const doneEvent = (log: JobLog): DoneEvent => ({
  text_length: log.text().length,
  tokens: log.tokens(),
  finish_reason: "stop",
  timings: {},
  usage: { prompt_tokens: 5, completion_tokens: log.tokens(), cached_tokens: 2 }
})
const texts = ["", "Hel", 'lo "you"', "\n", "", "🐝</s>"]
const answerText = texts.join("")
const say = (log: JobLog) =>
  Effect.gen(function* () {
    log.narrate(inferConnected())
    for (const [k, text] of texts.entries()) {
      log.token(text, k)
      yield* turn
    }
  })
const sayAll = (log: JobLog) =>
  Effect.zipRight(
    say(log),
    Effect.sync(() => {
      log.narrate(inferDone())
      log.end({ _tag: "Done", event: doneEvent(log) })
    })
  )

/** A queen whose jobs do what `run` does with their log. */
const edge = (run: (log: JobLog) => Effect.Effect<void, RbeeError, Turns>) =>
  Effect.gen(function* () {
    const logs = yield* JobLogs
    const context = yield* Effect.context<Turns>()
    const scope = yield* Effect.scope
    const asked: Array<JobRequest> = []
    const cancelled = yield* Deferred.make<string>()
    const jobs: Jobs = {
      submit: (request) =>
        Effect.gen(function* () {
          if (request.model === "full") return yield* rbeeError("QUEUE_FULL", "the queue has 512 jobs")
          asked.push(request)
          const jobId = `job-${asked.length}`
          const { log } = yield* logs.open({ id: jobId, request })
          // as a job's actor does: what it interrupts must be interruptible
          const interruptible = Effect.raceFirst(run(log), Effect.never)
          yield* Effect.forkIn(Effect.provide(interruptible, context), scope)
          return { jobId, log }
        }),
      cancel: (jobId) => Effect.asVoid(Deferred.succeed(cancelled, jobId)),
      models: () => Effect.succeed([{ id: "minillama", createdAt: 1_700_000_000_500 }, { id: "file:/a.gguf" }])
    }
    const api = { v1Models: queenApi.v1Models, v1Chat: queenApi.v1Chat }
    const { url } = yield* serveHttp({
      apis: [{ api, handlers: openAi(jobs) }],
      host: "127.0.0.1",
      port: 0,
      role: "queen",
      graceMs: 50
    })
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "unused", maxRetries: 0 })
    return { client, asked, cancelled, url }
  })

const hello = { model: "minillama", messages: [{ role: "user" as const, content: "hello" }] }
const call = <A>(ask: () => PromiseLike<A>) => Effect.promise(async () => ask())
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
const collect = async (stream: AsyncIterable<OpenAI.Chat.ChatCompletionChunk>) => {
  const chunks: Array<OpenAI.Chat.ChatCompletionChunk> = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

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
        [{ ...hello, n: 2 }, "n"],
        [{ ...hello, max_tokens: 0 }, "max_tokens"],
        [{ ...hello, temperature: 3 }, "temperature"],
        [{ ...hello, stop: 7 }, "stop"],
        [{ ...hello, stream: secret }, "stream"]
      ] as const) {
        const [status, text] = yield* refused(body)
        expect([status, text]).toEqual([400, expect.stringContaining(field)])
        expect(text).not.toContain(secret)
        expect(JSON.parse(text)).toMatchObject({ error: { details: { code: "INVALID_REQUEST" } } })
      }
      expect(asked).toEqual([])
    }).pipe(Effect.provide(layer))
  )
})
