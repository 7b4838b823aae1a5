/** How tokens are drawn: what depends on those before is the same wherever an answer was cut. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LoadedModel, Sampling } from "../../../src/layers/engine/index.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { ask, GREEDY, loadWith, user } from "./ask.ts"

const layer = layerLlama({ gpu: "cpu" })
const SEEDED = { temperature: 1.4, topP: 1, topK: 0, seed: 7 }
const penalties = { repeat: 1.3, presence: 0.5, frequency: 0.4, lastTokens: 16 }

const cases: ReadonlyArray<readonly [string, Sampling]> = [
  ["penalties, greedy", { ...GREEDY, penalties }],
  ["penalties, sampled", { ...SEEDED, penalties }],
  ["penalties over all", { ...SEEDED, penalties: { ...penalties, lastTokens: Infinity } }],
  ["xtc, greedy", { ...GREEDY, seed: 7, xtc: { probability: 0.5, threshold: 0.1 } }],
  ["xtc, sampled", { ...SEEDED, xtc: { probability: 0.5, threshold: 0.05 } }],
  ["a bias", { ...SEEDED, bias: [{ token: 300, by: 8 }] }]
]

describe("An answer goes on as the undisturbed one with", () => {
  it.scopedLive.each(cases.map(([name, sampling]) => ({ name, sampling })))("$name", ({ sampling }) =>
    Effect.gen(function* () {
      const loaded = yield* loadWith(layer, { slots: 1, threads: 1 })
      const question = { input: user("hello"), sampling, maxTokens: 30, ignoreEos: true }
      const whole = yield* ask(loaded, question)
      const free = yield* ask(loaded, { ...question, sampling: sampling.temperature === 0 ? GREEDY : SEEDED })
      expect(whole.ids, "it counts").not.toEqual(free.ids)
      for (let cut = 1; cut < whole.ids.length; cut++) {
        const text = whole.parts.slice(0, cut).join("")
        const rest = yield* ask(loaded, { ...question, resume: { tokenIds: whole.ids.slice(0, cut), text } })
        expect([...whole.ids.slice(0, cut), ...rest.ids], `cut at ${cut}`).toEqual(whole.ids)
      }
    })
  )
})

describe("What is drawn", () => {
  it.scopedLive("is the same whatever its sampler drew for others before", () =>
    Effect.gen(function* () {
      const samplings = [SEEDED, { ...SEEDED, temperature: 9 }, ...cases.map(([, sampling]) => sampling)]
      const drawn = (loaded: LoadedModel, sampling: Sampling, maxTokens = 3) =>
        Effect.map(ask(loaded, { input: user("hello"), sampling, maxTokens, ignoreEos: true }), ({ ids }) => ids)
      const used = yield* loadWith(layer, { slots: 1, threads: 1 })
      for (const sampling of samplings) {
        const fresh = yield* Effect.scoped(
          Effect.flatMap(loadWith(layer, { slots: 1, threads: 1 }), (loaded) => drawn(loaded, sampling))
        )
        expect(yield* drawn(used, sampling)).toEqual(fresh)
        // the second of them begins with the seed with which the first ended
        for (const _ of [1, 2, 3, 4]) expect(yield* drawn(used, sampling, 1)).toEqual(fresh.slice(0, 1))
      }
    })
  )
})

describe("A bias", () => {
  it.scopedLive("may forbid a token, and names none that there is not", () =>
    Effect.gen(function* () {
      const loaded = yield* loadWith(layer, { slots: 1 })
      const free = yield* ask(loaded, { input: user("hello"), maxTokens: 5 })
      const [first = 0] = free.ids
      const bias = (token: number) => ({ ...GREEDY, bias: [{ token, by: -100 }] })
      const forbidden = yield* ask(loaded, { input: user("hello"), maxTokens: 5, sampling: bias(first) })
      expect(forbidden.ids).not.toContain(first)
      const unknown = yield* Effect.flip(ask(loaded, { input: user("hello"), sampling: bias(1_000_000) }))
      expect(unknown).toMatchObject({ code: "INVALID_REQUEST", details: { field: "logit_bias" } })
    })
  )
})
