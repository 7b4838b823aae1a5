/** llama.cpp, in the worker's process: GGUF files, on every backend. */
import { gguf } from "../../formats/model-format.ts"
import { KindId } from "../../vocabulary/kind.ts"
import type { WorkerKind } from "../kind.ts"
import { cellStep } from "./batches.ts"
import { computeBytes, estimateBytes, expectedBatchMs, kvTypeOf } from "./memory.ts"
import { failures } from "./words.ts"

/** ggml's own variable: numbers of Vulkan's devices, separated by commas */
export const visibleVulkan = "GGML_VK_VISIBLE_DEVICES"

export const llama: WorkerKind = {
  id: KindId.make("llama"),
  formats: [gguf],
  backends: {
    cpu: { runtime: "cpu-llm-worker-rbee" },
    cuda: { runtime: "cuda-llm-worker-rbee", visible: "CUDA_VISIBLE_DEVICES" },
    vulkan: { runtime: "vulkan-llm-worker-rbee", visible: visibleVulkan },
    metal: { runtime: "metal-llm-worker-rbee" }
  },
  memory: {
    terms: (facts, device, kvType) => ({ ...device, kvType: kvTypeOf(facts, kvType) }),
    bytes: estimateBytes,
    laterBytes: computeBytes,
    step: cellStep
  },
  takes: { images: false },
  resume: { greedy: "ids", drawn: "ids" },
  hasProcess: false,
  // one core's worth: generous
  expectedBatchMs: ({ parameters }) => expectedBatchMs(parameters, 1),
  failures
}
