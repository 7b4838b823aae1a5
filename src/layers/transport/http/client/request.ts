/** One HTTP request to a peer, as an Effect that aborts it when interrupted. */
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"
import { showing } from "../../../../protocol/surfaces/surface.ts"

export interface Peer {
  /** "127.0.0.1:8500" */
  readonly name: string
  readonly host: string
  readonly port: number
  /** path of a Unix socket that leads there; host and port are only its name then */
  readonly socketPath?: string
  /** path before every target, without a slash at its end */
  readonly prefix: string
  readonly agent: Agent
  /** of each call */
  readonly headers: () => Readonly<Record<string, string>>
}

export interface Request {
  readonly method: "GET" | "POST" | "DELETE"
  readonly path: string
  readonly headers: Readonly<Record<string, string | number>>
  /** in pieces: sent without a length */
  readonly body: string | Iterable<string> | undefined
}

/** A head that came in; its body is still to be read. */
export interface Answer {
  readonly response: IncomingMessage
}

export const peerOf = (
  baseUrl: string,
  tokenNow: () => string | undefined,
  way?: { readonly agent: Agent; readonly name: string }
): Either.Either<Peer, RbeeError<"INVALID_REQUEST">> => {
  const headers = (): Readonly<Record<string, string>> => {
    const token = tokenNow()
    return token === undefined ? {} : showing(token)
  }
  const agent = way?.agent ?? new Agent({ keepAlive: true, scheduling: "lifo" })
  if (baseUrl.startsWith("unix:/")) {
    const socketPath = baseUrl.slice("unix:".length)
    return Either.right({ name: baseUrl, host: "localhost", port: 80, socketPath, prefix: "", agent, headers })
  }
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url === undefined || url.protocol !== "http:") {
    return Either.left(rbeeError("INVALID_REQUEST", "a daemon's url looks like http://host:port"))
  }
  return Either.right({
    name: way?.name ?? url.host,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 80 : Number(url.port),
    prefix: url.pathname.replace(/\/$/, ""),
    agent,
    headers
  })
}

const connectMs = 5000
/** what an answer that is not a stream may weigh: far above every list, far below what could hurt */
const maxAnswerBytes = 256 * 1024 * 1024

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it broke the connection",
  EPIPE: "it broke the connection",
  ENOTFOUND: "the name is unknown",
  EAI_AGAIN: "the name cannot be resolved now",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  ETIMEDOUT: "it does not answer"
}

/** `reason` is a code of Node ("ECONNREFUSED") or one of ours ("TIMEOUT", "SILENT", "BROKEN"). */
export const unreachable = (
  peer: Pick<Peer, "name">,
  reason: string,
  why = reasons[reason]
): RbeeError<"CONNECTION_TIMEOUT"> =>
  rbeeError(
    "CONNECTION_TIMEOUT",
    `no connection to ${peer.name}: ${why ?? reason}`,
    "Check that the daemon runs there",
    { peer: peer.name, reason }
  )

/** Something answers, but it is no daemon of ours, or one of another version. */
export const notOurs = (peer: Pick<Peer, "name">, call: string, status: number): RbeeError<"INTERNAL"> =>
  rbeeError("INTERNAL", `what ${peer.name} answered to ${call} is not understood`, "Is this an rbee daemon?", {
    peer: peer.name,
    reason: "not_understood",
    http_status: status
  })

/** Sends and waits for the head. A connection that had gone stale is tried once more where that cannot do a thing twice. */
export const send = (peer: Peer, request: Request, timeoutMs: number): Effect.Effect<Answer, RbeeError> =>
  Effect.catchIf(attempt(peer, request, timeoutMs), isStale, (stale) =>
    request.method === "POST"
      ? Effect.fail(stale.error)
      : Effect.catchIf(attempt(peer, request, timeoutMs), isStale, (again) => Effect.fail(again.error))
  )

interface Stale {
  readonly _tag: "Stale"
  readonly error: RbeeError<"CONNECTION_TIMEOUT">
}
const isStale = (error: RbeeError | Stale): error is Stale => error._tag === "Stale"

const attempt = (peer: Peer, request: Request, timeoutMs: number): Effect.Effect<Answer, RbeeError | Stale> =>
  Effect.async((resume) => {
    const headers: Record<string, string | number> = { ...request.headers }
    if (request.body !== undefined) {
      headers["Content-Type"] = "application/json"
      if (typeof request.body === "string") headers["Content-Length"] = Buffer.byteLength(request.body)
    } else if (request.method === "POST") headers["Content-Length"] = 0
    const sent = httpRequest({
      host: peer.host,
      port: peer.port,
      ...(peer.socketPath === undefined ? {} : { socketPath: peer.socketPath }),
      agent: peer.agent,
      method: request.method,
      path: request.path,
      headers
    })
    const timer = setTimeout(() => fail(unreachable(peer, "TIMEOUT", `no answer within ${timeoutMs} ms`)), timeoutMs)
    const stopConnectTimer = limitConnect(sent, () =>
      fail(unreachable(peer, "TIMEOUT", `no connection within ${connectMs} ms`))
    )
    const settle = () => {
      clearTimeout(timer)
      stopConnectTimer()
      // an abort, or a late reset, must not become an uncaught exception
      sent
        .removeAllListeners("response")
        .removeAllListeners("error")
        .on("error", () => {})
    }
    const fail = (error: RbeeError | Stale) => {
      settle()
      sent.destroy()
      resume(Effect.fail(error))
    }
    sent.on("response", (response) => {
      settle()
      resume(Effect.succeed({ response }))
    })
    sent.on("error", (error: NodeJS.ErrnoException) => {
      const code = error.code ?? "BROKEN"
      const broken = code.startsWith("HPE_") ? notOurs(peer, request.method, 0) : unreachable(peer, code)
      const stale = sent.reusedSocket && (code === "ECONNRESET" || code === "EPIPE")
      fail(stale && broken.code === "CONNECTION_TIMEOUT" ? { _tag: "Stale", error: unreachable(peer, code) } : broken)
    })
    if (typeof request.body === "object") sendPieces(sent, request.body)
    else sent.end(request.body)
    return Effect.sync(() => {
      settle()
      sent.destroy()
    })
  })

/** A piece a turn of the event loop, as fast as they are taken. */
const sendPieces = (sent: ClientRequest, pieces: Iterable<string>): void => {
  const rest = pieces[Symbol.iterator]()
  const next = (): void => {
    // the peer has answered already, or is not waited for any more
    if (sent.destroyed || sent.writableEnded) return
    const { done, value } = rest.next()
    if (done === true) sent.end()
    else if (sent.write(value)) setImmediate(next)
    else sent.once("drain", () => setImmediate(next))
  }
  next()
}

/** A host that swallows packets would hold a connect for two minutes. */
const limitConnect = (sent: ClientRequest, onTimeout: () => void): (() => void) => {
  let timer: NodeJS.Timeout | undefined
  const stop = () => clearTimeout(timer)
  sent.once("socket", (socket) => {
    if (!socket.connecting) return
    timer = setTimeout(onTimeout, connectMs)
    socket.once("connect", stop)
  })
  return stop
}

/** The whole body of an answer. */
export const readText = (response: IncomingMessage, peer: Peer, timeoutMs: number): Effect.Effect<string, RbeeError> =>
  Effect.async((resume) => {
    const chunks: Array<Buffer> = []
    let bytes = 0
    const fail = (error: RbeeError) => {
      clearTimeout(timer)
      response.destroy()
      resume(Effect.fail(error))
    }
    const timer = setTimeout(() => fail(unreachable(peer, "TIMEOUT", `no end within ${timeoutMs} ms`)), timeoutMs)
    response.on("data", (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > maxAnswerBytes) fail(notOurs(peer, "a call", response.statusCode ?? 0))
    })
    response.on("end", () => {
      clearTimeout(timer)
      resume(Effect.succeed(Buffer.concat(chunks).toString("utf8")))
    })
    response.on("error", () => fail(unreachable(peer, "BROKEN", "it broke the connection")))
    return Effect.sync(() => {
      clearTimeout(timer)
      response.destroy()
    })
  })
