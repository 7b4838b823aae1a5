/** The kinds of workers of this version. */
import type { WorkerKinds } from "./kind.ts"
import { llama } from "./llama/llama.ts"
import { llamaServer } from "./llama-server/llama-server.ts"

export const workerKinds: WorkerKinds = [llama, llamaServer]
