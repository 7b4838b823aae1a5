/** OpenAI's Responses with the official client, over real HTTP and real job logs; only who runs the jobs is scripted. */
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import type OpenAI from "openai"
import { describe, expectTypeOf } from "vitest"
import { type JobLog, JobLogs } from "../../../src/actors/queen/log/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics/metrics.ts"
import { layerMemory } from "../../../src/layers/journal/memory.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import type { OutputItem, ResponseEvent, ResponseUsage } from "../../../src/machines/vocabulary/responses/response.ts"
import { answerText, call, edge, failing, layer, sayAll } from "../../support/queen/openai-edge.ts"
import { called, ending, saying, sayingAll, thought } from "../../support/queen/spoken.ts"

const hello = { model: "minillama", input: "hello" }
const tools: Array<OpenAI.Responses.FunctionTool> = [
  { type: "function", name: "calc", parameters: { type: "object", properties: {} }, strict: null },
  { type: "function", name: "now", parameters: null, strict: null }
]
const agentText = `${thought}So: ${called("calc", { a: 6 })}${called("now", {})}`

interface Event {
  readonly type: string
  readonly sequence_number: number
  readonly response?: OpenAI.Responses.Response
  readonly [key: string]: unknown
}

const parse = (text: string): ReadonlyArray<Event> =>
  text
    .split("\n\n")
    .filter((one) => one.startsWith("event: "))
    .map((one) => {
      const [, event = "", data = "null"] = /^event: ([\w.]+)\ndata: (.*)$/.exec(one) ?? []
      const read: Event = JSON.parse(data)
      expect(read.type).toBe(event)
      return read
    })

const read = (url: string, path: string, body?: unknown) =>
  call(async () => {
    const method = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }
    return parse(await (await fetch(`${url}/v1/responses${path}`, method)).text())
  })

/** Names that follow each other as one, with how often. */
const runs = (events: ReadonlyArray<Event>) =>
  events.map(({ type }) => type.replace("response.", "")).filter((name, at, all) => name !== all[at - 1])

const done = { begin: ["created", "in_progress"], end: ["completed"] }
const item = (...inside: ReadonlyArray<string>) => ["output_item.added", ...inside, "output_item.done"]
const textItem = item("content_part.added", "output_text.delta", "output_text.done", "content_part.done")
const callItem = item("function_call_arguments.delta", "function_call_arguments.done")

it("speaks the types of the official client", () => {
  expectTypeOf<ResponseEvent["type"]>().toExtend<OpenAI.Responses.ResponseStreamEvent["type"]>()
  expectTypeOf<OutputItem["type"]>().toExtend<OpenAI.Responses.ResponseOutputItem["type"]>()
  expectTypeOf<ResponseUsage>().toExtend<OpenAI.Responses.ResponseUsage>()
})

describe("A response", () => {
  it.scopedLive("is whole, with its usage, and can be asked for again", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayAll)
      const response = yield* call(() =>
        client.responses.create({ ...hello, instructions: "be kind", metadata: { a: "b" }, max_output_tokens: 9 })
      )
      expect(response).toMatchObject({
        id: "resp_job-1",
        object: "response",
        status: "completed",
        model: "minillama",
        output_text: answerText,
        output: [{ type: "message", role: "assistant", status: "completed", content: [{ type: "output_text" }] }],
        usage: {
          input_tokens: 5,
          input_tokens_details: { cached_tokens: 2 },
          output_tokens: 6,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: 11
        },
        instructions: "be kind",
        metadata: { a: "b" },
        max_output_tokens: 9,
        error: null,
        incomplete_details: null
      })
      expect(asked).toMatchObject([
        {
          messages: [
            { role: "system", content: "be kind" },
            { role: "user", content: "hello" }
          ],
          max_tokens: 9
        }
      ])
      expect(yield* call(() => client.responses.retrieve(response.id))).toEqual(response)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that thinks, speaks and calls tells all of it in the order of OpenAI's events", () =>
    Effect.gen(function* () {
      const { url } = yield* edge(sayingAll(agentText))
      const events = yield* read(url, "", { ...hello, tools, stream: true })
      const thoughtItem = item("content_part.added", "reasoning_text.delta", "reasoning_text.done", "content_part.done")
      expect(runs(events)).toEqual([
        ...done.begin,
        ...[...thoughtItem, ...textItem, ...callItem, ...callItem].filter((name, at, all) => name !== all[at - 1]),
        ...done.end
      ])
      expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
      expect(events.at(-1)?.response).toMatchObject({
        status: "completed",
        output: [
          { type: "reasoning", content: [{ type: "reasoning_text", text: 'hm, "6"' }], summary: [] },
          { type: "message", content: [{ text: "So:" }] },
          { type: "function_call", call_id: expect.stringMatching(/^call_\w{9}$/), name: "calc", arguments: '{"a":6}' },
          { type: "function_call", name: "now", arguments: "{}" }
        ]
      })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("is put together by the client as it is told at the end", () =>
    Effect.gen(function* () {
      const { client } = yield* edge(sayingAll(agentText))
      const stream = client.responses.stream({ ...hello, tools })
      const deltas: Array<string> = []
      stream.on("response.function_call_arguments.delta", ({ delta }) => deltas.push(delta))
      const final = yield* call(() => stream.finalResponse())
      expect(deltas.join("")).toBe('{"a":6}{}')
      const again = yield* call(() => client.responses.retrieve(final.id))
      expect(final.output).toMatchObject(again.output)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("tells thoughts as a summary, and sealed, to who asks for that, and reads them back", () =>
    Effect.gen(function* () {
      const { asked, url } = yield* edge(sayingAll(`${thought}Yes.`))
      const body = {
        ...hello,
        store: false,
        stream: true,
        reasoning: { summary: "auto" },
        include: ["reasoning.encrypted_content"]
      }
      const events = yield* read(url, "", body)
      expect(runs(events).slice(2, 8)).toEqual(
        item(
          "reasoning_summary_part.added",
          "reasoning_summary_text.delta",
          "reasoning_summary_text.done",
          "reasoning_summary_part.done"
        )
      )
      const { output = [] } = events.at(-1)?.response ?? {}
      expect(output[0]).toMatchObject({ summary: [{ type: "summary_text", text: 'hm, "6"' }] })
      // as an agent that keeps nothing but the seal gives it back
      const kept = output.map((one) => (one.type === "reasoning" ? { ...one, summary: [] } : one))
      yield* read(url, "", { ...body, input: [{ role: "user", content: "hello" }, ...kept] })
      expect(asked.at(-1)?.messages).toEqual([
        { role: "user", content: "hello" },
        { role: "assistant", content: "Yes.", reasoning: 'hm, "6"' }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that was cut off is incomplete, and says why", () =>
    Effect.gen(function* () {
      const { client, url } = yield* edge(sayingAll("So ", "length"))
      const cut = { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }
      expect(yield* call(() => client.responses.create(hello))).toMatchObject(cut)
      const events = yield* read(url, "", { ...hello, stream: true })
      expect(events.at(-1)).toMatchObject({ type: "response.incomplete", response: cut })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that was cut off in the middle of a call is gone on from, with what the model wrote of it", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayingAll(called("calc", { a: "long" }).slice(0, -25), "length"))
      const first = yield* call(() => client.responses.create({ ...hello, tools }))
      const [half] = first.output
      if (half?.type !== "function_call") throw new Error(JSON.stringify(first))
      expect([first.status, half.status]).toEqual(["incomplete", "incomplete"])
      const output = { type: "function_call_output" as const, call_id: half.call_id, output: "no JSON" }
      yield* call(() => client.responses.create({ ...hello, tools, input: [output], previous_response_id: first.id }))
      expect(asked.at(-1)?.messages?.[1]?.tool_calls).toEqual([
        { id: half.call_id, name: "calc", arguments: { INVALID_JSON: half.arguments } }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that fails in the middle ends with that, and never as if it were whole", () =>
    Effect.gen(function* () {
      const { client, url } = yield* edge((log) =>
        Effect.zipRight(
          saying("So ")(log),
          Effect.sync(() => log.end({ _tag: "Error", error: rbeeError("WORKER_CRASHED", "it died") }))
        )
      )
      const events = yield* read(url, "", { ...hello, stream: true })
      const failed = { status: "failed", error: { code: "server_error", message: "it died." } }
      expect(events.at(-1)).toMatchObject({ type: "response.failed", response: failed })
      expect(runs(events)).not.toContain("completed")
      expect(yield* call(() => client.responses.retrieve("resp_job-1"))).toMatchObject(failed)
      expect(yield* failing(() => client.responses.create(hello))).toMatchObject({ status: 502 })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("has its events again after any of them, with the same numbers", () =>
    Effect.gen(function* () {
      const { url } = yield* edge(sayingAll(agentText))
      const events = yield* read(url, "", { ...hello, tools, stream: true })
      expect(yield* read(url, "/resp_job-1?stream=true")).toEqual(events)
      for (const { sequence_number: at } of events)
        expect(yield* read(url, `/resp_job-1?stream=true&starting_after=${at}`)).toEqual(events.slice(at + 1))
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("in the background is there at once, and is told to whoever comes", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const { client, url } = yield* edge((log) => Effect.zipRight(Deferred.await(go), sayAll(log)))
      const response = yield* call(() => client.responses.create({ ...hello, background: true }))
      expect(response).toMatchObject({ id: "resp_job-1", status: "queued", background: true, output: [] })
      expect(yield* call(() => client.responses.retrieve(response.id))).toMatchObject({ status: "queued" })
      yield* Deferred.succeed(go, undefined)
      const events = yield* read(url, "/resp_job-1?stream=true")
      expect(runs(events)).toEqual(["created", "queued", "in_progress", ...textItem, "completed"])
      expect(yield* call(() => client.responses.retrieve(response.id))).toMatchObject({ output_text: answerText })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("is cancelled, and forgotten, by its id", () =>
    Effect.gen(function* () {
      const { client, url } = yield* edge((log) => Effect.zipRight(saying("So ")(log), Effect.never))
      yield* call(() => client.responses.create({ ...hello, background: true }))
      expect(yield* call(() => client.responses.cancel("resp_job-1"))).toMatchObject({ status: "cancelled" })
      expect(yield* call(() => client.responses.cancel("resp_job-1"))).toMatchObject({ status: "cancelled" })
      const events = yield* read(url, "/resp_job-1?stream=true")
      expect(events.at(-1)).toMatchObject({ type: "response.failed", response: { status: "cancelled" } })
      const gone = yield* call(async () => (await fetch(`${url}/v1/responses/resp_job-1`, { method: "DELETE" })).json())
      expect(gone).toEqual({ id: "resp_job-1", object: "response", deleted: true })
      for (const ask of [
        () => client.responses.retrieve("resp_job-1"),
        () => client.responses.cancel("resp_job-1"),
        () => client.responses.delete("resp_job-1"),
        () => client.responses.inputItems.list("resp_job-1"),
        () => client.responses.retrieve("resp_../x"),
        () => client.responses.retrieve("job-1")
      ])
        expect(yield* failing(ask)).toMatchObject({ status: 404, code: "not_found" })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that is not stored, and a job that is none, are not found", () =>
    Effect.gen(function* () {
      const { client } = yield* edge(sayAll)
      yield* call(() => client.responses.create({ ...hello, store: false }))
      yield* call(() =>
        client.chat.completions.create({ model: "minillama", messages: [{ role: "user", content: "a" }] })
      )
      for (const id of ["resp_job-1", "resp_job-2"])
        expect(yield* failing(() => client.responses.retrieve(id))).toMatchObject({ status: 404 })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("goes on from another, whose instructions are its own", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayAll)
      const first = yield* call(() => client.responses.create({ ...hello, instructions: "be kind" }))
      const second = yield* call(() =>
        client.responses.create({
          model: "minillama",
          input: [{ role: "user", content: [{ type: "input_text", text: "and?" }] }],
          instructions: "be brief",
          previous_response_id: first.id
        })
      )
      expect(second.previous_response_id).toBe(first.id)
      expect(asked.at(-1)?.messages).toEqual([
        { role: "system", content: "be brief" },
        { role: "user", content: "hello" },
        { role: "assistant", content: answerText },
        { role: "user", content: "and?" }
      ])
      const items = yield* call(async () => {
        const pages = []
        for await (const one of client.responses.inputItems.list(second.id, { order: "asc", limit: 2 })) pages.push(one)
        return pages
      })
      expect(items).toMatchObject([{ content: "hello" }, { role: "assistant" }, { role: "user" }])
      expect(yield* failing(() => client.responses.create({ ...hello, previous_response_id: "resp_x" }))).toMatchObject(
        {
          status: 400,
          param: "previous_response_id"
        }
      )
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("takes an item by its id where it is found, and refuses it where not", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayAll)
      const { output } = yield* call(() => client.responses.create(hello))
      const id = output[0]?.id ?? ""
      const input: OpenAI.Responses.ResponseInput = [
        { role: "user", content: "hello" },
        { type: "item_reference", id },
        { role: "user", content: "and?" }
      ]
      yield* call(() => client.responses.create({ model: "minillama", input }))
      expect(asked.at(-1)?.messages?.[1]).toEqual({ role: "assistant", content: answerText })
      const unknown = client.responses.create({ model: "minillama", input: [{ type: "item_reference", id: "msg_1" }] })
      expect(yield* failing(() => unknown)).toMatchObject({ status: 400, param: "input[0]" })
    }).pipe(Effect.provide(layer))
  )
})

describe("The reader of a response", () => {
  const leaving = (url: string, body: unknown) => {
    const controller = new AbortController()
    const reading = fetch(`${url}/v1/responses`, {
      method: "POST",
      body: JSON.stringify(body),
      signal: controller.signal
    }).then(
      async (response) => response.text().catch(() => ""),
      () => ""
    )
    return { leave: () => controller.abort(), reading }
  }
  const turns = Effect.promise(() => new Promise((resume) => setTimeout(resume, 20)))
  /** An answer that stays in the middle. */
  const half = (spoken: Deferred.Deferred<void>) => (log: JobLog) =>
    Effect.gen(function* () {
      yield* saying("So ")(log)
      yield* Deferred.succeed(spoken, undefined)
      yield* Effect.never
    })

  it.scoped("who leaves may come back for 10 s; then it is cancelled", () =>
    Effect.gen(function* () {
      const spoken = yield* Deferred.make<void>()
      const { cancelled, url } = yield* edge(half(spoken))
      const { leave, reading } = leaving(url, { ...hello, stream: true })
      yield* Deferred.await(spoken)
      leave()
      yield* Effect.promise(() => reading)
      yield* turns
      yield* TestClock.adjust("9 seconds")
      const back = new AbortController()
      const again = yield* Effect.promise(() =>
        fetch(`${url}/v1/responses/resp_job-1?stream=true`, { signal: back.signal })
      )
      yield* turns
      yield* TestClock.adjust("20 seconds")
      expect(yield* Deferred.isDone(cancelled)).toBe(false)
      back.abort()
      yield* Effect.promise(() => again.text().catch(() => ""))
      yield* turns
      yield* TestClock.adjust("9 seconds")
      expect(yield* Deferred.isDone(cancelled)).toBe(false)
      yield* TestClock.adjust("1 second")
      expect(yield* Deferred.await(cancelled)).toBe("job-1")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("of one that is not stored leaves nothing behind", () =>
    Effect.gen(function* () {
      const spoken = yield* Deferred.make<void>()
      const { cancelled, url } = yield* edge(half(spoken))
      const { leave } = leaving(url, { ...hello, stream: true, store: false })
      yield* Deferred.await(spoken)
      leave()
      expect(yield* Deferred.await(cancelled)).toBe("job-1")
    }).pipe(Effect.provide(layer))
  )

  it.scoped("of one in the background may stay away", () =>
    Effect.gen(function* () {
      const spoken = yield* Deferred.make<void>()
      const { cancelled, url } = yield* edge(half(spoken))
      const { leave, reading } = leaving(url, { ...hello, stream: true, background: true })
      yield* Deferred.await(spoken)
      yield* turns
      leave()
      yield* Effect.promise(() => reading)
      yield* turns
      yield* TestClock.adjust("60 seconds")
      expect(yield* Deferred.isDone(cancelled)).toBe(false)
    }).pipe(Effect.provide(layer))
  )
})

describe("The next queen", () => {
  /** One journal, and the logs of one queen after another. */
  const store = Layer.provideMerge(Layer.mergeAll(layerMemory(), layerMetrics), layerNode)
  const reign = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const made = yield* Layer.buildWithScope(
      Layer.scoped(JobLogs, makeJobLogs({ retentionMs: 1e9, retentionJobs: 100 })),
      scope
    )
    return { logs: Context.get(made, JobLogs), end: Scope.close(scope, Exit.void) }
  })

  it.scopedLive("tells the same events with the same numbers, and goes on with them", () =>
    Effect.gen(function* () {
      const { url: undisturbed } = yield* edge(sayingAll(agentText)).pipe(Effect.provide(layer))
      const whole = yield* read(undisturbed, "", { ...hello, tools, stream: true })
      const cut = Math.floor(agentText.length / 6)
      const first = yield* reign
      const response = (yield* Effect.provideService(
        Effect.gen(function* () {
          const { asked, client } = yield* edge(saying(agentText.slice(0, cut * 3)))
          yield* call(() => client.responses.create({ ...hello, tools, background: true }))
          return asked[0]
        }),
        JobLogs,
        first.logs
      ))?.response
      yield* Effect.iterate(0, {
        while: (tokens) => tokens < cut,
        body: () =>
          Effect.map(first.logs.get(JobId.make("job-1")), (log) => log.shown().tokens).pipe(Effect.delay("5 millis"))
      })
      expect(response).toBeDefined()
      yield* first.end
      const next = yield* reign
      const [log] = next.logs.unfinished()
      if (log === undefined) throw new Error("nothing is left unfinished")
      const { url } = yield* Effect.provideService(edge(sayAll), JobLogs, next.logs)
      const reading = yield* Effect.fork(read(url, "/resp_job-1?stream=true&starting_after=7"))
      for (let at = cut * 3; at < agentText.length; at += 3) log.token(agentText.slice(at, at + 3), at)
      yield* ending(log)
      const rest = yield* Fiber.join(reading)
      const plain = (events: ReadonlyArray<Event>) =>
        events.map((one) => ({ ...one, response: undefined, item: undefined, call_id: undefined }))
      // one more event says that it was in the background
      expect(plain(rest).map((one) => ({ ...one, sequence_number: one.sequence_number - 1 }))).toEqual(
        plain(whole.slice(7))
      )
      yield* next.end
    }).pipe(Effect.provide(store))
  )
})
