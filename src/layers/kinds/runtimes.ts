/** Where the runtimes of each kind of worker come from. */
import type * as Layer from "effect/Layer"
import { llama } from "../../machines/kinds/llama/llama.ts"
import type { Ids } from "../ids/index.ts"
import type { Processes } from "../process/index.ts"
import { layerByKind } from "../runtimes/by-kind.ts"
import type { Runtimes } from "../runtimes/index.ts"
import { type NpmOptions, npmRuntimes } from "../runtimes/npm.ts"

export const layerRuntimes = (options: NpmOptions): Layer.Layer<Runtimes, never, Processes | Ids> =>
  layerByKind({ [llama.id]: npmRuntimes(options) })
