/** A worker's interface served for one test, and raw HTTP to speak to it. */
import { type IncomingMessage, request as httpRequest } from "node:http"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { type ServeOptions, serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import * as Schema from "effect/Schema"
import type { Handlers } from "../../../src/protocol/endpoint.ts"
import { streamingApi } from "../../support/streaming-api.ts"

export const quiet = Logger.remove(Logger.defaultLogger)

export const health = {
  status: "healthy",
  role: "worker",
  version: "1.2.3",
  id: "w1",
  instance: "worker-1",
  pid: 1,
  uptime_s: 1
} as const

/** A worker's interface, but that what it is asked comes back. */
export const echoApi = {
  ...streamingApi,
  infer: {
    ...streamingApi.infer,
    answers: { json: { 201: Schema.Struct({ prompt: Schema.optional(Schema.String) }) } }
  }
} as const
export type EchoApi = Handlers<typeof echoApi>

export const handlers: EchoApi = {
  health: () => Effect.succeed(health),
  ready: () => Effect.succeed({ _tag: "Json", status: 200, body: { state: "idle", slots: 1, busy: 0 } }),
  infer: ({ prompt }) => Effect.succeed(prompt === undefined ? {} : { prompt }),
  inferEvents: () => Effect.succeed(() => Effect.never),
  cancelInfer: () => Effect.void,
  cancelInfers: () => Effect.void,
  forget: () => Effect.void,
  shutdown: () => Effect.void
}

type Options = Partial<Omit<ServeOptions<readonly [typeof echoApi]>, "apis">>

export const serve = (overrides: Partial<EchoApi> = {}, options: Options = {}) =>
  serveHttp({
    apis: [{ api: echoApi, handlers: { ...handlers, ...overrides } }],
    host: "127.0.0.1",
    port: 0,
    role: "worker",
    graceMs: 200,
    ...options
  }).pipe(Effect.provide(quiet))

export interface Got {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly text: string
  readonly code: unknown
}

export interface Ask {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** One request on a connection of its own. */
export const ask = (url: string, { method = "GET", path = "/health", headers = {}, body }: Ask = {}) =>
  Effect.async<Got, Error>((resume) => {
    const { hostname, port } = new URL(url)
    const sent = httpRequest({ host: hostname, port, method, path, headers, agent: false }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (piece: string) => (text += piece))
      response.on("end", () => {
        const json = response.headers["content-type"] === "application/json" ? JSON.parse(text || "{}") : {}
        resume(
          Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text, code: json.error?.code })
        )
      })
    })
    sent.on("error", (error) => resume(Effect.fail(error)))
    sent.end(body)
    return Effect.sync(() => sent.destroy())
  })

/** A raw connection that has sent `text`; `onText` gets what comes back. Closed with the scope. */
export const rawConnection = (url: string, text: string, onText: (text: string) => void = () => {}) =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1", () => {
        socket.write(text)
        resume(Effect.succeed(socket))
      })
      socket.setEncoding("utf8")
      socket.on("data", onText)
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Somebody else's server on a port of this machine. */
export const stranger = (onConnection: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly port: number; readonly close: () => void }>((resume) => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on("error", () => {})
        onConnection(socket)
      })
      const close = () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }
      server.listen(0, "127.0.0.1", () => {
        // a TCP server has an address while it listens
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, port, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
