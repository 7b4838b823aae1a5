/**
 * In which of the two ways each token is read, by the real decode loop over a context that writes down how each of its
 * cells was computed: whatever was asked before and beside it, a prompt's cells are those of one that is read alone and
 * cold. `npm run proof -- families` holds the bits of the real llama.cpp to the same.
 */
import { describe, expect, it } from "vitest"
import { wideFrom } from "../../../src/machines/kinds/llama/batches.ts"
import { anyRows, type Rows } from "../../../src/machines/kinds/llama/exact-types.ts"
import type { AddonCheckpoint, AddonContext } from "../../../src/layers/engine/llama/addon.ts"
import { takeSlot } from "../../../src/layers/engine/admission.ts"
import { LlamaAnswer } from "../../../src/layers/engine/llama/decoding/answer.ts"
import { Batcher } from "../../../src/layers/engine/llama/decoding/batcher.ts"
import { Caches } from "../../../src/layers/engine/llama/decoding/caches.ts"
import { reusable, wideEnd } from "../../../src/layers/engine/llama/decoding/pieces.ts"
import { AnswerSampler } from "../../../src/layers/engine/llama/decoding/sampling.ts"
import { makeSlots } from "../../../src/layers/engine/slots.ts"
import { SeededRandom } from "../../../src/simulator/world/kernel/random.ts"
import { sampleOf } from "../../support/proof.ts"
import { GREEDY, plain, request } from "./ask.ts"

interface Cell {
  readonly token: number
  readonly way: "wide" | "narrow"
}

/** Draws a token that says all that came before it, so that a wrong cell is a wrong answer. */
const draw = (cells: ReadonlyArray<Cell>): number =>
  cells.reduce((hash, { token, way }) => Math.imul(hash ^ (token + (way === "wide" ? 7 : 0)), 0x01000193) >>> 8, 1)

class Copy implements AddonCheckpoint {
  size = 1
  maxPos = -1
  cells: ReadonlyArray<Cell> = []
  init = async (context: AddonContext, sequence: number): Promise<void> => {
    if (!(context instanceof Context)) throw new Error("another context")
    this.cells = context.of(sequence).slice()
    this.maxPos = this.cells.length - 1
  }
  dispose = (): void => undefined
}

class Context implements AddonContext {
  readonly cells = new Map<number, Array<Cell>>()
  /** what each sequence has in each batch */
  readonly batches: Array<ReadonlyMap<number, number>> = []
  /** the places of all tokens that were read, in order */
  readonly read: Array<{ readonly sequence: number; readonly position: number }> = []
  private batch = new Map<number, Array<number>>()
  private readonly hasState: boolean
  constructor(hasState: boolean) {
    this.hasState = hasState
  }
  of = (sequence: number): Array<Cell> => this.cells.get(sequence) ?? []
  init = async () => true
  dispose = async () => undefined
  initBatch = () => {
    this.batch = new Map()
  }
  addToBatch = (sequence: number, position: number, tokens: Uint32Array, logits: Uint32Array) => {
    expect(position).toBe(this.of(sequence).length)
    tokens.forEach((_, i) => this.read.push({ sequence, position: position + i }))
    this.batch.set(sequence, [...tokens])
    return Uint32Array.from(logits, () => sequence)
  }
  decodeBatch = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    this.batches.push(new Map([...this.batch].map(([sequence, tokens]) => [sequence, tokens.length])))
    for (const [sequence, tokens] of this.batch) {
      const way = tokens.length >= wideFrom ? "wide" : "narrow"
      if (way === "wide") expect(this.batch.size, "a wide piece has no neighbours").toBe(1)
      this.cells.set(sequence, [...this.of(sequence), ...tokens.map((token) => ({ token, way }) as const)])
    }
  }
  sampleToken = async (sequence: number) => draw(this.of(sequence))
  disposeSequence = (sequence: number) => void this.cells.delete(sequence)
  removeTokenCellsFromSequence = (sequence: number, start: number) => {
    const cells = this.of(sequence)
    if (this.hasState && start !== cells.length) return false
    this.cells.set(sequence, cells.slice(0, start))
    return true
  }
  restoreCheckpoint = async (copy: AddonCheckpoint, last: number) => {
    if (!(copy instanceof Copy) || copy.maxPos !== last) return false
    for (const [sequence, cells] of this.cells)
      if (copy.cells.every((cell, i) => cells[i] === cell)) this.cells.set(sequence, copy.cells.slice())
    return true
  }
  getSequenceKvCacheMaxPosition = (sequence: number) => this.of(sequence).length - 1
  saveSequenceStateToFile = async () => 0
  loadSequenceStateFromFile = async () => new Uint32Array(0)
  getMemoryBreakdown = () => ({ cpuRam: 0, gpuVram: 0 })
}

const sampler = (): AnswerSampler => {
  const AddonSampler = class {
    applyConfig = () => undefined
    dispose = () => undefined
  }
  // Only the sampler's constructor is used of the addon, and nothing of the model.
  return new AnswerSampler({ AddonSampler } as never, {} as never, GREEDY)
}

const make = (hasState: boolean, slotCount: number, rows: Rows = anyRows, copiesMax = 3 * slotCount) => {
  const context = new Context(hasState)
  const slots = makeSlots(slotCount)
  const caches = new Caches({
    addon: { AddonContextSequenceCheckpoint: Copy },
    native: context as never,
    hasState,
    copiesMax,
    rows,
    usable: (held, asked) => reusable(held, asked, rows)
  })
  const batcher = new Batcher({
    context,
    batchSize: 128,
    isMixed: false,
    rows,
    hasState,
    paceMs: 0,
    now: () => 0,
    caches
  })
  const ask = (prompt: ReadonlyArray<number>, resumed: ReadonlyArray<number>, maxTokens: number) => {
    const all = [...prompt, ...resumed]
    const taken = takeSlot(slots, all)
    if (!("slot" in taken)) throw taken
    const { prefix, slot } = taken
    const before = context.read.length
    /** tokens of this prompt that were read for this answer */
    const readOf = () =>
      context.read.slice(before).filter((one) => one.sequence === slot.id && one.position < prompt.length).length
    const said = [...resumed]
    let answer: LlamaAnswer | undefined
    const end = new Promise<{ readonly cached: number; readonly cells: ReadonlyArray<Cell> }>((resolve, reject) => {
      answer = new LlamaAnswer(
        {
          request: request({
            input: plain(""),
            maxTokens,
            resume: { tokenIds: resumed, text: "" },
            onToken: (_text, id) => void said.push(id)
          }),
          prompt,
          slot,
          cached: reusable({ tokens: prefix, wide: slot.wide }, { prompt: prompt.length, all: all.length }, rows),
          context: 10_000,
          trained: 10_000,
          textOf: String,
          isEnd: () => false,
          now: () => 0,
          done: (result) => {
            if (!("cachedTokens" in result)) return reject(result)
            const { cachedTokens: cached, promptTokens } = result
            // what fills a short prompt up is read in the place of its last token, which is read after it
            const wide = wideEnd(prompt.length, rows)
            const isFilledUp = cached === 0 && wide > 0 && wide === prompt.length - 1 && prompt.length < wideFrom
            const read = readOf() - (isFilledUp ? 1 : 0)
            if (read === promptTokens - cached) resolve({ cached, cells: context.of(slot.id).slice() })
            else reject(new Error(`${cached} of ${promptTokens} tokens are said to be reused, ${read} were read`))
          }
        },
        sampler()
      )
      batcher.add(answer)
    })
    return { said, end, drop: () => answer !== undefined && batcher.drop(answer) }
  }
  return { ask, context }
}

const words = (random: SeededRandom, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, () => 1 + Math.floor(random.next() * 5))

/** The answer of a context that has read nothing else. */
const cold = async (hasState: boolean, rows: Rows, prompt: ReadonlyArray<number>, maxTokens: number) => {
  const alone = make(hasState, 1, rows).ask(prompt, [], maxTokens)
  await alone.end
  return alone.said
}

/** A conversation's next prompt: the same, cut, or with more, as people and agents go on. */
const nextPrompt = (random: SeededRandom, before: ReadonlyArray<number>, said: ReadonlyArray<number>) => {
  const more = (most: number) => words(random, 1 + Math.floor(random.next() * most))
  const lot = random.next()
  if (lot < 0.2) return before
  if (lot < 0.5) return [...before, ...said, ...more(20)]
  if (lot < 0.7) return [...before, ...said, ...more(300)]
  if (lot < 0.85) return [...before.slice(0, Math.max(1, Math.floor(random.next() * before.length))), ...more(80)]
  return more(400)
}

const converse = async (hasState: boolean, rows: Rows, seed: number): Promise<number> => {
  const random = new SeededRandom(seed)
  const { ask, context } = make(hasState, 4, rows)
  const histories: Array<ReadonlyArray<number>> = [words(random, 40), words(random, 64), words(random, 300)]
  const answers: Array<ReadonlyArray<number>> = [[], [], []]
  let cached = 0
  for (let turn = 0; turn < 6; turn++) {
    const running = histories.map((before, i) => {
      const prompt = nextPrompt(random, before, answers[i] ?? [])
      const maxTokens = 1 + Math.floor(random.next() * 90)
      const isCut = random.next() < 0.3
      return { prompt, maxTokens, isCut, asked: ask(prompt, [], maxTokens) }
    })
    for (const [i, { asked, isCut, maxTokens, prompt }] of running.entries()) {
      const whole = await cold(hasState, rows, prompt, maxTokens)
      let { said } = asked
      if (isCut) {
        // dropped wherever it is, and resumed from some of what it has said
        asked.drop()
        const again = ask(prompt, said.slice(0, Math.floor(random.next() * (said.length + 1))), maxTokens)
        cached += (await again.end).cached
        said = again.said
      } else cached += (await asked.end).cached
      expect(said, `turn ${turn}, conversation ${i}`).toEqual(whole)
      histories[i] = prompt
      answers[i] = said
    }
  }
  for (const batch of context.batches) {
    const count = [...batch.values()].reduce((sum, tokens) => sum + tokens, 0)
    if (count >= wideFrom) expect(count % rows.step).toBe(0)
    else expect(count).toBeLessThanOrEqual(rows.most)
  }
  return cached
}

const seeds = sampleOf(
  Array.from({ length: 300 }, (_, i) => i + 1),
  12
)

describe("A prompt is read as if it were alone and cold", () => {
  it.each([
    ["a cache that can be cut", false, anyRows],
    ["a state that goes back to copies", true, anyRows],
    ["a cache whose weights are computed by fours or threes", false, { step: 4, most: 3, padFrom: 48 }],
    ["a state whose weights are", true, { step: 4, most: 3, padFrom: Infinity }],
    ["a cache whose weights are computed otherwise from eight on", false, { step: 1, most: 7, padFrom: 112 }],
    ["a cache whose weights are computed one by one", false, { step: 1, most: 1, padFrom: 16 }],
    ["a state whose weights are computed one by one", true, { step: 1, most: 1, padFrom: Infinity }]
  ])("in %s, whatever was asked before and beside it", async (_name, hasState, rows) => {
    let cached = 0
    for (const seed of seeds) cached += await converse(hasState, rows, seed)
    expect(cached).toBeGreaterThan(0)
  })

  it("with all that was read wide but the last token in large pieces, one of each in turn with who decodes", async () => {
    const { ask, context } = make(false, 3)
    const short = ask([1, 2, 3], [], 400)
    while (short.said.length < 2) await new Promise((resolve) => setImmediate(resolve))
    const seen = context.batches.length
    const [long, other] = [ask(Array(300).fill(4), [], 1), ask(Array(200).fill(5), [], 1)]
    const { cells } = await long.end
    await other.end
    short.drop()
    expect(cells.map(({ way }) => way)).toEqual(Array.from({ length: 300 }, (_, i) => (i < 299 ? "wide" : "narrow")))
    const since = context.batches.slice(seen + 1)
    const wide = since.flatMap((batch, at) =>
      [...batch].filter(([, count]) => count >= wideFrom).map(([id]) => ({ at, id }))
    )
    // two slots' pieces alternate, and between two pieces the one that decodes has its token
    expect(wide.map(({ id }) => id).slice(0, 4)).toEqual([1, 2, 1, 2])
    for (const [i, { at }] of wide.slice(1).entries()) expect(at - (wide[i]?.at ?? 0)).toBe(2)
  })

  it("while all who decode have a token between two of its pieces, also where they take turns", async () => {
    const { ask, context } = make(false, 4, { ...anyRows, most: 1 })
    const others = [1, 2, 3].map((token) => ask([token, 2, 3], [], 400))
    while (others.some(({ said }) => said.length < 2)) await new Promise((resolve) => setImmediate(resolve))
    const long = ask(Array(1000).fill(4), [], 1)
    await long.end
    for (const one of others) one.drop()
    const ids = context.batches.map((batch) => [...batch.keys()].join())
    const pieces = context.batches.flatMap((batch, at) => ([...batch.values()].some((n) => n >= wideFrom) ? [at] : []))
    expect(pieces.length).toBeGreaterThan(5)
    for (const [i, at] of pieces.slice(1).entries())
      expect(ids.slice((pieces[i] ?? 0) + 1, at).toSorted()).toEqual(["0", "1", "2"])
  })

  it("also where it is short, filled up to a large piece, if that spares many batches", async () => {
    const rows = { ...anyRows, most: 1, padFrom: 16 }
    const { ask, context } = make(false, 2, rows)
    const { cells } = await ask(Array(30).fill(4), [], 3).end
    expect(context.batches.map((batch) => batch.get(0))).toEqual([wideFrom, 1, 1, 1])
    expect(cells.map(({ way }) => way)).toEqual([...Array(29).fill("wide"), ...Array(3).fill("narrow")])
    // the same again reads its last token
    expect((await ask(Array(30).fill(4), [], 3).end).cached).toBe(29)
    const few = await make(false, 2, rows).ask(Array(16).fill(4), [], 1).end
    expect(few.cells.every(({ way }) => way === "narrow")).toBe(true)
  })

  it("until it is cancelled: no piece of it is begun after that", async () => {
    const { ask, context } = make(false, 2)
    const long = ask(Array(3000).fill(4), [], 1)
    while (context.batches.length < 3) await new Promise((resolve) => setImmediate(resolve))
    long.drop()
    await ask([1, 2, 3], [], 20).end
    const ofTheLong = context.batches.filter((batch) => batch.has(0)).length
    // three were read, and one may have been under way
    expect(ofTheLong).toBeLessThanOrEqual(4)
  })

  it("so that who asks the same again begins with the last token", async () => {
    const { ask } = make(false, 2)
    const prompt = Array(319).fill(3)
    await ask(prompt, [], 5).end
    expect((await ask(prompt, [], 5).end).cached).toBe(318)
    expect(wideEnd(64)).toBe(64)
  })
})

describe("The state of a long prompt", () => {
  const long = words(new SeededRandom(1), 9000)
  /** The same up to some place, and something else after it. */
  const cutAt = (tokens: number) => [...long.slice(0, tokens), 9, ...words(new SeededRandom(2), 60)]

  it("is copied every 4096 tokens, and who shares less than all of it goes on from the nearest copy", async () => {
    const { ask } = make(true, 1, anyRows, 10)
    await ask(long, [], 3).end
    for (const [shared, copy] of [
      [8500, 8192],
      [8000, 4096],
      [4000, 0]
    ] as const) {
      const asked = ask(cutAt(shared), [], 3)
      expect((await asked.end).cached).toBe(copy)
      expect(asked.said).toEqual(await cold(true, anyRows, cutAt(shared), 3))
    }
  })

  it("is copied in the middle of a long answer, too", async () => {
    const { ask, context } = make(true, 1, anyRows, 10)
    const prompt = long.slice(0, 40)
    const first = ask(prompt, [], 4500)
    await first.end
    const before = context.read.length
    const again = ask(prompt, first.said.slice(0, 4200), 4210)
    await again.end
    expect(context.read[before]).toEqual({ sequence: 0, position: 4096 })
    expect(again.said).toEqual(first.said.slice(0, 4210))
  })

  it("has the oldest of its copies make room for the next", async () => {
    // the last two are those at the prompt's end
    const { ask } = make(true, 1, anyRows, 3)
    await ask(long, [], 1).end
    expect((await ask(cutAt(8500), [], 1).end).cached).toBe(8192)
    await ask(long, [], 1).end
    expect((await ask(cutAt(8000), [], 1).end).cached).toBe(0)
  })
})
