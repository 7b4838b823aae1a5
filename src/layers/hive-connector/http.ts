/** Reaches hives over HTTP: her own machine's with this cluster's token, those of other machines each with its secret. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cachedByUrl } from "../transport/connectors.ts"
import { makeHttpClient } from "../transport/http/client/client.ts"
import { Tunnels } from "../remote/tunnels.ts"
import type { ClaimRequest } from "../../machines/vocabulary/hive.ts"
import { CurrentSettings } from "../settings/index.ts"
import { HiveConnector } from "./index.ts"
import { type HiveApi, hiveApi } from "../../protocol/hive.ts"

export const layerHttp: Layer.Layer<HiveConnector, never, CurrentSettings | Tunnels> = Layer.effect(
  HiveConnector,
  Effect.gen(function* () {
    const { token } = yield* CurrentSettings
    const tunnels = yield* Tunnels
    const connect = (url: string): HiveApi => {
      const way = tunnels.way(url)
      const api = makeHttpClient(hiveApi, { baseUrl: url, token: tunnels.secret(url) ?? token, way })
      if (way === undefined) return api
      const queenFor = (queen: ClaimRequest["queen"]) => ({ ...queen, models: true, ...tunnels.wayBack(url) })
      // a hive at the other end of a tunnel reaches its queen by the tunnel's own address for her
      return { ...api, claim: (request) => api.claim({ ...request, queen: queenFor(request.queen) }) }
    }
    return { connect: cachedByUrl(connect) }
  })
)
