import { describe, expect, it } from "vitest"
import type { ModelFacts } from "../../../src/machines/gguf.ts"
import { estimateBytes, fit, kvBytes, shrunk } from "../../../src/machines/policy/estimate.ts"

/** Llama 3 8B, as Q8_0 */
const facts: ModelFacts = {
  fileBytes: 8.5e9,
  architecture: "llama",
  parameters: 8e9,
  trainedContext: 131_072,
  quantization: "Q8_0",
  kvElementsPerToken: 32 * 8 * 256,
  embedding: 4096,
  feedForward: 14_336,
  heads: 32,
  layers: 32,
  vocabulary: 128_256,
  template: true
}
const open = { context: undefined, slots: undefined }

describe("The memory of a model", () => {
  it("has a KV cache of 128 KiB a token for Llama 3 8B", () => {
    expect(kvBytes(facts, { context: 1024, slots: 1 })).toBe(1024 * 128 * 1024)
  })

  it("grows with context and slots, and is more than the weights", () => {
    const small = estimateBytes(facts, { context: 1024, slots: 1 })
    expect(small).toBeGreaterThan(facts.fileBytes)
    expect(estimateBytes(facts, { context: 2048, slots: 1 })).toBeGreaterThan(small)
    expect(estimateBytes(facts, { context: 1024, slots: 2 })).toBeGreaterThan(small)
  })

  it("takes the trained context and all slots where there is room", () => {
    expect(fit(facts, open, 4, 1e12)).toMatchObject({ shape: { context: 131_072, slots: 4 }, fits: true })
  })

  it("gives way where there is not: a generous context first, then slots, then the rest of the context", () => {
    const shapes = [40e9, 16e9, 12e9, 10.6e9].map((room) => fit(facts, open, 4, room))
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
    const result = fit(facts, asked, 1, 12e9)
    expect(result).toEqual({ shape: asked, bytes: estimateBytes(facts, asked), fits: false })
  })

  it("ends with the smallest shape that it tried", () => {
    expect(fit(facts, open, 4, 1e9)).toMatchObject({ shape: { context: 512, slots: 1 }, fits: false })
  })

  it("is halved after the device ran out of memory, until nothing is left to give", () => {
    expect(shrunk({ context: 4096, slots: 4 })).toEqual({ context: 2048, slots: 2 })
    expect(shrunk({ context: 600, slots: 1 })).toEqual({ context: 512, slots: 1 })
    expect(shrunk({ context: 512, slots: 1 })).toBeUndefined()
    expect(shrunk({ context: 128, slots: 1 })).toBeUndefined()
  })
})
