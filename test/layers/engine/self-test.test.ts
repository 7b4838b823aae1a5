/**
 * What a worker's self-test finds, over a context whose numbers depend on what a test says they do: on the rows that are
 * read at once, on who else is in the batch, on the pieces of the prompt. The real one is in `exact.test.ts`.
 */
import { describe, expect, it } from "vitest"
import { wideFrom } from "../../../src/machines/kinds/llama/batches.ts"
import { anyRows } from "../../../src/machines/kinds/llama/exact-types.ts"
import type { Exactness } from "../../../src/machines/vocabulary/worker.ts"
import type { AddonSampler } from "../../../src/layers/engine/llama/addon.ts"
import { SelfTest } from "../../../src/layers/engine/llama/decoding/self-test.ts"
import { makeSlots } from "../../../src/layers/engine/slots.ts"

/** How a token is read: so many of its sequence at once, beside so many of others. */
interface Batch {
  readonly own: number
  readonly others: number
}
/** What the numbers of a token depend on, beside the tokens before it. */
type Kernel = (batch: Batch) => number

class Context {
  readonly batches: Array<Batch> = []
  private readonly kernel: Kernel
  private readonly cells = new Map<number, Array<string>>()
  private batch: Array<{ readonly sequence: number; readonly position: number; readonly tokens: Uint32Array }> = []
  constructor(kernel: Kernel) {
    this.kernel = kernel
  }
  initBatch = (): void => void (this.batch = [])
  addToBatch = (sequence: number, position: number, tokens: Uint32Array, logits: Uint32Array): Uint32Array => {
    expect(position).toBe(this.cells.get(sequence)?.length ?? 0)
    this.batch.push({ sequence, position, tokens })
    return Uint32Array.from(logits, () => sequence)
  }
  decodeBatch = async (): Promise<void> => {
    const all = this.batch.reduce((sum, { tokens }) => sum + tokens.length, 0)
    for (const { sequence, tokens } of this.batch) {
      const batch = { own: tokens.length, others: all - tokens.length }
      // slots are taken from the last one on: that one is tested
      if (sequence === slots - 1) this.batches.push(batch)
      const read = [...tokens].map((token) => `${token}/${this.kernel(batch)}`)
      this.cells.set(sequence, [...(this.cells.get(sequence) ?? []), ...read])
    }
  }
  sampleToken = async (sequence: number) => [1, undefined, (this.cells.get(sequence) ?? []).join()]
  disposeSequence = (sequence: number): void => void this.cells.delete(sequence)
  removeTokenCellsFromSequence = (sequence: number, start: number): boolean => {
    this.cells.set(sequence, (this.cells.get(sequence) ?? []).slice(0, start))
    return true
  }
}

const slots = 3

const found = async (kernel: Kernel, context = 4096, rows = anyRows) => {
  const native = new Context(kernel)
  const told: Array<Exactness> = []
  const test = new SelfTest({
    // it uses these calls alone, and of the sampler nothing
    native: native as never,
    sampler: {} as AddonSampler,
    slots: makeSlots(slots),
    context,
    piece: 128,
    way: { rows, name: "" },
    words: Uint32Array.of(11, 12, 13, 14, 15),
    done: (exactness) => void told.push(exactness)
  })
  while (test.isPending) expect(await test.step()).toBe(true)
  expect(told).toHaveLength(1)
  return { exact: told[0]?.exact, batches: native.batches }
}

/** As a CPU has two kernels: a prompt's numbers are others than those of what is decoded. */
const honest: Kernel = ({ own }) => (own >= wideFrom ? 1 : 0)

describe("A worker's self-test finds a context", () => {
  it("exact whose numbers depend on nothing else", async () => {
    expect((await found(honest)).exact).toBe(true)
  })

  it.each([
    ["reads again in one piece what it decoded one by one", (batch) => (batch.own > 1 ? 2 : 0)],
    ["reads again in 60 rows, but not in less", (batch) => (batch.own >= 60 && batch.own < wideFrom ? 2 : 0)],
    ["decodes beside others", (batch) => (batch.own === 1 && batch.others > 0 ? 2 : 0)],
    ["decodes beside two others, but not beside one", (batch) => (batch.own === 1 && batch.others > 1 ? 2 : 0)],
    ["reads a piece beside others", (batch) => (batch.own > 1 && batch.others > 0 ? 2 : 0)],
    ["reads a prompt in other pieces", (batch) => (batch.own >= 100 ? 2 : 0)]
  ] as ReadonlyArray<readonly [string, Kernel]>)("not exact that has other numbers where it %s", async (_, kernel) => {
    expect((await found((batch) => 10 * honest(batch) + kernel(batch))).exact).toBe(false)
  })

  it("by a prompt that fills 512 cells, 60 tokens one by one, and the same in one piece of less than 64", async () => {
    const { batches } = await found(honest)
    const prompt = batches.findIndex(({ own }) => own === 1)
    expect(batches.slice(0, prompt).reduce((sum, { own }) => sum + own, 0)).toBe(512)
    expect(batches.slice(prompt, prompt + 60)).toEqual(Array.from({ length: 60 }, () => ({ own: 1, others: 0 })))
    expect(batches[prompt + 60]).toEqual({ own: 60, others: 0 })
  })

  it.each([1, 3, 7])(
    "exact whose numbers depend on more than %s tokens in a batch, where no more are in one",
    async (most) => {
      const kernel: Kernel = (batch) => 10 * honest(batch) + (batch.own + batch.others > most ? 2 : 0)
      expect((await found(kernel)).exact).toBe(false)
      const { batches, exact } = await found(kernel, 4096, { ...anyRows, most })
      expect(exact).toBe(true)
      const narrow = batches.filter(({ own }) => own < wideFrom).map(({ others, own }) => own + others)
      expect(Math.max(...narrow)).toBe(Math.min(most, 8))
    }
  )

  it("by what it holds, where that is less", async () => {
    const { batches, exact } = await found(honest, 256)
    expect(exact).toBe(true)
    const again = batches.findIndex(({ own, others }, i) => own === 60 && others === 0 && i > 0)
    expect(batches.slice(0, again).reduce((sum, { own }) => sum + own, 0)).toBe(256)
  })
})
