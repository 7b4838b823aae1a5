/** Reaches workers of this process by their `in-process://` urls. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cachedByUrl } from "../transport/connectors.ts"
import { InProcessNetwork } from "../transport/in-process/network.ts"
import { WorkerConnector } from "./index.ts"
import { workerApi } from "../../protocol/worker.ts"

export const layerInProcess: Layer.Layer<WorkerConnector, never, InProcessNetwork> = Layer.effect(
  WorkerConnector,
  Effect.map(InProcessNetwork, (network) => ({
    connect: cachedByUrl((url: string) => network.connect(url, workerApi))
  }))
)
