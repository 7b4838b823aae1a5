/**
 * What each family's header says of its model, and what a worker with it takes by that, as numbers that somebody has
 * looked at: `npx vitest run test/machines/family-facts.test.ts -u` writes them anew, and the change is to be looked at.
 */
import { expect, it } from "vitest"
import { readGguf } from "../../src/machines/formats/gguf/gguf.ts"
import type { Terms } from "../../src/machines/kinds/kind.ts"
import { computeBytes, estimateBytes, kvTypeOf } from "../../src/machines/kinds/llama/memory.ts"
import { families, familyFile, familyHeader } from "../support/families/index.ts"
import { measuringFile } from "../support/families/measuring.ts"

const shapes = [
  { context: 512, slots: 1 },
  { context: 1024, slots: 2 },
  { context: 5000, slots: 3 }
]
const terms: ReadonlyArray<Terms> = [
  { backend: "cpu", kvType: "f16" },
  { backend: "cpu", kvType: "f16", hasTiles: true },
  { backend: "cuda", kvType: "q8_0" },
  { backend: "vulkan", kvType: "f16" }
]

it("Families' headers say what they said before, and their workers take what they took", async () => {
  const files = [
    ...[...families.keys()].toSorted().map((architecture) => familyFile(architecture)),
    ...(["mean", "cls", "rank"] as const).map((pooling) => measuringFile({ pooling }))
  ]
  const lines = files.map((file) => {
    const { bytes, fileBytes } = familyHeader(file)
    const read = readGguf(bytes, fileBytes)
    if (read._tag !== "Model") throw new Error(`it is no model: ${JSON.stringify(read)}`)
    const { facts, matrices } = read
    const taken = terms.map((each) => {
      const own = { ...each, kvType: kvTypeOf(facts, each.kvType) }
      return shapes.map((shape) => [estimateBytes(facts, shape, own), Math.round(computeBytes(facts, shape, own))])
    })
    return JSON.stringify({ ...facts, matrices: [...matrices], taken })
  })
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("./family-facts.jsonl")
})
