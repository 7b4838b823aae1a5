/** Models in several files, and vectors as text. */
import { describe, expect, it } from "vitest"
import { type Header, readGguf } from "../../src/machines/formats/gguf/gguf.ts"
import { joined } from "../../src/machines/formats/gguf/split.ts"
import { normalised, vectorLine, vectorsIn } from "../../src/machines/formats/vectors.ts"
import { familyFile, familyHeader } from "../support/families/index.ts"

const headerOf = (): Header => {
  const { bytes, fileBytes } = familyHeader(familyFile("llama"))
  const read = readGguf(bytes, fileBytes)
  if (read._tag !== "Model") throw new Error("no model")
  return read
}
const whole = headerOf()
const part = (index: number, count: number, parameters = 10): Header => ({
  ...whole,
  facts: { ...whole.facts, parameters, fileBytes: 100 + index },
  split: { index, count }
})

describe("A model in several files", () => {
  it("has the facts of the first, and the sizes of all", () => {
    expect(joined([whole])).toEqual(whole.facts)
    expect(joined([part(0, 2, 0), part(1, 2)])).toEqual({ ...whole.facts, parameters: 10, fileBytes: 201 })
  })

  it("is none where one is missing, is another's, or lies elsewhere than it says", () => {
    expect(joined([])).toEqual({ reason: "it has no files" })
    expect(joined([part(0, 2)])).toEqual({ reason: "its file 1 of 1 says that it is part 1 of 2" })
    expect(joined([whole, part(1, 2)])).toEqual({ reason: "its file 1 of 2 says that it is part 1 of 1" })
    expect(joined([part(0, 2), part(0, 2)])).toEqual({ reason: "its file 2 of 2 says that it is part 1 of 2" })
    expect(joined([part(0, 2, 0), part(1, 2, 0)])).toMatchObject({ reason: expect.stringMatching(/vocabulary only/) })
  })
})

describe("Vectors as text", () => {
  it("are what they were, each in its line", () => {
    const vectors = [new Float32Array([1, -2.5, 1e-9]), new Float32Array([]), new Float32Array([3])]
    const text = vectors.map(vectorLine).join("")
    // one of no numbers leaves an empty line, which stands for nothing
    expect(vectorsIn(text)).toEqual([vectors[0], vectors[2]])
    expect(vectorsIn("")).toEqual([])
  })

  it("may be made of length one, but for those that have none", () => {
    expect([...normalised(new Float32Array([3, 4]))].map((value) => Number(value.toFixed(6)))).toEqual([0.6, 0.8])
    expect([...normalised(new Float32Array([0, 0]))]).toEqual([0, 0])
  })
})
