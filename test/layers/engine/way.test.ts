/** How a context computes, as it is asked for when it is loaded, and what is said of it. */
import { describe, expect, it } from "vitest"
import { wayOf } from "../../../src/layers/engine/llama/decoding/way.ts"

const types = { f16: 1, q8_0: 8, q4_k: 12, iq4_xs: 23 } as const
const way = (
  type: keyof typeof types,
  {
    backend = "CPU",
    context = 4096,
    threads = 1,
    ...options
  }: Partial<Parameters<typeof wayOf>[2]> & {
    readonly backend?: string
    readonly context?: number
    readonly threads?: number
  } = {}
) => {
  const header = { matrices: new Set([types[type]]), facts: { stateBytes: 0 } }
  return wayOf(backend, { context, header, threads } as never, { slots: 4, ...options })
}

describe("A worker that may be exact", () => {
  it.each([
    ["q8_0", 16, { step: 1, most: Infinity }, "any"],
    ["q4_k", 4, { step: 4, most: 3 }, "threes"],
    ["q4_k", 2, { step: 4, most: 3 }, "any"],
    ["iq4_xs", 7, { step: 1, most: 7 }, "any"],
    ["f16", 1, { step: 1, most: 1 }, "any"],
    ["f16", 2, { step: 1, most: 1 }, "ones"]
  ] as const)("is so where that costs little: %s in %s slots", (type, slots, rows, how) => {
    expect(way(type, { slots })).toMatchObject({ isTried: true, rows, how })
    expect(way(type, { slots, exact: "always" })).toEqual(way(type, { slots }))
  })

  it.each([
    ["q4_k", 5, "threes"],
    ["iq4_xs", 16, "sevens"],
    ["f16", 4, "ones"]
  ] as const)("is not where it costs more, but if that is asked for: %s in %s slots", (type, slots, how) => {
    expect(way(type, { slots })).toMatchObject({ isTried: false, how: "dear" })
    expect(way(type, { slots, exact: "always" })).toMatchObject({ isTried: true, how })
  })

  it("is not where that is not asked for, or a GPU computes", () => {
    expect(way("q8_0", { exact: "off" })).toMatchObject({ isTried: false, how: "off" })
    expect(way("q8_0", { backend: "CUDA", exact: "always" })).toMatchObject({ isTried: false, how: "gpu" })
  })

  it("decodes one answer at a time where attention is split over threads", () => {
    expect(way("q8_0", { threads: 2 })).toMatchObject({ isTried: false, how: "dear" })
    expect(way("q8_0", { threads: 2, slots: 1 })).toMatchObject({ isTried: true, rows: { step: 1, most: 1 } })
    expect(way("q8_0", { threads: 2, exact: "always" })).toMatchObject({ rows: { step: 1, most: 1 }, how: "ones" })
    expect(way("q8_0", { threads: 2, kvType: "q8_0" })).toMatchObject({ how: "any" })
    expect(way("q8_0", { threads: 2, context: 256 })).toMatchObject({ how: "any" })
  })

  it("computes otherwise than one with another number of threads only where attention is split over them", () => {
    const name = (threads: number, more: Parameters<typeof way>[1] = {}) =>
      way("q8_0", { exact: "always", threads, ...more }).name
    expect(new Set([name(1), name(2), name(3)]).size).toBe(3)
    expect(name(2, { kvType: "q8_0" })).toBe(name(3, { kvType: "q8_0" }))
  })
})
