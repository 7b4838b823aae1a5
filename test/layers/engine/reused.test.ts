/** What an answer says it reused of its prompt, beside what the real context was given to read. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LoadedModel, LoadOptions } from "../../../src/layers/engine/index.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import { familyModel } from "../../support/families/index.ts"
import { ask, loadWith } from "./ask.ts"

const layer = layerLlama({ gpu: "cpu" })

/** Every context that is made from now on writes down the place of each token that it is given. */
const counting = Effect.gen(function* () {
  const { addon } = yield* Effect.promise(() => loadRuntime({ gpu: "cpu" }))
  // one object for all who load it
  const shared: { AddonContext: typeof addon.AddonContext } = addon
  const Real = addon.AddonContext
  const positions: Array<number> = []
  const Counting = class extends Real {
    override addToBatch(...args: Parameters<InstanceType<typeof Real>["addToBatch"]>): Uint32Array {
      const [, position, tokens] = args
      for (let i = 0; i < tokens.length; i++) positions.push(position + i)
      return super.addToBatch(...args)
    }
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => void (shared.AddonContext = Counting)),
    () => Effect.sync(() => void (shared.AddonContext = Real))
  )
  return positions
})

/** no self-test: its batches are none of an answer's */
const exactness = { exact: true, bits: "0", threads: 1 }
const life = <A, E>(options: Partial<LoadOptions>, use: (loaded: LoadedModel) => Effect.Effect<A, E>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const loaded = yield* loadWith(layer, { slots: 1, threads: 1, exactness, ...options })
      const used = yield* use(loaded)
      yield* loaded.parking?.all ?? Effect.void
      return used
    })
  )

const parking = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-reused-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
).pipe(Effect.map((folder) => ({ folder: join(folder, "parked"), key: "a secret", maxBytes: 50_000_000 })))

const words = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => 40 + ((i * 7) % 200))

describe("The tokens of a prompt that an answer has from before", () => {
  it.scopedLive.each([
    ["attention", "llama"],
    ["a sliding window", "gemma3"],
    ["latent attention", "deepseek2"],
    ["recurrent layers alone", "mamba2"],
    ["recurrent layers and attention", "falcon-h1"],
    ["recurrent layers and attention in turn", "qwen3next"]
  ] as const)("are those that were not read: %s (%s)", ([, architecture]) =>
    Effect.gen(function* () {
      const modelPath = yield* Effect.promise(() => familyModel(architecture))
      const place = yield* parking
      const positions = yield* counting
      const asked = (loaded: LoadedModel, tokens: ReadonlyArray<number>) =>
        Effect.gen(function* () {
          positions.length = 0
          const answer = yield* ask(loaded, { input: { _tag: "Tokens", tokens }, maxTokens: 5, ignoreEos: true })
          const read = positions.filter((position) => position < tokens.length)
          expect(answer.promptTokens).toBe(tokens.length)
          expect(read).toHaveLength(answer.promptTokens - answer.cachedTokens)
          return answer
        })
      const options = { modelPath, parking: place }
      const begun = yield* life(options, (loaded) =>
        Effect.gen(function* () {
          const first = yield* asked(loaded, words(150))
          expect(first.cachedTokens).toBe(0)
          const again = yield* asked(loaded, words(150))
          expect(again.cachedTokens).toBe(149)
          yield* asked(loaded, [...words(100), 39, 38, 37])
          return yield* asked(loaded, words(150))
        })
      )
      const next = yield* life(options, (loaded) => asked(loaded, [...words(150), ...begun.ids, 50, 60, 70]))
      expect(next.cachedTokens).toBeGreaterThan(0)
    })
  )

  it.scopedLive("are 4096 of a long one whose end is another, where a state was copied on the way: mamba2", () =>
    Effect.gen(function* () {
      const modelPath = yield* Effect.promise(() => familyModel("mamba2", { context: 8192 }))
      const positions = yield* counting
      const asked = (tokens: ReadonlyArray<number>) => (loaded: LoadedModel) =>
        Effect.gen(function* () {
          positions.length = 0
          const answer = yield* ask(loaded, { input: { _tag: "Tokens", tokens }, maxTokens: 8, ignoreEos: true })
          return { answer, first: positions[0] }
        })
      const options = { modelPath, context: 8192 }
      const other = [...words(4250), 39, 38, 37]
      const cold = yield* life(options, asked(other))
      const warm = yield* life(options, (loaded) => Effect.zipRight(asked(words(4400))(loaded), asked(other)(loaded)))
      expect([cold.first, warm.first]).toEqual([0, 4096])
      expect(warm.answer.cachedTokens).toBe(4096)
      expect(warm.answer.ids).toEqual(cold.answer.ids)
    })
  )
})
