/** Reaches workers over HTTP, with this cluster's token. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cachedByUrl } from "../api/connectors.ts"
import { makeHttpClient } from "../api/http-client.ts"
import { CurrentSettings } from "../settings/index.ts"
import { WorkerConnector, workerApi } from "./index.ts"

export const layerHttp: Layer.Layer<WorkerConnector, never, CurrentSettings> = Layer.effect(
  WorkerConnector,
  Effect.map(CurrentSettings, ({ token }) => ({
    connect: cachedByUrl((url: string) => makeHttpClient(workerApi, { baseUrl: url, token }))
  }))
)
