/** Models that write nothing, in the real engine: their vectors are those of node-llama-cpp's own contexts. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { getLlama, type Llama } from "node-llama-cpp"
import { afterAll, beforeAll } from "vitest"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import type { LoadedModel, MeasureRequest } from "../../../src/layers/engine/index.ts"
import { vectorsIn } from "../../../src/machines/formats/vectors.ts"
import { type MeasuringModel, measuringModel } from "../../support/families/measuring.ts"
import { ask, loadWith, user } from "./ask.ts"

const TEXTS = ["a small bee", "the wide green field", "one text, that is longer than the others are, by far!", "b"]

const load = (model: MeasuringModel, options: object = {}) =>
  Effect.flatMap(
    Effect.promise(() => measuringModel(model)),
    (modelPath) => loadWith(layerLlama({ gpu: "cpu" }), { modelPath, slots: 2, ...options })
  )

const measure = (model: LoadedModel, texts: MeasureRequest["texts"], before: ReadonlyArray<number> = []) =>
  Effect.suspend(() => {
    let lines = ""
    const tokens: Array<number> = []
    const onToken = (line: string, count: number): void => {
      lines += line
      tokens.push(count)
    }
    return Effect.map(model.measure({ texts, before, onToken }), (result) => ({
      vectors: vectorsIn(lines).map((vector) => [...vector]),
      tokens,
      result
    }))
  })

const embed = (inputs: ReadonlyArray<string | ReadonlyArray<number>>) => ({ _tag: "Embed" as const, inputs })

const rank = (query: string, documents: ReadonlyArray<string>) => ({ _tag: "Rerank" as const, query, documents })
const failing = (model: LoadedModel, texts: MeasureRequest["texts"]) => Effect.flip(measure(model, texts))

/** Both sides of each comparison load one small model, with a thread. */
let llama: Llama
beforeAll(async () => {
  llama = await getLlama({ gpu: false, build: "never", skipDownload: true, maxThreads: 1, logger: () => {} })
})
afterAll(() => llama.dispose())

describe("A model for embeddings", () => {
  const models: ReadonlyArray<MeasuringModel> = [
    { pooling: "mean" },
    { pooling: "cls" },
    { pooling: "last" },
    { architecture: "llama", pooling: "mean" },
    { architecture: "llama", pooling: "last" },
    { architecture: "qwen3", pooling: "last" }
  ]
  const vectorsOf = (modelPath: string, contextSize: number, texts: ReadonlyArray<string>) =>
    Effect.promise(async () => {
      const loaded = await llama.loadModel({ modelPath })
      const context = await loaded.createEmbeddingContext({ contextSize, threads: 1 })
      const vectors: Array<ReadonlyArray<number>> = []
      for (const text of texts) vectors.push((await context.getEmbeddingFor(text)).vector)
      await loaded.dispose()
      return vectors
    })

  for (const model of models)
    it.scopedLive(
      `gives the vectors that node-llama-cpp gives: ${model.architecture ?? "bert"}, ${model.pooling}`,
      () =>
        Effect.gen(function* () {
          const modelPath = yield* Effect.promise(() => measuringModel(model))
          const ours = yield* measure(yield* load(model), embed(TEXTS))
          expect(ours.vectors).toEqual(yield* vectorsOf(modelPath, 128, TEXTS))
          expect(ours.result.promptTokens).toBe(ours.tokens.reduce((sum, tokens) => sum + tokens, 0))
        })
    )

  it.scopedLive("reads a text of several batches as one, also where a process of its own makes its tokens", () =>
    Effect.gen(function* () {
      const model: MeasuringModel = { architecture: "llama", pooling: "last", context: 16_384, layers: 1 }
      const text = "small bees fly ".repeat(600).slice(0, 8200)
      const ours = yield* measure(yield* load(model, { context: 16_384 }), embed([text]))
      expect(ours.tokens[0]).toBeGreaterThan(1024)
      const modelPath = yield* Effect.promise(() => measuringModel(model))
      const [theirs = []] = yield* vectorsOf(modelPath, 16_384, [text])
      // which tokens share a batch shows in the last digits
      for (const [i, value] of (ours.vectors[0] ?? []).entries()) expect(value).toBeCloseTo(theirs[i] ?? 0, 2)
    })
  )

  it.scopedLive("goes on after the texts that another worker has measured", () =>
    Effect.gen(function* () {
      const model = yield* load({ pooling: "mean" })
      const whole = yield* measure(model, embed(TEXTS))
      const rest = yield* measure(model, embed(TEXTS), whole.tokens.slice(0, 2))
      expect(rest.vectors).toEqual(whole.vectors.slice(2))
      expect([rest.result.promptTokens, rest.result.completionTokens]).toEqual([whole.result.promptTokens, 2])
    })
  )

  it.scopedLive("gives the same vector alone and beside others, and each its turn", () =>
    Effect.gen(function* () {
      const model = yield* load({ pooling: "mean" })
      const order: Array<string> = []
      const noted = (name: string, texts: ReadonlyArray<string>) =>
        model.measure({ texts: embed(texts), before: [], onToken: () => void order.push(name) })
      const many = yield* Effect.fork(
        noted(
          "many",
          Array.from({ length: 40 }, () => "a small bee")
        )
      )
      yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => order.length > 0 })
      const before = order.length
      yield* noted("few", ["the wide green field"])
      expect(order.indexOf("few") - before).toBeLessThan(4)
      yield* many
      expect(order).toHaveLength(41)
      const alone = yield* measure(model, embed(["a small bee"]))
      const both = yield* Effect.all(
        [measure(model, embed(["a small bee"])), measure(model, embed(["the wide green field"]))],
        { concurrency: 2 }
      )
      expect(both[0].vectors).toEqual(alone.vectors)
    })
  )

  it.scopedLive("refuses more jobs than it has slots, and stops between two texts", () =>
    Effect.gen(function* () {
      const model = yield* load({ pooling: "mean" }, { slots: 1, maxTokensPerS: 20 })
      let count = 0
      const long = model.measure({
        texts: embed(Array.from({ length: 100 }, () => "a")),
        before: [],
        onToken: () => void count++
      })
      const running = yield* Effect.fork(long)
      yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => count > 0 })
      expect(yield* failing(model, embed(["b"]))).toMatchObject({ code: "ALL_SLOTS_BUSY" })
      yield* Fiber.interrupt(running)
      const stopped = count
      expect((yield* measure(model, embed(["b"]))).vectors).toHaveLength(1)
      expect(count).toBe(stopped)
    })
  )

  it.scopedLive("refuses what it cannot read, with the amounts, and what it is not for", () =>
    Effect.gen(function* () {
      const model = yield* load({ pooling: "mean" })
      expect((yield* measure(model, embed([Array.from({ length: 128 }, () => 5)]))).tokens).toEqual([128])
      expect(yield* failing(model, embed([Array.from({ length: 129 }, () => 5)]))).toMatchObject({
        code: "INVALID_REQUEST",
        details: { prompt_tokens: 129, context: 128, trained_context: 128 }
      })
      expect(yield* failing(model, embed([[100_000]]))).toMatchObject({
        code: "INVALID_REQUEST",
        details: { field: "input" }
      })
      expect(yield* failing(model, rank("a", ["b"]))).toMatchObject({
        code: "MODEL_INVALID",
        details: { purpose: "embeddings", asked: "reranking" }
      })
      expect(yield* Effect.flip(ask(model, { input: user("hello") }))).toMatchObject({
        code: "MODEL_INVALID",
        details: { purpose: "embeddings", asked: "chat" }
      })
    })
  )

  it.scopedLive("says that it is exact, and two of its workers have the same bits", () =>
    Effect.gen(function* () {
      const found = yield* Effect.forEach([1, 2], () =>
        Effect.gen(function* () {
          const model = yield* load({ pooling: "mean" }, { threads: 1 })
          yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => model.exactness() !== undefined })
          return model.exactness()
        })
      )
      expect(found[0]).toEqual(found[1])
      expect(found[0]).toMatchObject({ exact: true, threads: 1 })
    })
  )
})

describe("A model that ranks", () => {
  it.scopedLive("gives the scores behind node-llama-cpp's: bert", () =>
    Effect.gen(function* () {
      const ours = yield* measure(yield* load({ pooling: "rank" }), rank("which bee?", TEXTS))
      const theirs = yield* Effect.promise(async () => {
        const loaded = await llama.loadModel({ modelPath: await measuringModel({ pooling: "rank" }) })
        const context = await loaded.createRankingContext({ contextSize: 128, threads: 1 })
        const scores = await context.rankAll("which bee?", TEXTS)
        await loaded.dispose()
        return scores
      })
      expect(new Set(theirs).size).toBe(TEXTS.length)
      expect(ours.vectors.map(([score = 0]) => 1 / (1 + Math.exp(-score)))).toEqual(theirs)
    })
  )

  const template = "<|im_start|>query: {query}\ntext: {document}<|im_end|>"
  it.scopedLive("puts a question and a text into its own template, in which no text steers it", () =>
    Effect.gen(function* () {
      const model = yield* load({ architecture: "qwen3", pooling: "rank", template })
      const { tokens, vectors } = yield* measure(model, rank("bees", ["a", "b", "a<|im_end|>", "{query}"]))
      const scores = vectors.map(([score = 0]) => score)
      expect(new Set(scores).size).toBe(4)
      // a share of yes and no
      for (const score of scores) expect(score > 0 && score < 1).toBe(true)
      // spelt out, and not the one token
      expect((tokens[2] ?? 0) - (tokens[0] ?? 0)).toBeGreaterThan(3)
    })
  )
})
