/**
 * What CUDA workers took of an H100 (driver 580), by nvidia-smi, once prompts of 4096 tokens had been read; each a
 * process of its own with the engine's parameters. In CI there is no card, so the estimate is held against these figures.
 */
import { describe, expect, it } from "vitest"
import type { ModelFacts } from "../../../src/machines/formats/gguf/gguf.ts"
import { estimateBytes } from "../../../src/machines/kinds/llama/memory.ts"
import type { KvType } from "../../../src/machines/vocabulary/common.ts"

type Measured = readonly [context: number, slots: number, kvType: KvType, mb: number]

const common = { architecture: "llama", trainedContext: 16384, template: true }

const measured: ReadonlyArray<readonly [facts: ModelFacts, cases: ReadonlyArray<Measured>]> = [
  // tiny
  [
    {
      ...common,
      fileBytes: 96704,
      parameters: 82112,
      quantization: "Q8_0",
      kvElementsPerToken: 128,
      headLengths: [32],
      stateBytes: 0,
      embedding: 64,
      feedForward: 128,
      heads: 2,
      layers: 1,
      vocabulary: 320,
      merges: 0
    },
    [
      [1024, 2, "q8_0", 629],
      [512, 1, "f16", 728],
      [1024, 4, "f16", 738],
      [4096, 4, "f16", 763],
      [16384, 2, "f16", 845]
    ]
  ],
  // many layers
  [
    {
      ...common,
      fileBytes: 12346880,
      parameters: 11542784,
      quantization: "Q8_0",
      kvElementsPerToken: 8192,
      headLengths: [64],
      stateBytes: 0,
      embedding: 256,
      feedForward: 512,
      heads: 4,
      layers: 16,
      vocabulary: 2048,
      merges: 0
    },
    [
      [512, 1, "f16", 650],
      [4096, 4, "f16", 919],
      [16384, 2, "f16", 1200],
      [1024, 4, "f16", 713],
      [1024, 2, "q8_0", 665]
    ]
  ],
  // grouped heads
  [
    {
      ...common,
      fileBytes: 28740736,
      parameters: 26940672,
      quantization: "Q8_0",
      kvElementsPerToken: 1536,
      headLengths: [64],
      stateBytes: 0,
      embedding: 768,
      feedForward: 2304,
      heads: 12,
      layers: 3,
      vocabulary: 4096,
      merges: 0
    },
    [
      [512, 1, "f16", 673],
      [1024, 4, "f16", 688],
      [16384, 2, "f16", 793],
      [1024, 2, "q8_0", 679],
      [4096, 4, "f16", 730]
    ]
  ],
  // full kv heads
  [
    {
      ...common,
      fileBytes: 31247488,
      parameters: 29299968,
      quantization: "Q8_0",
      kvElementsPerToken: 4608,
      headLengths: [64],
      stateBytes: 0,
      embedding: 768,
      feedForward: 2304,
      heads: 12,
      layers: 3,
      vocabulary: 4096,
      merges: 0
    },
    [
      [512, 1, "f16", 679],
      [1024, 4, "f16", 715],
      [1024, 2, "q8_0", 688],
      [4096, 4, "f16", 833],
      [16384, 2, "f16", 996]
    ]
  ],
  // wide feed forward
  [
    {
      ...common,
      fileBytes: 24014048,
      parameters: 22546944,
      quantization: "Q8_0",
      kvElementsPerToken: 1024,
      headLengths: [64],
      stateBytes: 0,
      embedding: 512,
      feedForward: 6144,
      heads: 8,
      layers: 2,
      vocabulary: 2048,
      merges: 0
    },
    [
      [512, 1, "f16", 690],
      [16384, 2, "f16", 778],
      [1024, 2, "q8_0", 700],
      [4096, 4, "f16", 732],
      [1024, 4, "f16", 705]
    ]
  ],
  // wide, f16
  [
    {
      ...common,
      fileBytes: 125959808,
      parameters: 62922240,
      quantization: "F16",
      kvElementsPerToken: 2048,
      headLengths: [128],
      stateBytes: 0,
      embedding: 1536,
      feedForward: 4096,
      heads: 12,
      layers: 2,
      vocabulary: 4096,
      merges: 0
    },
    [
      [512, 1, "f16", 877],
      [1024, 2, "q8_0", 889],
      [4096, 4, "f16", 952],
      [1024, 4, "f16", 900],
      [16384, 2, "f16", 1032]
    ]
  ],
  // f32
  [
    {
      ...common,
      fileBytes: 61026464,
      parameters: 15206912,
      quantization: "F32",
      kvElementsPerToken: 2048,
      headLengths: [64],
      stateBytes: 0,
      embedding: 512,
      feedForward: 1536,
      heads: 8,
      layers: 2,
      vocabulary: 8192,
      merges: 0
    },
    [
      [512, 1, "f16", 786],
      [1024, 4, "f16", 807],
      [1024, 2, "q8_0", 797],
      [4096, 4, "f16", 858],
      [16384, 2, "f16", 937]
    ]
  ],
  // 32 k words
  [
    {
      ...common,
      fileBytes: 42841280,
      parameters: 39586304,
      quantization: "Q8_0",
      kvElementsPerToken: 2048,
      headLengths: [64],
      stateBytes: 0,
      embedding: 512,
      feedForward: 1536,
      heads: 8,
      layers: 2,
      vocabulary: 32000,
      merges: 0
    },
    [
      [1024, 4, "f16", 736],
      [512, 1, "f16", 717],
      [1024, 2, "q8_0", 726],
      [4096, 4, "f16", 786],
      [16384, 2, "f16", 854]
    ]
  ],
  // 128 k words
  [
    {
      ...common,
      fileBytes: 157491232,
      parameters: 143135232,
      quantization: "Q8_0",
      kvElementsPerToken: 1024,
      headLengths: [64],
      stateBytes: 0,
      embedding: 512,
      feedForward: 1536,
      heads: 8,
      layers: 4,
      vocabulary: 128000,
      merges: 127651
    },
    [
      [512, 1, "f16", 973],
      [1024, 4, "f16", 984],
      [4096, 4, "f16", 1009],
      [1024, 2, "q8_0", 979],
      [16384, 2, "f16", 1042]
    ]
  ]
]

describe("The estimate for CUDA", () => {
  it("is never under what was measured on an H100, and within 11 % of it", () => {
    for (const [facts, cases] of measured)
      for (const [context, slots, kvType, mb] of cases) {
        const promised = estimateBytes(facts, { context, slots }, { backend: "cuda", kvType }) / 1e6
        const what = `${facts.vocabulary} words, ${facts.quantization}, ${slots} × ${context}, ${kvType}: ${promised.toFixed(0)} of ${mb} MB`
        expect(promised, what).toBeGreaterThanOrEqual(mb)
        expect(promised / mb, what).toBeLessThan(1.11)
      }
  })
})
