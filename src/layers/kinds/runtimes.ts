/** Where the runtimes of each kind of worker come from. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { llama } from "../../machines/kinds/llama/llama.ts"
import { llamaServer } from "../../machines/kinds/llama-server/llama-server.ts"
import type { Ids } from "../ids/index.ts"
import type { Processes } from "../process/index.ts"
import { layerByKind } from "../runtimes/by-kind.ts"
import type { KindRuntimes, Runtimes } from "../runtimes/index.ts"
import type { GpuTeller } from "../devices/index.ts"
import { withCuda } from "../runtimes/llama/cuda.ts"
import { cudaFacts, engineFacts } from "../runtimes/llama/facts.ts"
import { llamaGpus } from "../runtimes/llama/gpus.ts"
import { type NpmOptions, npmRuntimes } from "../runtimes/llama/npm.ts"
import { serverRuntimes } from "../runtimes/llama-server/runtimes.ts"

type Env = Readonly<Record<string, string | undefined>>

/** The environment of a hive, with what the runtimes of its kinds have to find there. */
export const environmentOf = (env: Env): Env => withCuda(env)

/** Who tells of this machine's GPUs, for all kinds: llama.cpp's runtimes know every driver that there is one for. */
export const tellerOf = (options: NpmOptions): GpuTeller => llamaGpus(options, options.env)

/** What is there of the runtimes, for who looks what is wrong. */
export const runtimeFacts = { engine: engineFacts, cuda: cudaFacts }

/** By the id of the kind. */
export type RuntimesByKind = Readonly<Record<string, Effect.Effect<KindRuntimes, never, Processes | Ids>>>

/** `engines`: what the configuration of this machine names, by the id of the kind: a program and its arguments. */
export interface RuntimeOptions extends NpmOptions {
  readonly engines?: Readonly<Record<string, { readonly command?: ReadonlyArray<string> | undefined }>> | undefined
}

export const runtimesOf = ({ engines = {}, ...options }: RuntimeOptions): RuntimesByKind => ({
  [llama.id]: npmRuntimes(options),
  [llamaServer.id]: Effect.sync(() => serverRuntimes({ ...options, named: engines[llamaServer.id]?.command }))
})

export const layerRuntimes = (options: RuntimeOptions): Layer.Layer<Runtimes, never, Processes | Ids> =>
  layerByKind(runtimesOf(options))
