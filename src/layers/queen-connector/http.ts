/** Reaches queens over HTTP, with this cluster's token. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cachedByUrl } from "../transport/connectors.ts"
import { makeHttpClient } from "../transport/http/client/client.ts"
import { clusterToken } from "../keys/own-token.ts"
import { CurrentSettings } from "../settings/index.ts"
import { QueenConnector } from "./index.ts"
import { ownApi } from "../../protocol/queen/own.ts"

export const layerHttp: Layer.Layer<QueenConnector, never, CurrentSettings> = Layer.effect(
  QueenConnector,
  Effect.map(CurrentSettings, (settings) => ({
    connect: cachedByUrl((url: string, secret?: string) =>
      makeHttpClient(ownApi, { baseUrl: url, token: secret ?? clusterToken(settings) })
    )
  }))
)
