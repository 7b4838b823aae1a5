/** How llama.cpp's server is started: every default that could surprise is said. */
import { cellStep } from "../../../machines/kinds/llama/batches.ts"
import type { KvType } from "../../../machines/vocabulary/common.ts"
import type { Backend } from "../../../machines/vocabulary/device.ts"

export interface ServerOptions {
  readonly modelPath: string
  readonly backend: Backend
  /** tokens a slot */
  readonly context: number
  readonly slots: number
  readonly kvType: KvType
  readonly threads: number
  /** what makes tokens of images, in a file of its own */
  readonly projector?: string | undefined
}

/** It ends an answer one token before its context is full; where that is, the worker decides. */
const cellsOf = (context: number): number => Math.ceil((context + 2) / cellStep) * cellStep

export const argumentsOf = (options: ServerOptions): ReadonlyArray<string> => {
  const { backend, context, kvType, modelPath, projector, slots, threads } = options
  return [
    ...["--model", modelPath],
    ...(projector === undefined ? ["--no-mmproj"] : ["--mmproj", projector]),
    // nobody but this machine reaches it, on a port that the system chooses
    ...["--host", "127.0.0.1", "--port", "0"],
    ...["--ctx-size", String(cellsOf(context) * slots), "--parallel", String(slots), "--no-kv-unified"],
    ...["--cache-type-k", kvType, "--cache-type-v", kvType],
    ...["--threads", String(threads), "--threads-batch", String(threads)],
    ...(backend === "cpu" ? ["--device", "none", "--gpu-layers", "0"] : ["--gpu-layers", "999"]),
    // what it takes is booked: it keeps nothing beside its slots, and does not choose for itself
    ...["--cache-ram", "0", "--ctx-checkpoints", "0", "--fit", "off"],
    ...["--no-context-shift", "--swa-full"],
    // nothing is fetched, shown or told that nobody asked for
    ...["--offline", "--no-ui", "--no-slots", "--log-colors", "off"]
  ]
}
