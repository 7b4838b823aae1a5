import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { type GgufResult, readGguf } from "../../src/machines/formats/gguf/gguf.ts"
import { type Defect, invalid, parametersOf, tiny, TINY } from "../support/gguf.ts"

const minillama = readFileSync(fileURLToPath(new URL("../../models/minillama/minillama-q8_0.gguf", import.meta.url)))

/** As a caller reads: more of the file each time it is asked for. */
const read = (file: Uint8Array, first = 1024): { readonly result: GgufResult; readonly reads: number } => {
  let want = Math.min(first, file.length)
  for (let reads = 1; ; reads++) {
    const result = readGguf(file.subarray(0, want), file.length)
    if (result._tag !== "NeedMore") return { result, reads }
    expect(result.bytes).toBeGreaterThan(want)
    want = result.bytes
  }
}

describe("The header of a GGUF file", () => {
  it("tells the facts of the bundled model", () => {
    const { result } = read(minillama)
    expect(result).toEqual({
      _tag: "Model",
      template: expect.stringContaining("messages"),
      matrices: new Set([8]),
      facts: {
        fileBytes: 3_297_568,
        architecture: "llama",
        parameters: 3_049_920,
        trainedContext: 512,
        quantization: "Q8_0",
        kvElementsPerToken: 6 * 6 * 64,
        headLengths: [32],
        stateBytes: 0,
        embedding: 192,
        feedForward: 512,
        heads: 6,
        layers: 6,
        vocabulary: 2048,
        template: true,
        merges: 0,
        tokenBytes: 14
      }
    })
  })

  it("is read in a few pieces, whatever the size of the first", () => {
    const whole = read(minillama, minillama.length)
    expect(whole.reads).toBe(1)
    for (const first of [4, 24, 333, 4096, 100_000]) {
      const pieces = read(minillama, first)
      expect(pieces.result).toEqual(whole.result)
      expect(pieces.reads).toBeLessThan(14)
    }
  })

  it("counts the parameters of a generated model", async () => {
    const { result } = read(readFileSync(await tiny()))
    expect(result).toMatchObject({ facts: { parameters: parametersOf(TINY), trainedContext: 256, layers: 1 } })
  })

  it.each<[Defect, RegExp]>([
    ["not-gguf", /not a GGUF file/],
    ["empty", /not a GGUF file/],
    ["truncated", /truncated/],
    ["truncated-header", /truncated/],
    ["vocabulary-only", /vocabulary only/],
    ["future-version", /version 99/]
  ])("of a file that is %s is refused", async (defect, reason) => {
    const { result } = read(readFileSync(await invalid(defect)))
    expect(result).toMatchObject({ _tag: "Invalid", reason: expect.stringMatching(reason) })
  })

  it("cannot make the reader take much, whatever is written in it", () => {
    const header = (edit: (view: DataView) => void) => {
      const bytes = new Uint8Array(minillama.subarray(0, 4096))
      edit(new DataView(bytes.buffer))
      return bytes
    }
    const huge = 2n ** 62n
    const crafted = [
      header((view) => view.setBigUint64(8, huge, true)),
      header((view) => view.setBigUint64(16, huge, true)),
      header((view) => view.setBigUint64(24, huge, true)),
      header((view) => view.setBigUint64(24, 2n ** 40n, true))
    ]
    for (const bytes of crafted) {
      const result = readGguf(bytes, 10 ** 12)
      expect(result).toMatchObject({ _tag: "Invalid", reason: expect.stringMatching(/out of range|too long/) })
    }
  })

  it("never throws on damaged bytes", () => {
    let state = 12_345
    const random = () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32
    for (let round = 0; round < 400; round++) {
      const bytes = new Uint8Array(minillama.subarray(0, 8192))
      for (let k = 0; k < 3; k++) bytes[Math.floor(random() * 600)] = Math.floor(random() * 256)
      expect(["Model", "Invalid", "NeedMore"]).toContain(readGguf(bytes, minillama.length)._tag)
    }
  })
})
