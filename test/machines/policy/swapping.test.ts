/** Models that want the same memory: how often they are swapped, against what is possible, and who waits how long. */
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { patienceOf, residencyMs } from "../../../src/machines/policy/placement/residency.ts"
import { loadSeconds } from "../../../src/machines/policy/placement/cost.ts"
import { belady, firstCome, leastRecent, play, type Request, type Setting } from "../../support/swaps.ts"

const seeded = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
}
const names = "abcdefghijkl"

/** A keystroke's completion every second, and a chat message after every third. */
const completionAgainstChat = Array.from({ length: 400 }, (_, n): Request => ({
  at: n * 1000,
  model: n % 4 === 3 ? "chat" : "code"
}))
/** An agent that calls its model three times, then thinks, beside another one. */
const agentWithGaps = Array.from({ length: 300 }, (_, n): Request => ({
  at: Math.floor(n / 3) * 6000 + (n % 3) * 500,
  model: Math.floor(n / 3) % 2 === 0 ? "planner" : "coder"
}))
const zipf = ((random) =>
  Array.from({ length: 600 }, (_, n): Request => {
    let rest = random() * 3.1032
    let model = 0
    while (model < 11 && (rest -= 1 / (model + 1)) > 0) model++
    return { at: n * 700, model: names[model] ?? "a" }
  }))(seeded(3))
/** Thirty jobs for five models at once, every two minutes. */
const burst = ((random) =>
  Array.from({ length: 300 }, (_, n): Request => ({
    at: Math.floor(n / 30) * 120_000 + (n % 30) * 10,
    model: names[Math.floor(random() * 5)] ?? "a"
  })))(seeded(5))

const one: Setting = { capacity: 1, modelMb: 4000, answerMs: 800 }
const four: Setting = { capacity: 4, modelMb: 4000, answerMs: 800 }
const two: Setting = { capacity: 2, modelMb: 4000, answerMs: 800 }

/**
 * The longest that anybody may wait: each model before it has its patience, its stay, its load and its answers, which
 * are given slot by slot; and then those of its own model that came before.
 */
const boundOf = (trace: ReadonlyArray<Request>, { answerMs, modelMb }: Setting): number => {
  const models = Math.max(1, new Set(trace.map(({ model }) => model)).size)
  const answers = Math.ceil(trace.length / models / 4 + 1) * answerMs
  const turn = patienceOf(modelMb) + residencyMs(modelMb) + 1000 * loadSeconds(modelMb) + answers
  return models * turn + Math.ceil(trace.length / 4) * answerMs
}

describe("Swapping models", () => {
  it.each([
    ["code completion against chat", completionAgainstChat, one],
    ["an agent loop with gaps", agentWithGaps, one],
    ["Zipf over twelve models", zipf, four],
    ["bursts", burst, two]
  ] as const)("%s: at most 1.3 × the swaps of the optimum, and nobody waits without bound", (_, trace, setting) => {
    const { loads, longestWait, served } = play(trace, setting)
    const best = belady(trace, setting.capacity)
    expect(served).toHaveLength(trace.length)
    expect(loads).toBeLessThanOrEqual(1.3 * best)
    expect(loads).toBeLessThanOrEqual(leastRecent(trace, setting.capacity))
    expect(loads).toBeLessThanOrEqual(firstCome(trace, setting.capacity))
    // each model before it has its patience, its stay, its load and its answers
    const models = new Set(trace.map(({ model }) => model)).size
    const turn =
      patienceOf(setting.modelMb) + residencyMs(setting.modelMb) + 1000 * loadSeconds(setting.modelMb) + 10_000
    expect(longestWait).toBeLessThanOrEqual(models * turn)
  })

  it("serves every job of every workload exactly once, never over-books, and does the same again", () => {
    const requests = FastCheck.array(
      FastCheck.record({ at: FastCheck.nat(200_000), model: FastCheck.constantFrom(...names) }),
      { maxLength: 60 }
    ).map((list) => list.toSorted((a, b) => a.at - b.at))
    const settings = FastCheck.record({
      capacity: FastCheck.integer({ min: 1, max: 4 }),
      modelMb: FastCheck.constantFrom(300, 4000, 40_000),
      answerMs: FastCheck.constantFrom(50, 800, 20_000)
    })
    FastCheck.assert(
      FastCheck.property(requests, settings, (trace, setting) => {
        const once = play(trace, setting)
        expect(new Set(once.served).size).toBe(trace.length)
        expect(once.served).toHaveLength(trace.length)
        expect(play(trace, setting)).toEqual(once)
        expect(once.longestWait).toBeLessThanOrEqual(boundOf(trace, setting))
      }),
      { numRuns: 60, seed: 4 }
    )
  })

  it("lets nobody starve behind a model that is wanted without a pause", () => {
    // as many as its slots can take, all the time; and one job each for three others
    const flood = Array.from({ length: 700 }, (_, n): Request => ({ at: n * 200, model: "flood" }))
    const few = ["a", "b", "c"].map((model, n): Request => ({ at: 60_000 + n, model }))
    const trace = [...flood, ...few].toSorted((a, b) => a.at - b.at)
    const { longest, served } = play(trace, one)
    expect(served).toHaveLength(trace.length)
    for (const { model } of few)
      expect(longest.get(model)).toBeLessThanOrEqual(
        boundOf(few, one) + patienceOf(one.modelMb) + residencyMs(one.modelMb)
      )
  })
})
