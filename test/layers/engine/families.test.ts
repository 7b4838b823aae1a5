/**
 * Every family that the generator makes, in the real llama.cpp: it loads and answers, and its answers are the same
 * however they come about. Of the second a sample runs here; `npm run proof -- families` runs it over all of them.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LoadedModel, Sampling } from "../../../src/layers/engine/index.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { families, familyModel } from "../../support/families/index.ts"
import { isWhole } from "../../support/proof.ts"
import { type Answered, ask, GREEDY, loadWith, plain } from "./ask.ts"

const layer = layerLlama({ gpu: "cpu" })
const load = (architecture: string, slots: number) =>
  Effect.flatMap(
    Effect.promise(() => familyModel(architecture)),
    (modelPath) => loadWith(layer, { modelPath, slots, threads: 1 })
  )

const prompt = "the quick brown fox jumps over the lazy dog"
/** read wide, in more than one piece */
const longPrompt = Array.from({ length: 5 }, (_, i) => `${prompt} ${i} times`).join(", ")
const maxTokens = 24
const answer = (model: LoadedModel, sampling: Sampling, more: Partial<Parameters<typeof ask>[1]> = {}) =>
  ask(model, { input: plain(longPrompt), maxTokens, ignoreEos: true, sampling, ...more })

describe("Each family that the generator makes", () => {
  it.scopedLive.each([...families.keys()])("%s is loaded by the engine, and answers", (architecture) =>
    Effect.gen(function* () {
      const model = yield* load(architecture, 1)
      const { ids } = yield* answer(model, GREEDY, { input: plain(prompt) })
      expect(ids).toHaveLength(maxTokens)
      // neither stuck on one word nor out of range
      expect(new Set(ids).size).toBeGreaterThan(2)
    })
  )
})

/** One of each kind: plain, experts, a window, compressed attention, and what carries a state. */
const sample = ["llama", "qwen3moe", "gemma3", "deepseek2", "qwen35", "lfm2", "mamba2", "rwkv7"]
const compared = isWhole ? [...families.keys()] : sample
const ways: ReadonlyArray<readonly [name: string, sampling: Sampling]> = [
  ["greedy", GREEDY],
  ["seeded", { temperature: 1, topP: 1, topK: 0, seed: 42 }]
]
const cases = compared.flatMap((architecture) =>
  ways.map(([name, sampling]) => [architecture, name, sampling] as const)
)

/** The rest of an answer that another worker began. */
const resumed = (model: LoadedModel, whole: Answered, sampling: Sampling, at: number) =>
  answer(model, sampling, {
    resume: { tokenIds: whole.ids.slice(0, at), text: whole.parts.slice(0, at).join("") }
  })

describe("An answer is the same", () => {
  it.scopedLive.each(cases)("of %s, %s, cold, warm, in company, and resumed elsewhere", ([architecture, , sampling]) =>
    Effect.gen(function* () {
      const model = yield* load(architecture, 3)
      const cold = yield* answer(model, sampling)
      const warm = yield* answer(model, sampling)
      expect(warm.ids).toEqual(cold.ids)
      const company = yield* Effect.all(
        [
          answer(model, sampling),
          ask(model, { input: plain("quite another one"), maxTokens, ignoreEos: true, sampling }),
          answer(model, sampling)
        ],
        { concurrency: "unbounded" }
      )
      expect(company[0].ids).toEqual(cold.ids)
      expect(company[2].ids).toEqual(cold.ids)
      const next = { input: plain(`${longPrompt}${cold.text} and so on`) }
      const onAnother = yield* answer(model, sampling, next)
      expect(onAnother.cachedTokens).toBeGreaterThan(0)
      expect((yield* answer(yield* load(architecture, 1), sampling, next)).ids).toEqual(onAnother.ids)
      for (const at of [1, 9, 20]) {
        const elsewhere = yield* load(architecture, 1)
        const rest = yield* resumed(elsewhere, cold, sampling, at)
        expect([...cold.ids.slice(0, at), ...rest.ids]).toEqual(cold.ids)
      }
    })
  )
})
