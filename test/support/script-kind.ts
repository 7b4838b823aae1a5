/** A kind of worker that is not in this version: it says a script. All that there is to it stands here. */
import * as Effect from "effect/Effect"
import type { KindEngine } from "../../src/layers/kinds/engines.ts"
import { layerScripted } from "../../src/layers/engine/scripted.ts"
import { builtIn } from "../../src/layers/runtimes/by-kind.ts"
import type { ModelFacts } from "../../src/machines/formats/gguf/gguf.ts"
import type { ModelFormat } from "../../src/machines/formats/model-format.ts"
import type { WorkerKind } from "../../src/machines/kinds/kind.ts"
import { KindId } from "../../src/machines/vocabulary/kind.ts"

const factsOf = (fileBytes: number): ModelFacts => ({
  fileBytes,
  architecture: "script",
  parameters: 1,
  trainedContext: 2048,
  quantization: "none",
  kvElementsPerToken: 0,
  headLengths: [],
  stateBytes: 0,
  embedding: 0,
  feedForward: 0,
  heads: 0,
  layers: 0,
  vocabulary: 0,
  template: true,
  merges: 0
})

/** A file that begins with "script". */
const format: ModelFormat = {
  ending: ".script",
  read: (start, fileBytes) =>
    new TextDecoder().decode(start.subarray(0, 6)) === "script"
      ? { _tag: "Model", facts: factsOf(fileBytes), matrices: new Set() }
      : { _tag: "Invalid", reason: "it is no script" }
}

export const scriptKind: WorkerKind = {
  id: KindId.make("script"),
  formats: [format],
  backends: { cpu: { runtime: "cpu-script-worker" } },
  memory: {
    terms: (_, device) => ({ ...device, kvType: "f16" }),
    bytes: (_, { context, slots }) => 1e6 + 1000 * context * slots,
    laterBytes: () => 0,
    step: 1
  },
  takes: { images: false },
  resume: { greedy: "ids", drawn: "ids" },
  hasProcess: false,
  expectedBatchMs: () => 1000,
  failures: { memory: /the stage is full/, other: /^$/, isMuteWhenFull: false }
}

export const scriptEngine: KindEngine = { layer: () => layerScripted({ tokens: 5 }) }
export const scriptRuntimes = Effect.succeed(builtIn("script-1"))
