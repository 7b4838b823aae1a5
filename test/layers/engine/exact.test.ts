/** Whether an answer goes on elsewhere as the undisturbed one: what the engine says of it, and that it is true. */
import { describe, expect, it, vi } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { LoadedModel, LoadOptions } from "../../../src/layers/engine/index.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import type { Exactness } from "../../../src/machines/vocabulary/worker.ts"
import { familyModel } from "../../support/families/index.ts"
import { model, TINY } from "../../support/gguf.ts"
import type { TensorType } from "../../support/gguf-container.ts"
import { isWhole, sampleOf } from "../../support/proof.ts"
import { ask, loadAndTest, loadWith, MINILLAMA, plain } from "./ask.ts"

const layer = layerLlama({ gpu: "cpu" })

/** What is computed in two ways in blocks of 256 shows it in a larger one alone. */
const sizeOf = (type: TensorType) =>
  type.endsWith("_k") || type === "iq4_xs"
    ? { layers: 8, width: 512, feedForward: 1536 }
    : { layers: 2, width: 256, feedForward: 512 }
const small = (type: TensorType) => model({ ...TINY, ...sizeOf(type), heads: 4, context: 1024, type })

const found = (options: Parameters<typeof loadWith>[1]) => loadAndTest(layer, options)

const words = (count: number): string => Array.from({ length: count }, (_, i) => `word${i % 17}`).join(" ")
const SEEDED = { temperature: 1, topP: 1, topK: 0, seed: 42 }

/** The last waits by spinning. */
const byOnes = [
  ["f16", 1],
  ["bf16", 1],
  ["f32", 1],
  ["q8_0", 2]
] as const

describe("A worker's self-test", () => {
  it.scopedLive.each(["q8_0", "q4_0", "q4_k"] as const)("finds %s exact at one thread", (type) =>
    Effect.gen(function* () {
      const modelPath = yield* Effect.promise(() => small(type))
      const { exactness, loaded } = yield* found({ modelPath })
      expect(exactness).toEqual({
        exact: true,
        exact_how: "any",
        bits: expect.stringMatching(/^[0-9a-f]{16}$/),
        threads: 1
      })
      expect(loaded.exactness()).toEqual(exactness)
    })
  )

  it.scopedLive.each(isWhole ? byOnes : sampleOf(byOnes.slice(0, 3), 1))(
    "finds %s with %s thread(s) exact one at a time",
    ([type, threads]) =>
      Effect.gen(function* () {
        const modelPath = yield* Effect.promise(() => small(type))
        const { exactness } = yield* found({ modelPath, threads, exact: "always", slots: 2 })
        expect(exactness).toMatchObject({ exact: true, exact_how: "ones", threads })
      }),
    180_000
  )

  it.scopedLive.each([
    ["f16 in four slots", "f16", { slots: 4 }, "dear"],
    ["what is not to be exact", "q8_0", { exact: "off" }, "off"],
    ["what two threads would decode one at a time", "q8_0", { threads: 2 }, "dear"]
  ] as const)("is not asked of %s", ([, type, options, how]) =>
    Effect.gen(function* () {
      const modelPath = yield* Effect.promise(() => small(type))
      const loaded = yield* loadWith(layer, { modelPath, slots: 3, threads: 1, ...options })
      expect(loaded.exactness()).toEqual({ exact: false, exact_how: how })
    })
  )

  it.scopedLive("finds the same bits in every process with the same file", () =>
    Effect.gen(function* () {
      const first = yield* found({ modelPath: MINILLAMA })
      const second = yield* found({ modelPath: MINILLAMA, slots: 1 })
      expect(first.exactness.exact).toBe(true)
      expect(second.exactness).toEqual(first.exactness)
    })
  )

  it.scopedLive("is not done where an earlier process of the worker told its outcome", () =>
    Effect.gen(function* () {
      const told: Array<Exactness> = []
      const exactness = { exact: true, bits: "0123456789abcdef", threads: 1 }
      const loaded = yield* loadWith(layer, {
        modelPath: MINILLAMA,
        threads: 1,
        exactness,
        onExact: (one) => told.push(one)
      })
      expect(loaded.exactness()).toEqual({ ...exactness, exact_how: "any" })
      yield* ask(loaded, { input: plain("hello"), maxTokens: 8 })
      expect(told).toEqual([])
    })
  )

  it.scopedLive("is done where the earlier process had another number of threads", () =>
    Effect.gen(function* () {
      const exactness = { exact: false, bits: "0123456789abcdef", threads: 7 }
      const again = yield* found({ modelPath: MINILLAMA, exactness })
      expect(again.exactness).toMatchObject({ exact: true, threads: 1 })
    })
  )

  it.scopedLive("goes on beside answers where they leave it no rest, and changes none of them", () =>
    Effect.gen(function* () {
      const input = plain("Once upon a time")
      const { loaded: quiet } = yield* found({ modelPath: MINILLAMA, slots: 2 })
      const undisturbed = yield* ask(quiet, { input, maxTokens: 120, ignoreEos: true, sampling: SEEDED })
      const told = yield* Deferred.make<Exactness>()
      const busy = yield* loadWith(layer, {
        slots: 4,
        threads: 1,
        onExact: (exactness) => Deferred.unsafeDone(told, Effect.succeed(exactness))
      })
      yield* later(11_000)
      const one = ask(busy, { input, maxTokens: 120, ignoreEos: true, sampling: SEEDED }).pipe(
        Effect.map((answer) => expect(answer.ids).toEqual(undisturbed.ids))
      )
      expect((yield* Effect.raceFirst(Effect.forever(one), Deferred.await(told))).exact).toBe(true)
    })
  )

  it.scopedLive("leaves the first answers the machine's whole speed", () =>
    Effect.gen(function* () {
      const loaded = yield* loadWith(layer, { slots: 2, threads: 1 })
      const answer = yield* ask(loaded, { input: plain("Once upon a time"), maxTokens: 1, sampling: SEEDED })
      expect(answer.ids).toHaveLength(1)
      expect(loaded.exactness()).toBeUndefined()
    })
  )
})

/** What is measured from now on is so many milliseconds later. */
const later = (ms: number) => {
  const real = performance.now.bind(performance)
  return Effect.acquireRelease(
    Effect.sync(() => vi.spyOn(performance, "now").mockImplementation(() => real() + ms)),
    (spy) => Effect.sync(() => spy.mockRestore())
  )
}

/** The same question of a model that reads it for the first time. */
const cold = (modelPath: string, question: Parameters<typeof ask>[1]) =>
  Effect.scoped(Effect.flatMap(loadWith(layer, { modelPath, slots: 1, threads: 1 }), (fresh) => ask(fresh, question)))

describe("A prompt that is read in large pieces", () => {
  it.scopedLive("is read as it is from the beginning: with company, after a common prefix, on decoded tokens", () =>
    Effect.gen(function* () {
      const modelPath = yield* Effect.promise(() => model({ ...TINY, context: 4096, type: "q8_0" }))
      const options = { maxTokens: 40, ignoreEos: true, sampling: SEEDED }
      const long = (more: string) => ({ ...options, input: plain(`${words(330)} ${more}`) })
      const expected = yield* cold(modelPath, long("first"))
      expect(expected.promptTokens).toBeGreaterThan(2048)
      const { loaded } = yield* found({ modelPath, context: 4096 })
      const [inCompany] = yield* Effect.all(
        [
          ask(loaded, long("first")),
          ask(loaded, { ...options, maxTokens: 200, input: plain("another") }),
          ask(loaded, long("other"))
        ],
        { concurrency: "unbounded" }
      )
      expect(inCompany.ids).toEqual(expected.ids)
      const warm = yield* ask(loaded, long("first"))
      expect(warm.cachedTokens).toBe(warm.promptTokens - 1)
      expect(warm.ids).toEqual(expected.ids)
      const next = long(`first ${expected.text} and then`)
      const onDecoded = yield* ask(loaded, next)
      expect(onDecoded.cachedTokens).toBeGreaterThan(0)
      expect(onDecoded.ids).toEqual((yield* cold(modelPath, next)).ids)
    })
  )
})

/** Each rule is held to the real kernels. Two threads wait for each other by spinning: slow on cores that others use. */
const rules: ReadonlyArray<readonly [name: string, type: TensorType, options: Partial<LoadOptions>]> = [
  ["of Q4_K, in threes", "q4_k", { slots: 4 }],
  ["of Q2_K, in threes", "q2_k", { slots: 4 }],
  ["of IQ4_XS, in sevens", "iq4_xs", { slots: 8, exact: "always" }],
  ["of F16, one at a time", "f16", { slots: 3, exact: "always" }],
  ["of BF16, one at a time", "bf16", { slots: 3, exact: "always" }],
  ["with two threads, one at a time", "q8_0", { slots: 3, exact: "always", threads: 2 }],
  ["with two threads and a rounded cache", "q8_0", { slots: 4, kvType: "q8_0", threads: 2 }]
]

const ofOneThread = rules.filter(([, , { threads }]) => threads === undefined)

describe("A model", () => {
  it.scopedLive.each(isWhole ? rules : sampleOf(ofOneThread, 2))(
    "%s, answers the same cold, warm, in company, and resumed elsewhere",
    ([, type, options]) =>
      Effect.gen(function* () {
        const modelPath = yield* Effect.promise(() => small(type))
        const told = (one: LoadedModel, question: Parameters<typeof ask>[1]) =>
          // last digits that differ show in the probabilities long before they show in a token
          Effect.map(ask(one, { ...question, logprobs: 0 }), ({ ids, logprobs, parts, promptTokens }) => {
            expect(logprobs).toHaveLength(ids.length)
            return { ids, logprobs, parts, promptTokens }
          })
        const fresh = (question: Parameters<typeof ask>[1]) =>
          Effect.scoped(
            Effect.flatMap(loadWith(layer, { threads: 1, ...options, modelPath, slots: 1 }), (one) =>
              told(one, question)
            )
          )
        const question = { input: plain(words(46)), maxTokens: 30, ignoreEos: true, sampling: SEEDED }
        const expected = yield* fresh(question)
        // attention is split over threads from 257 tokens on
        expect(expected.promptTokens).toBeGreaterThan(256)
        const loaded = yield* loadWith(layer, { threads: 1, ...options, modelPath })
        const other = (count: number) => told(loaded, { ...question, input: plain(words(count)) })
        const all = [other(3), other(5), other(50), ...Array.from({ length: 4 }, (_, i) => other(6 + i))]
        const [first] = yield* Effect.all([told(loaded, question), ...all.slice(0, loaded.slots - 1)], {
          concurrency: "unbounded"
        })
        expect(first).toEqual(expected)
        expect(yield* told(loaded, question)).toEqual(expected)
        const next = { ...question, input: plain(`${words(46)}${expected.parts.join("")} and`) }
        expect(yield* told(loaded, next)).toEqual(yield* fresh(next))
        const short = { ...question, input: plain(words(6)) }
        expect(yield* told(loaded, short)).toEqual(yield* fresh(short))
        const resume = { tokenIds: expected.ids.slice(0, 11), text: expected.parts.slice(0, 11).join("") }
        const rest = yield* fresh({ ...question, resume })
        expect([...resume.tokenIds, ...rest.ids]).toEqual(expected.ids)
        expect(rest.logprobs).toEqual(expected.logprobs.slice(11))
      }),
    180_000
  )
})

const again = (loaded: LoadedModel, text: string) =>
  ask(loaded, { input: plain(text), maxTokens: 24, ignoreEos: true, sampling: SEEDED })

describe("A model with recurrent layers", () => {
  it.scopedLive.each(["mamba", "mamba2", "lfm2", "falcon-h1", "granitehybrid", "jamba", "rwkv7", "qwen3next"])(
    "%s reuses a prefix up to its last copy, and reports what it really reused",
    (architecture) =>
      Effect.gen(function* () {
        const modelPath = yield* Effect.promise(() => familyModel(architecture))
        const loaded = yield* loadWith(layer, { modelPath, slots: 2, threads: 1 })
        const text = "the quick brown fox jumps"
        const first = yield* again(loaded, text)
        expect(first.cachedTokens).toBe(0)
        const second = yield* again(loaded, text)
        expect(second.cachedTokens).toBe(first.promptTokens - 1)
        expect(second.ids).toEqual(first.ids)
        const other = `${text} high`
        const third = yield* again(loaded, other)
        expect(third.cachedTokens).toBe(first.promptTokens - 1)
        expect(third.ids).toEqual(
          (yield* cold(modelPath, { input: plain(other), maxTokens: 24, ignoreEos: true, sampling: SEEDED })).ids
        )
      })
  )
})
