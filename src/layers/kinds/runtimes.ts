/** Where the runtimes of each kind of worker come from. */
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { llama } from "../../machines/kinds/llama/llama.ts"
import type { Ids } from "../ids/index.ts"
import type { Processes } from "../process/index.ts"
import { layerByKind } from "../runtimes/by-kind.ts"
import type { KindRuntimes, Runtimes } from "../runtimes/index.ts"
import type { GpuTeller } from "../devices/index.ts"
import { withCuda } from "../runtimes/llama/cuda.ts"
import { cudaFacts, engineFacts } from "../runtimes/llama/facts.ts"
import { llamaGpus } from "../runtimes/llama/gpus.ts"
import { type NpmOptions, npmRuntimes } from "../runtimes/llama/npm.ts"

type Env = Readonly<Record<string, string | undefined>>

/** The environment of a hive, with what the runtimes of its kinds have to find there. */
export const environmentOf = (env: Env): Env => withCuda(env)

/** Who tells of this machine's GPUs, for all kinds: llama.cpp's runtimes know every driver that there is one for. */
export const tellerOf = (options: NpmOptions): GpuTeller => llamaGpus(options, options.env)

/** What is there of the runtimes, for who looks what is wrong. */
export const runtimeFacts = { engine: engineFacts, cuda: cudaFacts }

/** By the id of the kind. */
export type RuntimesByKind = Readonly<Record<string, Effect.Effect<KindRuntimes, never, Processes | Ids>>>

export const runtimesOf = (options: NpmOptions): RuntimesByKind => ({ [llama.id]: npmRuntimes(options) })

export const layerRuntimes = (options: NpmOptions): Layer.Layer<Runtimes, never, Processes | Ids> =>
  layerByKind(runtimesOf(options))
