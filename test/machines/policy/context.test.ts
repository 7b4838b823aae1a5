import { describe, expect, it } from "vitest"
import { rbeeError } from "../../../src/machines/errors.ts"
import { neededContext, noLonger, usualContext } from "../../../src/machines/policy/context.ts"
import { estimateBytes, largestContext } from "../../../src/machines/policy/estimate.ts"
import { facts } from "../../support/hive-world.ts"

const overflow = (details: object) => rbeeError("INVALID_REQUEST", "too long", "", { ...details })

describe("The context of a slot", () => {
  it("is what the model was trained with, and of a large one no more than most people need", () => {
    expect([512, 32_768, 10_000_000].map(usualContext)).toEqual([512, 32_768, 32_768])
  })

  it("that a prompt needs has room for the answer, and grows by more than one turn of a conversation", () => {
    const amounts = { prompt_tokens: 40_000, context: 32_768, trained_context: 131_072 }
    expect(neededContext(overflow(amounts))).toEqual({ context: 52_224, prompt: 40_000, had: 32_768 })
    expect(neededContext(overflow(amounts), 32_000)?.context).toBe(52_224)
    expect(neededContext(overflow({ ...amounts, trained_context: 41_000 }))?.context).toBe(41_000)
  })

  it("is no longer one where the model cannot hold the prompt, or the refusal is another", () => {
    expect(neededContext(overflow({ prompt_tokens: 600, context: 512, trained_context: 512 }))).toBeUndefined()
    expect(neededContext(overflow({ prompt_tokens: 9000, context: 512, trained_context: 8192 }))).toBeUndefined()
    expect(neededContext(overflow({ reason: "the template refuses it" }))).toBeUndefined()
  })

  it("that a machine could give at most is named where a prompt needs more", () => {
    const need = { context: 52_224, prompt: 40_000, had: 32_768 }
    const error = noLonger(need, rbeeError("VRAM_EXHAUSTED", "GPU0 has 1 MB", "", { context_max: 45_056 }))
    expect(error).toMatchObject({ code: "INVALID_REQUEST", details: { prompt_tokens: 40_000, context: 45_056 } })
    expect(error.message).toContain("maximum context length is 45056 tokens")
    expect(error.message).toContain("Ask for a context of 45056 tokens")
    expect(noLonger(need, rbeeError("VRAM_EXHAUSTED", "full")).message).toContain("length is 32768 tokens")
  })

  it("at its largest fits into the room there is, and one row of cells more does not", () => {
    const terms = { backend: "cuda", kvType: "f16" } as const
    const model = { ...facts, trainedContext: 1_000_000 }
    const room = estimateBytes(model, { context: 50_000, slots: 1 }, terms)
    const context = largestContext(model, terms, room)
    expect(estimateBytes(model, { context, slots: 1 }, terms)).toBeLessThanOrEqual(room)
    expect(estimateBytes(model, { context: context + 256, slots: 1 }, terms)).toBeGreaterThan(room)
    expect(largestContext(model, terms, 0)).toBe(0)
    expect(largestContext(model, terms, 1e15)).toBe(1_000_000)
  })
})
