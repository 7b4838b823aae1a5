/** The transports that the contract is tested on, and an interface's handlers that record what reaches them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { type Api, Call, type CallInfo, type Handlers } from "../../src/protocol/endpoint.ts"
import { makeHttpClient } from "../../src/layers/transport/http/client/client.ts"
import { serveHttp } from "../../src/layers/transport/http/server/server.ts"
import { InProcessNetwork, layerInProcessNetwork } from "../../src/layers/transport/in-process/network.ts"
import { layerRandom } from "../../src/layers/ids/random.ts"
import type { RbeeError } from "../../src/machines/errors.ts"

export interface Transport {
  readonly name: string
  /** A client of the handlers; closing the scope ends the daemon behind it. */
  readonly open: <A extends Api>(api: A, handlers: Handlers<A>) => Effect.Effect<Handlers<A>, RbeeError, Scope.Scope>
}

export const quiet = Logger.remove(Logger.defaultLogger)

const http: Transport = {
  name: "http",
  open: (api, handlers) =>
    Effect.map(
      serveHttp({ apis: [{ api, handlers }], host: "127.0.0.1", port: 0, role: "test", graceMs: 200 }),
      ({ url }) => makeHttpClient(api, { baseUrl: url })
    ).pipe(Effect.provide(quiet))
}

const inProcess: Transport = {
  name: "in-process",
  open: (api, handlers) =>
    Effect.gen(function* () {
      const network = yield* InProcessNetwork
      yield* network.listen("in-process://test", api, handlers)
      return network.connect("in-process://test", api)
    }).pipe(Effect.provide(Layer.provide(layerInProcessNetwork, layerRandom)))
}

export const transports: ReadonlyArray<Transport> = [http, inProcess]

export interface Seen {
  readonly name: string
  readonly input: unknown
  readonly call: CallInfo
}

type Handler = (input: unknown) => Effect.Effect<unknown, RbeeError>

/** Handlers that note each call and answer with what `answer` gives. */
export const recording = <A extends Api>(
  api: A,
  seen: Array<Seen>,
  answer: (name: string, input: unknown) => Effect.Effect<unknown, RbeeError>
): Handlers<A> => {
  const handlers: Record<string, Handler> = {}
  for (const name of Object.keys(api)) {
    handlers[name] = (input) =>
      Effect.flatMap(Call, (call) => {
        seen.push({ name, input, call })
        return answer(name, input)
      })
  }
  // what `answer` gives is checked by the transports themselves
  return handlers as Handlers<A>
}

/** Calls an endpoint by its name. */
export const callOf = <A extends Api>(client: Handlers<A>, name: string): Handler => {
  // the inputs differ by endpoint; the tests make them from the endpoint's own schema
  const handler = (client as Readonly<Record<string, Handler>>)[name]
  if (handler === undefined) throw new TypeError(name)
  return handler
}
