/** OpenAI's completions by its official client: a text goes on, each choice a job. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import type OpenAI from "openai"
import { rbeeError } from "../../../src/machines/errors.ts"
import { completionFields, sortCompletion } from "../../../src/machines/vocabulary/openai/completions.ts"
import { answerText, call, doneEvent, edge, failing, layer, say, sayAll } from "../../support/queen/openai-edge.ts"

const text = { model: "minillama", prompt: "once upon" }
const listen = async (stream: AsyncIterable<OpenAI.Completion>) => {
  const chunks: Array<OpenAI.Completion> = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}
type Published = OpenAI.CompletionCreateParamsNonStreaming & OpenAI.CompletionCreateParamsStreaming

/** One value of each field of OpenAI's schema, and whether it is served, harmless or refused; the compiler knows all. */
const published: Record<keyof Published, readonly [value: unknown, fate: "served" | "harmless" | "refused"]> = {
  model: ["minillama", "served"],
  prompt: ["once", "served"],
  best_of: [2, "refused"],
  echo: [true, "served"],
  frequency_penalty: [0.5, fateOf("frequency_penalty")],
  logit_bias: [{ 50256: -100 }, fateOf("logit_bias")],
  logprobs: [2, fateOf("logprobs")],
  max_tokens: [7, "served"],
  n: [2, "served"],
  presence_penalty: [-1, fateOf("presence_penalty")],
  seed: [7, "served"],
  stop: [["END"], "served"],
  stream: [false, "served"],
  stream_options: [{ include_usage: true }, "served"],
  suffix: ["the end", "served"],
  temperature: [0.5, "served"],
  top_p: [0.5, "served"],
  user: ["me", "harmless"]
}

/** Those of a chat: as there. */
function fateOf(field: string): "served" | "refused" {
  return completionFields.served.includes(field) ? "served" : "refused"
}

describe("a completion", () => {
  it.scopedLive("goes on with the text as it is, whole and in chunks", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayAll)
      const whole = yield* call(() => client.completions.create({ ...text, max_tokens: 9 }))
      expect(whole).toMatchObject({
        id: "cmpl-job-1",
        object: "text_completion",
        model: "minillama",
        choices: [{ text: answerText, index: 0, logprobs: null, finish_reason: "stop" }],
        usage: { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 }
      })
      expect(asked).toEqual([{ ...text, raw: true, max_tokens: 9, stream: false }])
      yield* call(() => client.completions.create({ ...text, prompt: "", suffix: "}" }))
      expect(asked[1]).toEqual({ ...text, prompt: "", raw: true, suffix: "}", stream: false })
      const options = { stream: true, stream_options: { include_usage: true } } as const
      const chunks = yield* call(async () => listen(await client.completions.create({ ...text, ...options })))
      expect(chunks.flatMap(({ choices }) => choices.map((choice) => choice.text)).join("")).toBe(answerText)
      expect(chunks.at(-2)?.choices).toEqual([{ text: "", index: 0, logprobs: null, finish_reason: "stop" }])
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 11 } })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("of several prompts has a choice for each, n of them, with seeds of their own", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge((log) =>
        Effect.sync(() => {
          log.token(` ${log.request.prompt ?? ""}${String(log.request.seed)}`, 0)
          log.end({ _tag: "Done", event: doneEvent(log) })
        })
      )
      const several = { model: "minillama", prompt: ["a", "b"], n: 2, seed: 7, echo: true }
      const whole = yield* call(() => client.completions.create(several))
      expect(whole.choices.map((choice) => choice.text)).toEqual(["a a7", "a a8", "b b9", "b b10"])
      expect(whole.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3])
      expect(whole.usage).toMatchObject({ prompt_tokens: 20, completion_tokens: 4 })
      const chunks = yield* call(async () => listen(await client.completions.create({ ...several, stream: true })))
      const texts = ["", "", "", ""]
      for (const { choices } of chunks) for (const choice of choices) texts[choice.index] += choice.text
      expect(texts).toEqual(["a a7", "a a8", "b b9", "b b10"])
      expect(asked.length).toBe(8)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("goes on with tokens as they are: one prompt of them, or several", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayAll)
      const whole = yield* call(() => client.completions.create({ ...text, prompt: [5, 6] }))
      expect(whole.choices[0]?.text).toBe(answerText)
      const several = { ...text, prompt: [[5], [6, 7]], n: 2 }
      expect((yield* call(() => client.completions.create(several))).choices).toHaveLength(4)
      expect(asked.map(({ tokens }) => tokens)).toEqual([[5, 6], [5], [5], [6, 7], [6, 7]])
      for (const request of asked) expect(request).toMatchObject({ raw: true, model: "minillama" })
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that fails in the middle ends with its error and without [DONE]", () =>
    Effect.gen(function* () {
      const { post, url } = yield* edge((log) =>
        Effect.zipRight(
          say(log),
          Effect.sync(() => log.end({ _tag: "Error", error: rbeeError("WORKER_CRASHED", "all died", "Wait") }))
        )
      )
      const answer = yield* call(() =>
        fetch(`${url}/v1/completions`, { method: "POST", body: JSON.stringify({ ...text, stream: true }) })
      )
      const body = yield* call(() => answer.text())
      expect(body).toMatch(/"all died\. Wait"/)
      expect(body).not.toMatch(/\[DONE\]/)
      expect((yield* post(text, "/v1/completions")).status).toBe(502)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("whose client leaves is cancelled", () =>
    Effect.gen(function* () {
      const second = yield* Deferred.make<void>()
      const { cancelled, client } = yield* edge((log) =>
        Effect.zipRight(log.request.prompt === "c" ? Deferred.succeed(second, undefined) : Effect.void, Effect.never)
      )
      const { abort, signal } = yield* Effect.sync(() => {
        const leaving = new AbortController()
        return { abort: () => leaving.abort(), signal: leaving.signal }
      })
      const both = { ...text, prompt: ["a", "c"], stream: true as const }
      const failed = yield* Effect.fork(failing(() => client.completions.create(both, { signal })))
      yield* Deferred.await(second)
      abort()
      expect((yield* Fiber.join(failed)).name).toBeDefined()
      expect(yield* Deferred.await(cancelled)).toMatch(/^job-[12]$/)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("is refused by the place of what is not right", () =>
    Effect.gen(function* () {
      const { asked, client } = yield* edge(sayAll)
      const refused = (own: object) =>
        Effect.map(
          failing(() => client.completions.create({ ...text, ...own })),
          ({ code, param, status }) => [status, code, param]
        )
      expect(yield* refused({ prompt: "" })).toEqual([400, "invalid_request", "prompt"])
      for (const prompt of [[], [[]], [1, "a"], [-1], [1.5], ["a", 1]])
        expect(yield* refused({ prompt })).toEqual([400, "invalid_value", "prompt"])
      expect(yield* refused({ prompt: [1, 2], echo: true })).toEqual([400, "unsupported_parameter", "echo"])
      expect(yield* refused({ prompt: [[1], [2]], suffix: "x" })).toEqual([400, "unsupported_parameter", "suffix"])
      expect(yield* refused({ prompt: ["a", "b"], n: 100 })).toEqual([400, "invalid_request", "prompt"])
      expect(asked).toEqual([])
    }).pipe(Effect.provide(layer))
  )

  it("knows what becomes of every field that OpenAI has published", () => {
    for (const [field, [value, fate]] of Object.entries(published)) {
      const sorted = sortCompletion({ [field]: value })
      if (fate === "refused") expect([field, Either.isLeft(sorted)]).toEqual([field, true])
      else
        expect(Either.getOrThrow(sorted)).toEqual({ asked: fate === "served" ? { [field]: value } : {}, ignored: [] })
    }
  })
})
