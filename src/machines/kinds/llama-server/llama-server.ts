/** llama.cpp's own server: GGUF files, and images where a projector lies beside them. */
import { KindId } from "../../vocabulary/kind.ts"
import type { WorkerKind } from "../kind.ts"
import { llama } from "../llama/llama.ts"
import { bytes, laterBytes } from "./memory.ts"

const { backends, expectedBatchMs, failures, formats, memory } = llama

export const llamaServer: WorkerKind = {
  id: KindId.make("llama-server"),
  formats,
  backends: {
    cpu: { ...backends.cpu, runtime: "cpu-llama-server-rbee" },
    cuda: { ...backends.cuda, runtime: "cuda-llama-server-rbee" },
    vulkan: { ...backends.vulkan, runtime: "vulkan-llama-server-rbee" },
    metal: { ...backends.metal, runtime: "metal-llama-server-rbee" }
  },
  memory: { ...memory, bytes, laterBytes },
  takes: { images: true },
  resume: { greedy: "ids", drawn: "text" },
  hasProcess: true,
  expectedBatchMs,
  failures
}
