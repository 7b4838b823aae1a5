/**
 * The memory that the estimate promises, from a GGUF header alone, against what a worker really takes on the CPU.
 * Generated models of many shapes, each with several contexts, slots and kinds of KV cache. Measured is the resident
 * memory of the worker process (mapped weights count) after prompts have filled all slots, because buffers take their
 * pages when they are first used. `estimate COUNT` stops after so many cases.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { hasTiles } from "../../src/layers/devices/memory.ts"
import { readGguf } from "../../src/machines/formats/gguf/gguf.ts"
import { estimateBytes } from "../../src/machines/kinds/llama/memory.ts"
import type { KvType } from "../../src/machines/vocabulary/common.ts"
import { model, type Shape, TINY } from "../support/gguf.ts"
import { workerMemory } from "../support/worker-memory.ts"
import { quantile, report } from "./support.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Named after what is special about each. */
const shapes: Readonly<Record<string, Partial<Shape>>> = {
  tiny: {},
  "many layers": { layers: 16, width: 256, heads: 4, kvHeads: 4, feedForward: 512, vocabulary: 2048 },
  "grouped heads": { layers: 3, width: 768, heads: 12, kvHeads: 4, feedForward: 2304, vocabulary: 4096 },
  "one kv head": { layers: 3, width: 768, heads: 12, kvHeads: 1, feedForward: 2304, vocabulary: 4096 },
  "full kv heads": { layers: 3, width: 768, heads: 12, kvHeads: 12, feedForward: 2304, vocabulary: 4096 },
  "wide feed forward": { layers: 2, width: 512, heads: 8, kvHeads: 4, feedForward: 6144, vocabulary: 2048 },
  "narrow feed forward": { layers: 2, width: 1024, heads: 16, kvHeads: 8, feedForward: 1024, vocabulary: 2048 },
  "wide, f16": { layers: 2, width: 1536, heads: 12, kvHeads: 4, feedForward: 4096, vocabulary: 4096, type: "f16" },
  f32: { layers: 2, width: 512, heads: 8, kvHeads: 8, feedForward: 1536, vocabulary: 8192, type: "f32" },
  "32 k words": { layers: 2, width: 512, heads: 8, kvHeads: 8, feedForward: 1536, vocabulary: 32_000 },
  "128 k words, byte pairs": {
    layers: 4,
    width: 512,
    heads: 8,
    kvHeads: 2,
    feedForward: 1536,
    vocabulary: 128_000,
    tokenizer: "bpe"
  },
  "152 k words, byte pairs": {
    layers: 2,
    width: 256,
    heads: 4,
    kvHeads: 2,
    feedForward: 768,
    vocabulary: 152_000,
    tokenizer: "bpe"
  },
  "256 k words": { layers: 2, width: 256, heads: 4, kvHeads: 1, feedForward: 1024, vocabulary: 256_000 },
  q4_0: { layers: 4, width: 1024, heads: 16, kvHeads: 4, feedForward: 2816, vocabulary: 8192, type: "q4_0" },
  q4_k: { layers: 4, width: 1024, heads: 16, kvHeads: 4, feedForward: 2816, vocabulary: 8192, type: "q4_k" }
}

const ways: ReadonlyArray<readonly [context: number, slots: number, kvType: KvType]> = [
  [512, 1, "f16"],
  [1024, 4, "f16"],
  [1024, 2, "q8_0"],
  [3072, 1, "f16"]
]

interface Case {
  readonly shape: string
  readonly context: number
  readonly slots: number
  readonly kvType: KvType
  readonly predictedMb: number
  readonly measuredMb: number
  /** (predicted − measured) ÷ measured */
  readonly error: number
}

const factsOf = (path: string) => {
  const file = readFileSync(path)
  const header = readGguf(file, file.length)
  if (header._tag !== "Model") throw new Error(`${path} is no model`)
  return header.facts
}

const examine = async (name: string, context: number, slots: number, kvType: KvType): Promise<Case> => {
  const modelPath = await model({ ...TINY, context: 4096, type: "q8_0", ...shapes[name] })
  const predicted = estimateBytes(factsOf(modelPath), { context, slots }, { backend: "cpu", kvType, hasTiles })
  const measured = await workerMemory(`${root}/dist/worker.js`, { modelPath, context, slots, kvType })
  const error = predicted / measured - 1
  return { shape: name, context, slots, kvType, predictedMb: predicted / 1e6, measuredMb: measured / 1e6, error }
}

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const count = Number(args[0] ?? Infinity)
  const plans = ways.flatMap((way) => Object.keys(shapes).map((name) => [name, ...way] as const)).slice(0, count)
  const cases: Array<Case> = []
  for (const [name, context, slots, kvType] of plans) {
    const found = await examine(name, context, slots, kvType)
    cases.push(found)
    const sign = found.error < 0 ? "" : "+"
    process.stdout.write(
      `${name}, ${slots} × ${context}, ${kvType}: ${found.predictedMb.toFixed(1)} MB promised, ` +
        `${found.measuredMb.toFixed(1)} MB taken, ${sign}${(100 * found.error).toFixed(1)} %\n`
    )
  }
  const errors = cases.map(({ error }) => 100 * error)
  const under = errors.filter((error) => error < 0).length
  const against = `${cases.length} cases of ${new Set(cases.map(({ shape }) => shape)).size} shapes`
  report(
    "estimate",
    [
      { what: "signed error, p5", value: quantile(errors, 0.05), unit: "%", against },
      { what: "signed error, p50", value: quantile(errors, 0.5), unit: "%" },
      { what: "signed error, p95", value: quantile(errors, 0.95), unit: "%", target: "≤ 10" },
      { what: "largest error", value: Math.max(...errors.map(Math.abs)), unit: "%" },
      { what: "promised too little", value: (100 * under) / cases.length, unit: "% of cases", target: "≤ 1" }
    ],
    cases
  )
}
