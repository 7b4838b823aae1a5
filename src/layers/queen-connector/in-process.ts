/** Reaches queens of this process by their `in-process://` urls. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cachedByUrl } from "../transport/connectors.ts"
import { InProcessNetwork } from "../transport/in-process/network.ts"
import { QueenConnector } from "./index.ts"
import { ownApi } from "../../protocol/queen/own.ts"

export const layerInProcess: Layer.Layer<QueenConnector, never, InProcessNetwork> = Layer.effect(
  QueenConnector,
  Effect.map(InProcessNetwork, (network) => ({
    connect: cachedByUrl((url: string) => network.connect(url, ownApi))
  }))
)
