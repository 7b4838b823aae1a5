/** Repetitions that are made less likely: what is penalised, and that an answer is drawn so wherever it goes on. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { Dry } from "../../../src/layers/engine/llama/decoding/dry.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { ask, GREEDY, loadWith, user } from "./ask.ts"

const options = { multiplier: 1, base: 1.5, allowedLength: 2, lastTokens: Infinity, breakers: ["\n", "end"] }
/** Token 9 is a line's end, 7 and 8 spell "end" together; others are letters. */
const texts: Readonly<Record<number, string>> = { 9: "\n", 7: "xe", 8: "nd" }
const spelt = (token: number): string => texts[token] ?? String.fromCharCode(97 + token)
const penalised = (tokens: ReadonlyArray<number>, own: object = {}) =>
  Object.fromEntries(new Dry({ ...options, ...own }, spelt).penalties(tokens))

/** The same by looking at every pair of places. */
const plainly = (tokens: ReadonlyArray<number>, allowed: number) => {
  const found: Record<number, number> = {}
  for (let at = 0; at < tokens.length - 1; at++) {
    let length = 0
    while (length <= at && tokens[at - length] === tokens[tokens.length - 1 - length]) length++
    const next = tokens[at + 1] ?? -1
    if (length >= allowed) found[next] = Math.min(found[next] ?? 0, -(1.5 ** (length - allowed)))
  }
  return found
}

describe("what goes on with a repetition", () => {
  it("is penalised by its length, the longest one counting", () => {
    expect(penalised([0, 1])).toEqual({})
    // as llama.cpp's own test of it: 2 came after 0 1
    expect(penalised([0, 1, 2, 0, 1])).toEqual({ 2: -1 })
    expect(penalised([3, 0, 1, 2, 0, 1, 4, 3, 0, 1])).toEqual({ 2: -1.5, 4: -1 })
    expect(penalised([0, 1, 2, 0, 1], { allowedLength: 3 })).toEqual({})
    expect(penalised([0, 1, 2, 0, 1], { lastTokens: 4 })).toEqual({})
    expect(penalised([0, 1, 2, 0, 1], { multiplier: 3 })).toEqual({ 2: -3 })
  })

  it("is found as by comparing all places, in tokens that grow", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.nat(2), { maxLength: 60 }),
        FastCheck.integer({ min: 1, max: 4 }),
        (tokens, allowedLength) => {
          const dry = new Dry({ ...options, allowedLength }, spelt)
          for (let count = 1; count <= tokens.length; count++) {
            const some = tokens.slice(0, count)
            expect(Object.fromEntries(dry.penalties(some))).toEqual(plainly(some, allowedLength))
          }
        }
      ),
      { numRuns: 200 }
    )
  })

  it("does not reach over a breaker, also one that several tokens spell", () => {
    expect(penalised([0, 9, 1, 2, 0, 9, 1])).toEqual({})
    expect(penalised([0, 9, 1, 3, 2, 0, 9, 1, 3])).toEqual({ 2: -1 })
    expect(penalised([0, 7, 8, 1, 2, 0, 7, 8, 1])).toEqual({})
    expect(penalised([0, 7, 8, 1, 2, 0, 7, 8, 1], { breakers: [] })).toEqual({ 2: -2.25 })
  })

  it("of any length has a finite penalty", () => {
    const [penalty = 0] = Object.values(penalised(Array.from({ length: 5000 }, () => 0)))
    expect(penalty).toBeLessThan(-1e30)
    expect(Number.isFinite(Math.fround(penalty))).toBe(true)
  })
})

describe("an answer of the bundled model", () => {
  it.scopedLive("repeats itself less, and goes on at any token as undisturbed", () =>
    Effect.gen(function* () {
      const model = yield* loadWith(layerLlama({ gpu: "cpu" }))
      const asked = { input: user("aaaa bbbb aaaa bbbb aaaa"), maxTokens: 60, ignoreEos: true }
      const dry = { ...options, multiplier: 5, breakers: [] }
      const plain = yield* ask(model, { ...asked, sampling: GREEDY })
      const longest = ({ ids }: { readonly ids: ReadonlyArray<number> }) => {
        const exponents = ids.map((_, at) =>
          Object.values(plainly(ids.slice(0, at + 1), 1)).map((one) => Math.log(-one) / Math.log(1.5))
        )
        return Math.max(0, ...exponents.flat())
      }
      for (const sampling of [
        { ...GREEDY, dry },
        { temperature: 0.7, topP: 1, topK: 40, seed: 3, dry }
      ]) {
        const whole = yield* ask(model, { ...asked, sampling })
        expect(whole.ids).not.toEqual(plain.ids)
        expect(longest(whole)).toBeLessThan(longest(plain))
        for (const at of [1, 17, 40]) {
          const resume = { tokenIds: whole.ids.slice(0, at), text: whole.parts.slice(0, at).join("") }
          expect((yield* ask(model, { ...asked, sampling, resume })).ids).toEqual(whole.ids.slice(at))
        }
      }
    })
  )
})
