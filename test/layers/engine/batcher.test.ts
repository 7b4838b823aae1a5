/** The decode loop against a native context that fails on purpose, which the real one cannot be made to do. */
import { describe, expect, it } from "@effect/vitest"
import type { GenerateResult } from "../../../src/layers/engine/index.ts"
import type { Failure } from "../../../src/layers/engine/answer.ts"
import type { AddonContext } from "../../../src/layers/engine/llama/addon.ts"
import { LlamaAnswer } from "../../../src/layers/engine/llama/decoding/answer.ts"
import { Batcher, type BatcherOptions } from "../../../src/layers/engine/llama/decoding/batcher.ts"
import { AnswerSampler } from "../../../src/layers/engine/llama/decoding/sampling.ts"
import { anyRows } from "../../../src/machines/kinds/llama/exact-types.ts"
import { makeSlots, type Slot } from "../../../src/layers/engine/slots.ts"
import { GREEDY, plain, request } from "./ask.ts"

interface Part {
  readonly sequence: number
  readonly position: number
  readonly tokens: ReadonlyArray<number>
}

/** Says 100 + the number of tokens in the sequence; `fails` decides about a batch before it is decoded. */
const fakeContext = (fails: (batch: ReadonlyArray<Part>) => string | undefined) => {
  let batch: Array<Part> = []
  const cells = new Map<number, Array<number>>()
  const sizes: Array<number> = []
  const of = (sequence: number): Array<number> => cells.get(sequence) ?? []
  const context: AddonContext = {
    init: async () => true,
    dispose: async () => undefined,
    initBatch: () => {
      batch = []
    },
    addToBatch: (sequence, position, tokens, logits) => {
      batch.push({ sequence, position, tokens: [...tokens] })
      return Uint32Array.from(logits, () => sequence)
    },
    decodeBatch: async () => {
      await new Promise((resolve) => setImmediate(resolve))
      sizes.push(batch.length)
      const reason = fails(batch)
      if (reason !== undefined) throw new Error(reason)
      for (const part of batch) {
        expect(part.position, "every token at its place").toBe(of(part.sequence).length)
        cells.set(part.sequence, [...of(part.sequence), ...part.tokens])
      }
    },
    sampleToken: async (sequence) => 100 + of(sequence).length,
    disposeSequence: (sequence) => void cells.delete(sequence),
    removeTokenCellsFromSequence: (sequence, start) => {
      cells.set(sequence, of(sequence).slice(0, start))
      return true
    },
    getSequenceKvCacheMaxPosition: (sequence) => of(sequence).length - 1,
    restoreCheckpoint: async () => false,
    saveSequenceStateToFile: async () => 0,
    loadSequenceStateFromFile: async () => new Uint32Array(0),
    getMemoryBreakdown: () => ({ cpuRam: 0, gpuVram: 0 })
  }
  return { context, sizes }
}

const sampler = (): AnswerSampler => {
  const native = { applyConfig: () => undefined, dispose: () => undefined }
  const addon = {
    AddonSampler: class {
      applyConfig = native.applyConfig
      dispose = native.dispose
    }
  }
  // Only the sampler's constructor is used of the addon, and nothing of the model.
  return new AnswerSampler(addon as never, {} as never, GREEDY)
}

type End = GenerateResult | Failure
const begin = (batcher: Batcher, slot: Slot, prompt: ReadonlyArray<number>, maxTokens = 5) => {
  const ids: Array<number> = []
  let answer: LlamaAnswer | undefined
  const end = new Promise<End>((done) => {
    answer = new LlamaAnswer(
      {
        request: request({ input: plain(""), maxTokens, onToken: (_text, id) => void ids.push(id) }),
        prompt,
        slot,
        cached: 0,
        context: 1000,
        trained: 1000,
        textOf: String,
        isEnd: () => false,
        now: () => 0,
        done
      },
      sampler()
    )
    batcher.add(answer)
  })
  return { ids, end, drop: () => answer !== undefined && batcher.drop(answer) }
}

const cachesOf = (context: AddonContext): BatcherOptions["caches"] => ({
  cut: async ({ filled, slot }) => {
    if (filled === 0) context.disposeSequence(slot.id)
    else context.removeTokenCellsFromSequence(slot.id, filled, -1)
    return filled
  },
  keep: async () => undefined
})

const make = (fails: (batch: ReadonlyArray<Part>) => string | undefined, batchSize = 64) => {
  const { context, sizes } = fakeContext(fails)
  return {
    sizes,
    batcher: new Batcher({
      context,
      batchSize,
      isMixed: false,
      rows: anyRows,
      paceMs: 0,
      now: () => 0,
      caches: cachesOf(context)
    }),
    slots: makeSlots(4)
  }
}

const slotOf = (slots: ReadonlyArray<Slot>, id: number): Slot => {
  const slot = slots[id]
  if (slot === undefined) throw new Error("no such slot")
  return slot
}

describe("the decode loop", () => {
  it("gives each answer its own tokens, in one batch a turn", async () => {
    const { batcher, slots, sizes } = make(() => undefined)
    const answers = [0, 1, 2].map((id) => begin(batcher, slotOf(slots, id), Array(10 + id).fill(1)))
    await Promise.all(answers.map((answer) => answer.end))
    expect(answers.map((answer) => answer.ids)).toEqual([
      [110, 111, 112, 113, 114],
      [111, 112, 113, 114, 115],
      [112, 113, 114, 115, 116]
    ])
    expect(sizes).toEqual([3, 3, 3, 3, 3])
    expect(batcher.batches).toBe(5)
    expect(slots.every((slot) => !slot.busy)).toBe(true)
  })

  it("reads long prompts in parts while others decode", async () => {
    const { batcher, slots } = make(() => undefined, 16)
    const short = begin(batcher, slotOf(slots, 0), [1, 2], 12)
    const long = begin(batcher, slotOf(slots, 1), Array(100).fill(1), 2)
    expect(await short.end).toMatchObject({ completionTokens: 12 })
    expect(await long.end).toMatchObject({ completionTokens: 2 })
    expect(long.ids).toEqual([200, 201])
  })

  it("a batch that fails once costs no answer", async () => {
    let turn = 0
    const { batcher, slots } = make(() => (++turn === 3 ? "a hiccup" : undefined))
    const answers = [0, 1].map((id) => begin(batcher, slotOf(slots, id), Array(10).fill(1)))
    const ends = await Promise.all(answers.map((answer) => answer.end))
    expect(ends).toMatchObject([{ completionTokens: 5 }, { completionTokens: 5 }])
    expect(answers.map((answer) => answer.ids)).toEqual([
      [110, 111, 112, 113, 114],
      [110, 111, 112, 113, 114]
    ])
  })

  it("one answer that always fails does not fail its neighbours, and its slot works afterwards", async () => {
    const bad = 7
    let broken = true
    const { batcher, slots } = make((batch) =>
      broken && batch.some((part) => part.sequence === 1 && part.tokens.includes(bad)) ? "poison" : undefined
    )
    const answers = [0, 1, 2].map((id) => begin(batcher, slotOf(slots, id), [id === 1 ? bad : 1, 2, 3]))
    const ends = await Promise.all(answers.map((answer) => answer.end))
    expect(ends).toMatchObject([{ completionTokens: 5 }, { code: "INTERNAL" }, { completionTokens: 5 }])
    expect(answers[0]?.ids).toEqual([103, 104, 105, 106, 107])
    broken = false
    const again = begin(batcher, slotOf(slots, 1), [bad, 2])
    expect(await again.end).toMatchObject({ completionTokens: 5 })
  })

  it("a dropped answer says nothing more, and its slot can be taken in the same moment", async () => {
    const { batcher, slots } = make(() => undefined)
    const first = begin(batcher, slotOf(slots, 0), [1, 2, 3], 1000)
    while (first.ids.length < 3) await new Promise((resolve) => setImmediate(resolve))
    first.drop()
    expect(slotOf(slots, 0).busy).toBe(false)
    const said = first.ids.length
    const second = begin(batcher, slotOf(slots, 0), [9, 9])
    expect(await second.end).toMatchObject({ completionTokens: 5 })
    expect(second.ids).toEqual([102, 103, 104, 105, 106])
    expect(first.ids.length).toBe(said)
  })

  it("closing fails what is being decoded and returns when the context is not in use", async () => {
    const { batcher, slots } = make(() => undefined)
    const answer = begin(batcher, slotOf(slots, 0), [1], 100_000)
    while (answer.ids.length < 3) await new Promise((resolve) => setImmediate(resolve))
    await batcher.close()
    expect(await answer.end).toMatchObject({ code: "INTERNAL" })
    const said = answer.ids.length
    await new Promise((resolve) => setImmediate(resolve))
    expect(answer.ids.length).toBe(said)
  })
})
