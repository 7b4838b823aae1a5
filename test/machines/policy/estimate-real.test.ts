/** The estimate against real workers; `npm run bench -- estimate` is the study. */
import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { hasTiles } from "../../../src/layers/devices/memory.ts"
import { readGguf } from "../../../src/machines/formats/gguf/gguf.ts"
import { estimateBytes } from "../../../src/machines/kinds/llama/memory.ts"
import { bundlePrograms, minillama, type Programs } from "../../layers/worker-launcher/programs.ts"
import { families, familyModel } from "../../support/families/index.ts"
import { model, type Shape, TINY } from "../../support/gguf.ts"
import { type MeasuringModel, measuringModel } from "../../support/families/measuring.ts"
import { isWhole, sampleOf } from "../../support/proof.ts"
import { type Loading, measureIn, workerMemory } from "../../support/worker-memory.ts"

let programs: Programs
beforeAll(async () => {
  programs = await bundlePrograms()
})
afterAll(() => programs.remove())

const promised = ({ modelPath, context, slots, kvType = "f16" }: Loading): number => {
  const file = readFileSync(modelPath)
  const header = readGguf(file, file.length)
  if (header._tag !== "Model") throw new Error("no model")
  return estimateBytes(header.facts, { context, slots }, { backend: "cpu", kvType, hasTiles })
}
const generated = (shape: Partial<Shape>): Promise<string> => model({ ...TINY, context: 4096, type: "q8_0", ...shape })
/** of a width that shows in the sum */
const family = (architecture: string): Promise<string> =>
  familyModel(architecture, {
    // llama.cpp knows OLMoE only with as many keys as queries
    ...{
      // its last ones use the caches of the others, in whole groups
      layers: architecture === "gemma4" ? 6 : 4,
      width: 1024,
      heads: 16,
      kvHeads: architecture === "olmoe" ? 16 : 4,
      headLength: 64,
      feedForward: 3072,
      vocabulary: 8192
    },
    ...{ state: 64, inner: 2048, stateHeads: 32, rank: 256, experts: 8, expertFeedForward: 512, context: 4096 }
  })
const wide: Partial<Shape> = { layers: 4, width: 768, heads: 12, kvHeads: 12, feedForward: 2304, vocabulary: 4096 }

describe("The memory that is promised for a model is what its worker takes once its slots are full", () => {
  it.each<readonly [what: string, path: () => Promise<string>, way: Omit<Loading, "modelPath">]>([
    ["the bundled model", () => Promise.resolve(minillama), { context: 512, slots: 2 }],
    ["a cache of q8_0", () => generated(wide), { context: 512, slots: 2, kvType: "q8_0" }],
    // llama.cpp rearranges its matrices, and must not hold them twice
    ["weights of q4_0", () => generated({ ...wide, type: "q4_0" }), { context: 512, slots: 1 }],
    ["many words", () => generated({ vocabulary: 64_000, tokenizer: "bpe" }), { context: 512, slots: 1 }]
  ])(
    "%s",
    async (_, path, way) => {
      const loading = { ...way, modelPath: await path() }
      const ratio = promised(loading) / (await workerMemory(programs.worker, loading))
      // Node's own share differs between its versions
      expect(ratio).toBeGreaterThan(0.9)
      expect(ratio).toBeLessThan(1.15)
    },
    120_000
  )

  const wideMeasuring = { layers: 4, width: 768, heads: 12, kvHeads: 12, headLength: 64, feedForward: 3072 }
  it.each(
    sampleOf<readonly [what: string, model: MeasuringModel, context: number]>(
      [
        ["BERT's, 512 tokens at once", { pooling: "mean", ...wideMeasuring, context: 512 }, 512],
        ["BERT's, 1024 tokens at once", { pooling: "cls", ...wideMeasuring, context: 1024 }, 1024],
        ["vectors of last tokens", { architecture: "qwen3", pooling: "last", ...wideMeasuring, context: 1024 }, 1024],
        [
          "means of a model with a cache",
          { architecture: "llama", pooling: "mean", ...wideMeasuring, context: 1024 },
          1024
        ]
      ],
      1
    )
  )(
    "of what writes nothing: %s",
    async (what, model, context) => {
      const loading = { modelPath: await measuringModel(model), context, slots: 2 }
      const ratio = promised(loading) / (await workerMemory(programs.worker, loading, measureIn))
      expect(ratio, `${what} ${ratio.toFixed(3)}`).toBeGreaterThan(0.99)
      expect(ratio, `${what} ${ratio.toFixed(3)}`).toBeLessThan(1.3)
    },
    120_000
  )

  it.each(isWhole ? [...families.keys()] : ["mamba", "deepseek2"])(
    "%s",
    async (architecture) => {
      const loading = { modelPath: await family(architecture), context: 512, slots: 2 }
      const ratio = promised(loading) / (await workerMemory(programs.worker, loading))
      expect(ratio, `${architecture} ${ratio.toFixed(3)}`).toBeGreaterThan(0.99)
      expect(ratio, `${architecture} ${ratio.toFixed(3)}`).toBeLessThan(1.1)
    },
    120_000
  )
})
