import { describe, expect, it } from "vitest"
import type { ModelFacts } from "../../../src/machines/formats/gguf/gguf.ts"
import type { Terms } from "../../../src/machines/kinds/kind.ts"
import { estimateBytes, kvBytes, kvTypeOf } from "../../../src/machines/kinds/llama/memory.ts"
import { fit as fitTo, type Shape, shrunk, type Wanted } from "../../../src/machines/policy/memory/fit.ts"

/** Llama 3 8B, as Q8_0 */
const facts: ModelFacts = {
  fileBytes: 8.5e9,
  architecture: "llama",
  parameters: 8e9,
  trainedContext: 131_072,
  quantization: "Q8_0",
  kvElementsPerToken: 32 * 8 * 256,
  headLengths: [128],
  stateBytes: 0,
  embedding: 4096,
  feedForward: 14_336,
  heads: 32,
  layers: 32,
  vocabulary: 128_256,
  template: true,
  merges: 280_147
}
const gpu: Terms = { backend: "cuda", kvType: "f16" }
const fit = (model: ModelFacts, wanted: Wanted, slots: number, terms: Terms, room: number) =>
  fitTo((shape: Shape) => estimateBytes(model, shape, terms), model.trainedContext, wanted, slots, room)
const cpu: Terms = { backend: "cpu", kvType: "f16" }
const open = { context: undefined, slots: undefined }

describe("The memory of a model", () => {
  it("has a KV cache of 128 KiB a token for Llama 3 8B", () => {
    expect(kvBytes(facts, { context: 1024, slots: 1 }, "f16")).toBe(1024 * 128 * 1024)
  })

  it("is halved, but for a scale a block, by a cache of q8_0, where the heads are whole blocks", () => {
    const shape = { context: 8192, slots: 4 }
    expect(kvBytes(facts, shape, "q8_0") / kvBytes(facts, shape, "f16")).toBe(34 / 64)
    expect(kvTypeOf(facts, "q8_0")).toBe("q8_0")
    expect(kvTypeOf({ ...facts, headLengths: [80] }, "q8_0")).toBe("f16")
  })

  it("has copies of a recurrent state on the machine: three of a turn, one before it and the way there, or all that a worker keeps", () => {
    const more = (stateBytes: number, context: number, terms = cpu) => {
      const shape = { context, slots: 2 }
      const state = { ...facts, stateBytes }
      return estimateBytes(state, shape, terms) - estimateBytes(facts, shape, terms) - 2 * stateBytes
    }
    expect(more(1e6, 4095)).toBe(8e6)
    expect(more(1e6, 8192)).toBe(12e6)
    expect(more(20e6, 8192)).toBe(64e6)
    expect(more(100e6, 8192)).toBe(100e6)
    expect(more(20e6, 8192, gpu)).toBe(0)
  })

  it("has room on the machine for the nodes of a long graph: of a batch, or of all tensors where they are more", () => {
    const more = (graphNodes: number, slots: number, terms = cpu) =>
      estimateBytes({ ...facts, graphNodes }, { context: 256, slots }, terms) -
      estimateBytes(facts, { context: 256, slots }, terms)
    expect(more(0, 1)).toBe(128 * 40 * 860)
    expect(more(0, 8)).toBe(128 * 40 * 860)
    expect(more(30_000, 1)).toBe(30_000 * 860)
    expect(more(30_000, 1, gpu)).toBe(0)
  })

  it("has buffers that a GPU reserves for a whole batch, and a CPU fills only as far as it is used", () => {
    const few = { ...facts, vocabulary: 0 }
    const shape = { context: 8192, slots: 1 }
    const logits = (terms: Terms) => estimateBytes(facts, shape, terms) - estimateBytes(few, shape, terms)
    expect(logits(gpu)).toBeGreaterThan(150e6)
    expect(logits(cpu)).toBeLessThan(50e6)
  })

  it("counts the copy that a CPU with matrix tiles makes, where it makes one", () => {
    const shape = { context: 4096, slots: 1 }
    const more = (quantization: string, terms: Terms) =>
      estimateBytes({ ...facts, quantization }, shape, { ...terms, hasTiles: true }) -
      estimateBytes({ ...facts, quantization }, shape, terms)
    // a sum of 4 bytes beside each block of 34, in all but the embeddings
    expect(more("Q8_0", cpu) - more("Q6_K", cpu)).toBeCloseTo(((8.5e9 - 128_256 * 4096 * (8.5 / 8)) * 4) / 34, -3)
    expect(more("F32", cpu)).toBe(0)
    expect(more("Q8_0", gpu)).toBe(0)
  })

  it("grows with context and slots, and is more than the weights", () => {
    const small = estimateBytes(facts, { context: 1024, slots: 1 }, gpu)
    expect(small).toBeGreaterThan(facts.fileBytes)
    expect(estimateBytes(facts, { context: 2048, slots: 1 }, gpu)).toBeGreaterThan(small)
    expect(estimateBytes(facts, { context: 1024, slots: 2 }, gpu)).toBeGreaterThan(small)
  })

  it("takes the usual context and all slots where there is room, and more where it is asked for", () => {
    expect(fit(facts, open, 4, gpu, 1e12)).toMatchObject({ shape: { context: 32_768, slots: 4 }, fits: true })
    const asked = { ...open, context: 131_072 }
    expect(fit(facts, asked, 4, gpu, 1e12)).toMatchObject({ shape: { context: 131_072, slots: 4 }, fits: true })
    expect(fit({ ...facts, trainedContext: 4096 }, open, 4, gpu, 1e12).shape.context).toBe(4096)
  })

  it("gives way where there is not: a generous context first, then slots, then the rest of the context", () => {
    const shapes = [40e9, 16e9, 12e9, 10.6e9].map((room) => fit(facts, open, 4, gpu, room))
    expect(shapes.every(({ fits }) => fits)).toBe(true)
    const [a, b, c, d] = shapes.map(({ shape }) => shape)
    expect(a).toEqual({ context: 32_768, slots: 4 })
    expect(b).toEqual({ context: 8192, slots: 4 })
    expect(c).toEqual({ context: 8192, slots: 2 })
    expect(d?.slots).toBe(1)
    for (const [i, room] of [40e9, 16e9, 12e9, 10.6e9].entries()) expect(shapes[i]?.bytes).toBeLessThanOrEqual(room)
  })

  it("keeps what was asked for, and says what that would need where it does not fit", () => {
    const asked = { context: 65_536, slots: 4 }
    const result = fit(facts, asked, 1, gpu, 12e9)
    expect(result).toEqual({ shape: asked, bytes: estimateBytes(facts, asked, gpu), fits: false })
  })

  it("ends with the smallest shape that it tried", () => {
    expect(fit(facts, open, 4, gpu, 1e9)).toMatchObject({ shape: { context: 512, slots: 1 }, fits: false })
  })

  it("is halved after the device ran out of memory, until nothing is left to give", () => {
    expect(shrunk({ context: 4096, slots: 4 })).toEqual({ context: 2048, slots: 2 })
    expect(shrunk({ context: 600, slots: 1 })).toEqual({ context: 512, slots: 1 })
    expect(shrunk({ context: 512, slots: 1 })).toBeUndefined()
    expect(shrunk({ context: 128, slots: 1 })).toBeUndefined()
  })
})
