/**
 * Serves interfaces over HTTP/1.1, on node:http itself: the token path is a pipe from socket to socket, and the targets
 * for heartbeats and relaying are ratios to a bare node:http server. Everything about an endpoint comes from its
 * declaration (endpoint.ts).
 */
import { createServer, type RequestListener, type Server } from "node:http"
import { type AddressInfo, isIP, type Server as NetServer } from "node:net"
import type { Duplex } from "node:stream"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"
import { bare, isLoopback, takenReason, urlOf } from "../../../../machines/vocabulary/address.ts"
import { BodyBudget } from "./body-budget.ts"
import type { BrowserSessions } from "./browser-sessions.ts"
import { type Api, Call, type Handlers } from "../../../../protocol/endpoint.ts"
import { type Beside, Exchange, type ExchangeContext } from "./exchange.ts"
import { bodyMs } from "./body.ts"
import { type CallerOf, checkBind, fingerprint, makeGuard, type Secret } from "./guard.ts"
import { makeRouter } from "./router.ts"
import type { Caller } from "../../../../protocol/rights.ts"
import { answerStrays } from "./strays.ts"
import { makeSites } from "./sites.ts"
import { keepAliveMs } from "../../../../protocol/sse.ts"
import { asSocket } from "./stream-socket.ts"
import { type TlsFiles, tlsFront } from "../tls-front.ts"

export interface ServeOptions<Apis extends ReadonlyArray<Api>> {
  readonly apis: {
    readonly [I in keyof Apis]: { readonly api: Apis[I]; readonly handlers: Handlers<NoInfer<Apis[I]>> }
  }
  readonly host: string
  /** 0: a free one */
  readonly port: number
  /** how many ports are tried, from `port` up; absent: 1 */
  readonly portTries?: number | undefined
  /** the descriptor of a socket that listens there already, and was handed over (layers/leadership/handed.ts) */
  readonly socket?: number | undefined
  /** who comes from elsewhere speaks TLS; absent: nobody does */
  readonly tls?: TlsFiles | undefined
  /** who calls must show it; undefined on loopback */
  readonly token?: Secret | undefined
  /** the settings `queen.origins` and `queen.hosts`, where they are this daemon's (http-sites.ts) */
  readonly sites?: { readonly origins: ReadonlyArray<string>; readonly hosts: ReadonlyArray<string> } | undefined
  /** answers paths below `prefix` itself, without that prefix, to whoever has the token: files, which are no calls */
  readonly beside?: Beside | undefined
  /** browsers that have shown the token by a ticket */
  readonly sessions?: BrowserSessions | undefined
  /** who shows nothing, where there is a token; absent: may call what is open */
  readonly anonymous?: Caller | undefined
  /** whose secret this is, besides the token's */
  readonly callerOf?: CallerOf | undefined
  /** of all requests together, in bytes, and the time that one has; absent: what suits a daemon */
  readonly bodies?: { readonly bytes?: number; readonly withinMs?: number } | undefined
  /** "queen", "hive", "worker": for log lines */
  readonly role: string
  /** when the scope closes, answers that are under way have this time, in milliseconds; absent: 500 */
  readonly graceMs?: number | undefined
  /** time between keep-alive comments on quiet streams, milliseconds; absent: 15 000 */
  readonly keepAliveMs?: number | undefined
}

/** Where a server is reached; `url` names loopback for a server that listens everywhere. */
export interface Bound {
  readonly port: number
  readonly url: string
  /** completes when it listens no more, whoever closed it */
  readonly closed: Effect.Effect<void>
}

/** When the server ends, a stream has this time to send its last words: its daemon has already said them. */
const streamGraceMs = 100

/** A key that was revoked is noticed at the second look: within a second. */
const recheckMs = 400

/** Longer than a hive's heartbeat and a job's pause, so that peers keep their connection. */
const idleConnectionMs = 65_000

/**
 * Listens until the scope closes. Handlers run in fibers with the runtime of the caller; a client that leaves
 * interrupts its handler. Closing refuses new requests, gives running answers their grace, interrupts what is left,
 * and is bounded whatever clients do.
 *
 * Fails with CONFLICT when the ports are taken, and with INVALID_REQUEST for a bind that would need a token.
 */
export const serveHttp = <const Apis extends ReadonlyArray<Api>>(
  options: ServeOptions<Apis>
): Effect.Effect<Bound, RbeeError<"CONFLICT" | "INVALID_REQUEST">, Scope.Scope> =>
  Effect.gen(function* () {
    const unsafe = checkBind(options.host, options.token)
    if (unsafe !== undefined) return yield* unsafe
    const server = yield* serving(options)
    const front = options.tls === undefined ? server : yield* tlsFront(server, options.tls)
    const port = yield* listen(front, options)
    const url = urlOf(options.host, port)
    const secured = options.tls === undefined ? "" : ", with TLS for who comes from elsewhere"
    const guarded = typeof options.token === "string" ? `, token ${fingerprint(options.token)}` : ""
    yield* Effect.logInfo(`${options.role} listens on ${url}${guarded}${secured}`)
    return { port, url, closed: closedOf(front) }
  })

/**
 * The same for connections that others accept, the channels of a tunnel: a listener of its own without a port. Gives what
 * takes them.
 */
export const serveStreams = <const Apis extends ReadonlyArray<Api>>(
  options: Omit<ServeOptions<Apis>, "port" | "portTries">
): Effect.Effect<(stream: Duplex) => void, never, Scope.Scope> =>
  Effect.map(serving(options), (server) => (stream) => void server.emit("connection", asSocket(stream)))

/** A server that answers what reaches it, and closes with the scope. */
const serving = <const Apis extends ReadonlyArray<Api>>(
  options: Omit<ServeOptions<Apis>, "port" | "portTries">
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    let closing = false
    const context: ExchangeContext = {
      router: makeRouter(options.apis),
      beside: options.beside,
      guard: makeGuard({
        token: options.token,
        sessions: options.sessions,
        anonymous: options.anonymous,
        callerOf: options.callerOf
      }),
      sites: makeSites({
        host: options.host,
        ...(options.sites ?? { origins: [], hosts: [] }),
        configurable: options.sites !== undefined,
        hasTls: options.tls !== undefined
      }),
      bodies: new BodyBudget(options.bodies?.bytes),
      bodyMs: options.bodies?.withinMs ?? bodyMs,
      fork: forkWithCall(yield* Effect.runtime<never>()),
      closing: () => closing,
      open: new Set()
    }
    const onRequest: RequestListener = (request, response) => new Exchange(context, request, response).start()
    // who sends no Host is judged with the others (http-sites.ts), and who expects what is not to be had gets its answer
    const server = createServer(
      { keepAliveTimeout: idleConnectionMs, keepAlive: true, requireHostHeader: false },
      onRequest
    ).on("checkExpectation", onRequest)
    answerStrays(server, (socket) => [...context.open].some((exchange) => exchange.isOn(socket)))
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closing = true
        return close(server, context.open, options.graceMs ?? 500)
      })
    )
    yield* keepAlives(context.open, options.keepAliveMs ?? keepAliveMs)
    if (options.callerOf !== undefined) yield* everySo(recheckMs, context.open, (exchange) => exchange.recheck())
    return server
  })

/** A handler's fiber, which knows its call; put into the runtime's context, a tenth of the cost of providing it. */
const forkWithCall =
  (runtime: Runtime.Runtime<never>): ExchangeContext["fork"] =>
  (effect, call) =>
    Runtime.runFork(Runtime.make({ ...runtime, context: Context.add(runtime.context, Call, call) }), effect)

/** One timer for all streams of a server. */
const keepAlives = (open: ReadonlySet<Exchange>, everyMs: number) =>
  everySo(everyMs, open, (exchange) => exchange.keepAlive?.())

const everySo = (
  everyMs: number,
  open: ReadonlySet<Exchange>,
  work: (exchange: Exchange) => void
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      setInterval(() => {
        for (const exchange of open) work(exchange)
      }, everyMs).unref()
    ),
    (timer) => Effect.sync(() => clearInterval(timer))
  ).pipe(Effect.asVoid)

const closedOf = (server: NetServer): Effect.Effect<void> =>
  Effect.async((resume) => {
    const over = () => resume(Effect.void)
    if (!server.listening) return over()
    server.once("close", over)
    return Effect.sync(() => server.removeListener("close", over))
  })

type ListenOptions = Pick<ServeOptions<ReadonlyArray<Api>>, "host" | "port" | "portTries" | "socket">

/** Binds the first free port: the bind is the lease (docs/design.md#who-outlives-whom). */
const listen = (
  server: NetServer,
  options: ListenOptions
): Effect.Effect<number, RbeeError<"CONFLICT" | "INVALID_REQUEST">> => {
  if (options.socket !== undefined) return takeOver(server, options.socket, options)
  const last = options.port === 0 ? 0 : Math.min(options.port + (options.portTries ?? 1) - 1, 65_535)
  const attempt = (port: number): Effect.Effect<AddressInfo, RbeeError<"CONFLICT">> =>
    Effect.catchAll(bind(server, { host: options.host, port }), (error) => {
      if (error.code === takenReason && port < last) return attempt(port + 1)
      return Effect.fail(bindError(error, options.host, options.port, last))
    })
  return Effect.map(attempt(options.port), ({ port }) => port)
}

/** Whoever opened it may have been told of another address: who is let in was judged by the settings' one. */
const takeOver = (server: NetServer, fd: number, { host, port }: ListenOptions) =>
  Effect.gen(function* () {
    yield* Effect.mapError(bind(server, { fd }), (error) => bindError(error, host, port, port))
    const held = server.address()
    // a name stands for either loopback address
    const isName = isIP(bare(host)) === 0 && isLoopback(host)
    const isHere = (address: string) => address === bare(host) || (isName && isLoopback(address))
    if (held !== null && typeof held !== "string" && held.port === port && isHere(held.address)) return port
    const what = held === null || typeof held === "string" ? "no address of a port" : urlOf(held.address, held.port)
    return yield* rbeeError(
      "INVALID_REQUEST",
      `the socket that was handed over is ${what}, and ${urlOf(host, port)} is what is set`,
      "Run `rbee service install` again"
    )
  })

const bind = (
  server: NetServer,
  at: { readonly host: string; readonly port: number } | { readonly fd: number }
): Effect.Effect<AddressInfo, NodeJS.ErrnoException> =>
  Effect.async((resume) => {
    const settle = () => server.removeListener("error", failed).removeListener("listening", listening)
    const failed = (error: NodeJS.ErrnoException) => {
      settle()
      resume(Effect.fail(error))
    }
    const listening = () => {
      settle()
      // later errors of a listening server (out of descriptors while accepting) pass; connections retry by themselves
      server.on("error", () => {})
      // a TCP server's address is never a string or null while it listens; of a socket that was handed over others judge
      resume(Effect.succeed(server.address() as AddressInfo))
    }
    server.on("error", failed).on("listening", listening).listen(at)
  })

const bindError = (error: NodeJS.ErrnoException, host: string, port: number, last: number): RbeeError<"CONFLICT"> => {
  const ports = last > port ? `ports ${port} to ${last}` : `port ${port}`
  const what =
    error.code === takenReason
      ? `${ports} on ${host} ${last > port ? "are" : "is"} already in use`
      : `cannot listen on ${host}, ${ports}: ${error.code ?? "unknown reason"}`
  return rbeeError("CONFLICT", what, "Stop what uses it, or configure another port", { host, port, reason: error.code })
}

/**
 * Stops accepting, waits within the graces, interrupts what is left, and closes every connection. Bounded by twice the
 * grace, whatever clients and handlers do.
 */
const close = (server: Server, open: ReadonlySet<Exchange>, graceMs: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const interrupt = (which: (exchange: Exchange) => boolean) => {
      for (const exchange of open) if (which(exchange)) exchange.interrupt()
    }
    // Without an answer under way the rest is connections that ask for nothing. Polled while a server ends, only then.
    const watch = setInterval(() => {
      if (open.size === 0) server.closeAllConnections()
    }, 10)
    const timers = [
      setTimeout(() => interrupt((exchange) => exchange.keepAlive !== undefined), Math.min(graceMs, streamGraceMs)),
      setTimeout(() => interrupt(() => true), graceMs),
      setTimeout(() => server.closeAllConnections(), graceMs * 2)
    ]
    server.close(() => {
      clearInterval(watch)
      for (const timer of timers) clearTimeout(timer)
      resume(Effect.void)
    })
  })
