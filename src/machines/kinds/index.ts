/** The kinds of workers of this version. */
import type { WorkerKinds } from "./kind.ts"
import { llama } from "./llama/llama.ts"

export const workerKinds: WorkerKinds = [llama]
