/** How likely the tokens of an answer were, on the real engine and the bundled model. */
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { Engine, type GenerateRequest, type LoadedModel } from "../../../src/layers/engine/index.ts"
import type { TokenLogprob } from "../../../src/machines/vocabulary/job.ts"
import { ask, GREEDY, MINILLAMA, type Question, user } from "./ask.ts"

class Model extends Context.Tag("test/logprobs/Model")<Model, LoadedModel>() {}
const layer = Layer.provide(
  Layer.scoped(
    Model,
    Effect.flatMap(Engine, (engine) => engine.load({ modelPath: MINILLAMA, slots: 4, onProgress: () => undefined }))
  ),
  layerLlama({ gpu: "cpu" })
)

const warm: GenerateRequest["sampling"] = { temperature: 1.3, topP: 1, topK: 0, seed: 7 }
const question: Question = { input: user("hello"), maxTokens: 12, ignoreEos: true }

const ranked = (asked: Partial<GenerateRequest>) =>
  Effect.gen(function* () {
    const told: Array<TokenLogprob | undefined> = []
    const answer = yield* ask(yield* Model, {
      ...question,
      logprobs: 5,
      ...asked,
      onToken: (_text, _id, logprob) => void told.push(logprob)
    })
    return { ...answer, told: told.flatMap((one) => one ?? []), count: told.length }
  })

it.layer(layer)("the logprobs of an answer", (it) => {
  it.effect("spell the answer, are of all tokens, and change none of them", () =>
    Effect.gen(function* () {
      const plain = yield* ask(yield* Model, { ...question, sampling: warm })
      const { count, ids, text, told } = yield* ranked({ sampling: warm })
      expect(ids).toEqual(plain.ids)
      expect([told.length, count]).toEqual([12, 12])
      expect(Buffer.from(told.flatMap(({ bytes }) => bytes)).toString()).toBe(text)
      expect(told.map(({ token }) => token).join("")).toBe(text)
      for (const { logprob, top } of told) {
        expect(logprob).toBeLessThanOrEqual(0)
        expect(top.map((one) => one.logprob)).toEqual(top.map((one) => one.logprob).sort((a, b) => b - a))
        expect(top.reduce((sum, one) => sum + Math.exp(one.logprob), 0)).toBeLessThan(1.0001)
      }
    })
  )

  it.effect("of the likeliest tokens are the first of their lists, and the same beside other answers", () =>
    Effect.gen(function* () {
      const alone = yield* ranked({ sampling: GREEDY })
      for (const { bytes, logprob, token, top } of alone.told) expect(top[0]).toEqual({ bytes, logprob, token })
      const [beside] = yield* Effect.all([ranked({ sampling: GREEDY }), ranked({ sampling: warm })], {
        concurrency: "unbounded"
      })
      expect(beside.told.map(({ token }) => token)).toEqual(alone.told.map(({ token }) => token))
    })
  )

  it.effect("of a token that nothing but a bias has drawn are those of the model", () =>
    Effect.gen(function* () {
      const { told } = yield* ranked({ sampling: { ...GREEDY, bias: [{ token: 300, by: 100 }] }, maxTokens: 1 })
      expect(told[0]?.logprob).toBeLessThan(-3)
      expect(told[0]?.top).not.toContainEqual(expect.objectContaining({ token: told[0]?.token }))
    })
  )

  it.effect("go on where an answer does", () =>
    Effect.gen(function* () {
      const whole = yield* ranked({ sampling: warm })
      const resume = { tokenIds: whole.ids.slice(0, 7), text: whole.parts.slice(0, 7).join("") }
      const rest = yield* ranked({ sampling: warm, resume })
      expect(rest.told).toEqual(whole.told.slice(7))
    })
  )

  it.effect("are not of the token that ends it, and can be without others", () =>
    Effect.gen(function* () {
      const { count, finishReason, told } = yield* ranked({ maxTokens: 200, ignoreEos: false, logprobs: 0 })
      expect([finishReason, told.length]).toEqual(["stop", count - 1])
      for (const { top } of told) expect(top).toEqual([])
    })
  )
})
