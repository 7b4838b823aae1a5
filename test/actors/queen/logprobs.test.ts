/** How likely tokens were, and several answers at once, by OpenAI's official client. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type OpenAI from "openai"
import type { JobLog } from "../../../src/actors/queen/log/job-log.ts"
import { contentOnly } from "../../../src/machines/dialect/dialect.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import type { TokenLogprob } from "../../../src/machines/vocabulary/job.ts"
import { edge as ollamaEdge } from "../../support/queen/ollama-edge.ts"
import { call, collect, doneEvent, edge, failing, hello, layer } from "../../support/queen/openai-edge.ts"

const likely = (token: string, logprob: number): TokenLogprob => {
  const own = { token, bytes: [...Buffer.from(token)], logprob }
  return { ...own, top: [own, { token: "other", bytes: [1], logprob: -9 }] }
}
/** Tokens as a worker gives them: the text of some is held back, and the last two are cut off by a stop string. */
const tokens: ReadonlyArray<readonly [text: string, token: string]> = [
  ["Hi", "Hi"],
  ["", " E"],
  [" END", "ND"],
  ["é", "é"],
  ["", " ST"],
  ["", "OP"]
]
const shown = tokens.slice(0, 4)
const sayLikely = (log: JobLog, said = tokens) =>
  Effect.sync(() => {
    const isAsked = log.request.logprobs !== undefined
    for (const [at, [text, token]] of said.entries()) log.token(text, at, isAsked ? likely(token, 0 - at) : undefined)
    log.end({ _tag: "Done", event: doneEvent(log) })
  })

const inOpenAi = (at: number, token: string) => {
  const { top, ...own } = likely(token, 0 - at)
  return { ...own, top_logprobs: top }
}
const wanted = shown.map(([, token], at) => inOpenAi(at, token))
const asking = { ...hello, logprobs: true, top_logprobs: 2 }

describe("logprobs", () => {
  it.scopedLive("of a chat are those of its content's tokens, whole and in chunks", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayLikely)
      const whole = yield* call(() => client.chat.completions.create(asking))
      expect(whole.choices[0]).toMatchObject({ message: { content: "Hi ENDé" }, finish_reason: "stop" })
      expect(whole.choices[0]?.logprobs).toEqual({ content: wanted, refusal: null })
      expect(asked[0]).toMatchObject({ logprobs: 2, stream: true })
      const chunks = yield* call(async () => collect(await client.chat.completions.create({ ...asking, stream: true })))
      const choices = chunks.flatMap((chunk) => chunk.choices)
      expect(choices.flatMap(({ logprobs }) => logprobs?.content ?? [])).toEqual(wanted)
      expect(choices.map(({ delta }) => delta.content ?? "").join("")).toBe("Hi ENDé")
      // with the text that they are of
      expect(choices.find(({ delta }) => delta.content === " END")?.logprobs?.content).toHaveLength(2)
      const plain = yield* call(() => client.chat.completions.create(hello))
      expect(plain.choices[0]?.logprobs).toBeNull()
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive.each(["chat", "generate"])("of Ollama's %s stand beside its content, whole and in lines", (path) =>
    Effect.gen(function* () {
      const { asked, post } = yield* ollamaEdge(sayLikely)
      const request = { model: "minillama", prompt: "hello", messages: hello.messages, logprobs: true, top_logprobs: 2 }
      const textOf = (line: Readonly<Record<string, unknown>>): unknown =>
        path === "chat" ? Object(line["message"])["content"] : line["response"]
      const whole = (yield* post(path, { ...request, stream: false })).body
      expect([textOf(whole), whole["logprobs"]]).toEqual(["Hi ENDé", wanted])
      expect(asked[0]).toMatchObject({ logprobs: 2, stream: true })
      const { lines } = yield* post(path, request)
      expect(lines.flatMap((line) => line["logprobs"] ?? [])).toEqual(wanted)
      expect(lines.map(textOf).join("")).toBe("Hi ENDé")
      expect(lines.find((line) => textOf(line) === " END")?.["logprobs"]).toHaveLength(2)
      const plain = yield* post(path, { ...request, logprobs: false, top_logprobs: 0, stream: false })
      expect(plain.body).not.toHaveProperty("logprobs")
      const wrong = yield* post(path, { ...request, top_logprobs: 21 })
      expect([wrong.status, wrong.body]).toMatchObject([400, { details: { field: "top_logprobs" } }])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("are there without others, and others are not there without them", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayLikely)
      yield* call(() => client.chat.completions.create({ ...hello, logprobs: true }))
      expect(asked[0]?.logprobs).toBe(0)
      for (const wrong of [{ top_logprobs: 2 }, { logprobs: true, top_logprobs: 21 }]) {
        const error = yield* failing(() => client.chat.completions.create({ ...hello, ...wrong }))
        expect([error.status, error.param]).toEqual([400, "top_logprobs"])
      }
      expect(asked.length).toBe(1)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("are not told of what was thought", () =>
    Effect.gen(function* () {
      const dialect = {
        ...contentOnly(""),
        reasoning: {
          open: "<think>",
          close: "</think>",
          confirmed: "render" as const,
          prompt: { on: "closed" as const, off: "closed" as const, default: "closed" as const },
          field: undefined
        }
      }
      const said = ["<think>", "hm", "</think>", "Yes"].map((text) => [text, text] as const)
      const { client } = yield* edge((log) => {
        log.record({ form: { dialect: dialect as never, prompt: "" } })
        return sayLikely(log, said)
      })
      const { choices } = yield* call(() => client.chat.completions.create(asking))
      expect(choices[0]?.message).toMatchObject({ content: "Yes", reasoning_content: "hm" })
      expect(choices[0]?.logprobs?.content?.map(({ token }) => token)).toEqual(["Yes"])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("of a text say where in it each token begins", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayLikely)
      const text = { model: "minillama", prompt: "oh", logprobs: 2 }
      const whole = yield* call(() => client.completions.create(text))
      const top = shown.map(([, token], at) => ({ other: -9, [token]: 0 - at }))
      const list = shown.map(([, token]) => token)
      const fields = { tokens: list, token_logprobs: [0, -1, -2, -3], top_logprobs: top, text_offset: [0, 2, 4, 6] }
      expect(whole.choices[0]).toMatchObject({ text: "Hi ENDé", logprobs: fields })
      const echo = yield* call(() => client.completions.create({ ...text, echo: true, logprobs: 0 }))
      expect(echo.choices[0]).toMatchObject({
        text: "ohHi ENDé",
        logprobs: { tokens: list, top_logprobs: null, text_offset: [2, 4, 6, 8] }
      })
      const chunks: Array<OpenAI.Completion> = []
      yield* call(async () => {
        for await (const chunk of await client.completions.create({ ...text, stream: true })) chunks.push(chunk)
      })
      const told = chunks.flatMap(({ choices }) => choices.flatMap(({ logprobs }) => logprobs ?? []))
      expect(told.flatMap(({ text_offset: offsets = [] }) => offsets)).toEqual([0, 2, 4, 6])
      expect(told.flatMap(({ tokens: some = [] }) => some)).toEqual(list)
      expect(asked.map(({ logprobs, stream }) => [logprobs, stream])).toEqual([
        [2, true],
        [0, true],
        [2, true]
      ])
    }).pipe(Effect.provide(layer))
  )
})

describe("logprobs of a response", () => {
  it.scopedLive("come with its text, in its events and in the whole", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayLikely)
      const request = { model: "minillama", input: "hello", top_logprobs: 2 }
      const whole = yield* call(() => client.responses.create(request))
      const [message] = whole.output
      const [part] = message?.type === "message" ? message.content : []
      expect(part).toMatchObject({ type: "output_text", text: "Hi ENDé", logprobs: wanted })
      expect(asked[0]?.logprobs).toBe(2)
      const told: Array<unknown> = []
      yield* call(async () => {
        for await (const event of await client.responses.create({ ...request, stream: true })) {
          if (event.type === "response.output_text.delta") told.push(...event.logprobs)
          if (event.type === "response.output_text.done") expect(event.logprobs).toEqual(wanted)
        }
      })
      expect(told).toEqual(wanted)
      const plain = yield* call(() => client.responses.create({ model: "minillama", input: "hello" }))
      const [said] = plain.output
      expect(said).toMatchObject({ content: [{ text: "Hi ENDé", logprobs: [] }] })
    }).pipe(Effect.provide(layer))
  )
})

describe("n choices of a chat", () => {
  const told = (log: JobLog) =>
    Effect.sync(() => {
      log.token(`seed ${log.request.seed}`, 0)
      log.end({ _tag: "Done", event: doneEvent(log) })
    })

  it.scopedLive("are jobs of their own, with seeds of their own, whole and in one stream", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(told)
      const three = { ...hello, n: 3, seed: 7 }
      const whole = yield* call(() => client.chat.completions.create(three))
      expect(whole.choices.map(({ index, message }) => [index, message.content])).toEqual([
        [0, "seed 7"],
        [1, "seed 8"],
        [2, "seed 9"]
      ])
      expect(whole.usage).toMatchObject({ prompt_tokens: 15, completion_tokens: 3, total_tokens: 18 })
      const streaming = { ...three, stream: true, stream_options: { include_usage: true } } as const
      const chunks = yield* call(async () => collect(await client.chat.completions.create(streaming)))
      const texts = ["", "", ""]
      const finished: Array<number> = []
      for (const { choices } of chunks)
        for (const { delta, finish_reason, index } of choices) {
          texts[index] += delta.content ?? ""
          if (finish_reason === "stop") finished.push(index)
        }
      expect(texts).toEqual(["seed 7", "seed 8", "seed 9"])
      expect(finished.toSorted()).toEqual([0, 1, 2])
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 18 } })
      expect(new Set(chunks.map(({ id }) => id)).size).toBe(1)
      expect(asked.length).toBe(6)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("are no more than 128", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(told)
      for (const n of [0, 129]) {
        const error = yield* failing(() => client.chat.completions.create({ ...hello, n }))
        expect([error.status, error.param]).toEqual([400, "n"])
        expect(error.message).toMatch(/128/)
      }
      expect(asked).toEqual([])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("are all given up where one fails, and the stream has no [DONE]", () =>
    Effect.gen(function* () {
      const { cancelled, client, url } = yield* edge((log) =>
        log.request.seed === 8
          ? Effect.sync(() => {
              log.token("a", 0)
              log.end({ _tag: "Error", error: rbeeError("WORKER_CRASHED", "it died", "Wait") })
            })
          : Effect.sync(() => log.token("b", 0))
      )
      const two = { ...hello, n: 2, seed: 7 }
      expect((yield* failing(() => client.chat.completions.create(two))).status).toBe(502)
      expect(yield* Deferred.await(cancelled)).toBe("job-1")
      const abort = new AbortController()
      const answer = yield* call(() =>
        fetch(`${url}/v1/chat/completions`, {
          method: "POST",
          body: JSON.stringify({ ...two, stream: true }),
          signal: abort.signal
        })
      )
      const reader = answer.body?.getReader()
      let body = ""
      while (!body.includes("it died")) {
        const piece = yield* call(async () => reader?.read())
        body += Buffer.from(piece?.value ?? new Uint8Array()).toString()
      }
      expect(body).not.toMatch(/\[DONE\]/)
      abort.abort()
    }).pipe(Effect.provide(layer))
  )
})
