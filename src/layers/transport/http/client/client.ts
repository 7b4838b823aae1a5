/**
 * A client of an interface over HTTP/1.1: one object with the same shape as the handlers on the other side, one pool
 * of keep-alive connections per peer. Interrupting a call aborts its request.
 */
import type { Agent } from "node:http"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type { RbeeError } from "../../../../machines/errors.ts"
import { callHeaders } from "../../../../protocol/call.ts"
import { type Api, Call, type Handlers } from "../../../../protocol/endpoint.ts"
import { feedOf } from "./feed.ts"
import { type Answer, notOurs, type Peer, peerOf, readText, send } from "./request.ts"
import { keepAliveMs } from "../../../../protocol/sse.ts"
import { compile, type Wire } from "../../../../protocol/wire/wire.ts"
import type { Received } from "../../../../protocol/wire/answer.ts"
import { decodeError } from "../../../../protocol/wire/error.ts"

/** Another way to a peer than a connection to the host of its url. */
export interface HttpWay {
  /** what the peer takes for its own url */
  readonly baseUrl: string
  readonly agent: Agent
  /** for messages */
  readonly name: string
}

export interface HttpClientOptions {
  /** `http://host:port`, perhaps with a path before the interface's own, or `unix:/path/of/socket` */
  readonly baseUrl: string
  readonly way?: HttpWay | undefined
  /** what is shown; a function is asked for each call */
  readonly token?: string | (() => string | undefined) | undefined
  /** until the head of an answer, milliseconds; absent: 60 000. Streams are bounded by silence instead */
  readonly timeoutMs?: number | undefined
  /** a stream that is silent this long is broken, milliseconds; absent: 45 000, three missed keep-alive comments */
  readonly silenceMs?: number | undefined
}

interface Limits {
  readonly timeoutMs: number
  readonly silenceMs: number
}

const defaultTimeoutMs = 60_000

/** The errors of a peer arrive as they were; a peer that cannot be reached or falls silent is CONNECTION_TIMEOUT. */
export const makeHttpClient = <A extends Api>(api: A, options: HttpClientOptions): Handlers<A> => {
  const { token, way } = options
  const peer = peerOf(way?.baseUrl ?? options.baseUrl, typeof token === "function" ? token : () => token, way)
  const limits = { timeoutMs: options.timeoutMs ?? defaultTimeoutMs, silenceMs: options.silenceMs ?? 3 * keepAliveMs }
  const calls: Record<string, (input: unknown) => Effect.Effect<unknown, RbeeError>> = {}
  for (const [name, endpoint] of Object.entries(api)) {
    let wire: Wire | undefined
    calls[name] = (input) =>
      Effect.suspend(() => {
        wire ??= compile(name, endpoint)
        return call(wire, peer, limits, input)
      })
  }
  // built from the same declarations that the type is computed from
  return calls as Handlers<A>
}

const call = (
  wire: Wire,
  peer: Either.Either<Peer, RbeeError>,
  limits: Limits,
  input: unknown
): Effect.Effect<unknown, RbeeError> =>
  Effect.gen(function* () {
    const at = yield* peer
    const parts = yield* wire.split(input)
    const headers: Record<string, string | number> = { Accept: wire.accepts, ...at.headers() }
    Object.assign(headers, parts.headers, callHeaders(yield* Call))
    const request = { method: wire.endpoint.method, path: at.prefix + wire.target(parts), headers, body: parts.body }
    const answer = yield* send(at, request, limits.timeoutMs)
    return yield* understand(wire, at, answer, limits)
  })

const understand = (
  wire: Wire,
  peer: Peer,
  { response }: Answer,
  limits: Limits
): Effect.Effect<unknown, RbeeError> => {
  const status = response.statusCode ?? 0
  const type = response.headers["content-type"] ?? ""
  const { headers } = response
  const output = (received: Received): Effect.Effect<unknown, RbeeError> => {
    const decoded = wire.decodeAnswer(received)
    return decoded === undefined ? Effect.fail(notOurs(peer, wire.name, status)) : Effect.succeed(decoded.output)
  }
  const { streams } = wire
  if (status < 300 && streams !== undefined && type.startsWith(streams.type)) {
    return Effect.flatMap(feedOf(response, peer, limits.silenceMs, streams.ends), (feed) =>
      output({ _tag: "Events", feed, headers })
    )
  }
  return Effect.flatMap(readText(response, peer, limits.timeoutMs), (body) => {
    const error = status >= 400 && type.startsWith("application/json") ? decodeError(parseJson(body)) : undefined
    return error === undefined ? output({ _tag: "Body", status, type, body, headers }) : Effect.fail(wire.held(error))
  })
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
