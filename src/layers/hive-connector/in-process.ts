/** Reaches hives of this process by their `in-process://` urls. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cachedByUrl } from "../transport/connectors.ts"
import { InProcessNetwork } from "../transport/in-process/network.ts"
import { HiveConnector } from "./index.ts"
import { hiveApi } from "../../protocol/hive.ts"

export const layerInProcess: Layer.Layer<HiveConnector, never, InProcessNetwork> = Layer.effect(
  HiveConnector,
  Effect.map(InProcessNetwork, (network) => ({
    connect: cachedByUrl((url: string) => network.connect(url, hiveApi))
  }))
)
