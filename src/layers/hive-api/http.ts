/** Reaches hives over HTTP, with this cluster's token. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cachedByUrl } from "../api/connectors.ts"
import { makeHttpClient } from "../api/http-client.ts"
import { CurrentSettings } from "../settings/index.ts"
import { HiveConnector, hiveApi } from "./index.ts"

export const layerHttp: Layer.Layer<HiveConnector, never, CurrentSettings> = Layer.effect(
  HiveConnector,
  Effect.map(CurrentSettings, ({ token }) => ({
    connect: cachedByUrl((url: string) => makeHttpClient(hiveApi, { baseUrl: url, token }))
  }))
)
