/** Models that write nothing, in the real engine: their vectors are those of node-llama-cpp's own contexts. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { getLlama, type Llama } from "node-llama-cpp"
import { afterAll, beforeAll } from "vitest"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import type { LoadedModel, MeasureRequest } from "../../../src/layers/engine/index.ts"
import { vectorsIn } from "../../../src/machines/formats/vectors.ts"
import { type MeasuringModel, measuringModel } from "../../support/families/measuring.ts"
import { loadWith } from "./ask.ts"

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

describe("A model for embeddings", () => {
  let llama: Llama
  beforeAll(async () => {
    llama = await getLlama({ gpu: false, build: "never", skipDownload: true, logger: () => {} })
  })
  afterAll(() => llama.dispose())

  const models: ReadonlyArray<MeasuringModel> = [
    { pooling: "mean" },
    { pooling: "cls" },
    { pooling: "last" },
    { architecture: "llama", pooling: "mean" },
    { architecture: "llama", pooling: "last", context: 2048 },
    { architecture: "qwen3", pooling: "last" }
  ]
  for (const model of models) {
    const name = `${model.architecture ?? "bert"}, ${model.pooling}`
    it.scopedLive(`gives the vectors that node-llama-cpp gives: ${name}`, () =>
      Effect.gen(function* () {
        const modelPath = yield* Effect.promise(() => measuringModel(model))
        const ours = yield* measure(yield* load(model), embed(TEXTS))
        const theirs = yield* Effect.promise(async () => {
          const loaded = await llama.loadModel({ modelPath })
          const context = await loaded.createEmbeddingContext({ contextSize: 128 })
          const vectors: Array<ReadonlyArray<number>> = []
          for (const text of TEXTS) vectors.push((await context.getEmbeddingFor(text)).vector)
          await loaded.dispose()
          return vectors
        })
        expect(ours.vectors).toEqual(theirs)
      })
    )
  }
})
