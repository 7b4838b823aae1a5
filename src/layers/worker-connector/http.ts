/** Reaches workers over HTTP, with their own tokens: directly, or through the tunnel of their hive's machine. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ofOneProcess } from "../../protocol/endpoint.ts"
import { cachedByUrl } from "../transport/connectors.ts"
import { makeHttpClient } from "../transport/http/client/client.ts"
import { Tunnels } from "../remote/tunnels.ts"
import { CurrentSettings } from "../settings/index.ts"
import { workerToken, workerTokenNow } from "./token.ts"
import { WorkerConnector } from "./index.ts"
import { workerApi } from "../../protocol/worker.ts"

/** A hive's own workers are on its machine. */
export const layerHttp: Layer.Layer<WorkerConnector, never, CurrentSettings> = Layer.effect(
  WorkerConnector,
  Effect.map(CurrentSettings, ({ token }) => ({
    connect: cachedByUrl((url: string, instance: string) =>
      ofOneProcess(makeHttpClient(workerApi, { baseUrl: url, token: workerToken(token, instance) }), url)
    )
  }))
)

/** The queen reaches those of all hives. */
export const layerTunnelled: Layer.Layer<WorkerConnector, never, CurrentSettings | Tunnels> = Layer.effect(
  WorkerConnector,
  Effect.gen(function* () {
    const { token } = yield* CurrentSettings
    const tunnels = yield* Tunnels
    return {
      connect: cachedByUrl((url: string, instance: string) => {
        const ofHive = tunnels.secret(url) ?? (() => token)
        const own = workerTokenNow(ofHive, instance)
        return ofOneProcess(makeHttpClient(workerApi, { baseUrl: url, token: own, way: tunnels.way(url) }), url)
      })
    }
  })
)
