/** Where the runtimes of each kind of worker come from. */
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { llama } from "../../machines/kinds/llama/llama.ts"
import type { Ids } from "../ids/index.ts"
import type { Processes } from "../process/index.ts"
import { layerByKind } from "../runtimes/by-kind.ts"
import type { KindRuntimes, Runtimes } from "../runtimes/index.ts"
import { type NpmOptions, npmRuntimes } from "../runtimes/llama/npm.ts"

/** By the id of the kind. */
export type RuntimesByKind = Readonly<Record<string, Effect.Effect<KindRuntimes, never, Processes | Ids>>>

export const runtimesOf = (options: NpmOptions): RuntimesByKind => ({ [llama.id]: npmRuntimes(options) })

export const layerRuntimes = (options: NpmOptions): Layer.Layer<Runtimes, never, Processes | Ids> =>
  layerByKind(runtimesOf(options))
