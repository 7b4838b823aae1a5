/**
 * A call within the process, with the meaning of HTTP: inputs and answers are encoded and decoded on the way, errors
 * travel in the envelope, a bug is INTERNAL. So that splitting a process into two cannot surprise.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { Ids } from "../ids/index.ts"
import { withDeadline } from "./call.ts"
import { type Api, Call, type EventFeed, type Handlers, type Reply } from "./endpoint.ts"
import { tooLarge, type Wire, wiresOf } from "./wire.ts"
import { decodeError, encodeError, internalError } from "./wire-error.ts"

type Handler = (input: unknown) => Effect.Effect<unknown, RbeeError>

export interface InProcessOptions {
  /** makes the correlation id of a call that has none; absent: it stays without */
  readonly correlationId?: Effect.Effect<string> | undefined
}

/** A client of handlers in this process. */
export const inProcess = <A extends Api>(
  api: A,
  handlers: Handlers<A>,
  options: InProcessOptions = {}
): Handlers<A> => {
  // the handlers' inputs differ by endpoint; each gets what its own schema decoded
  const byName = handlers as Readonly<Record<string, Handler>>
  return clientOf(api, (wire) => through(wire, byName[wire.name], options))
}

const clientOf = <A extends Api>(api: A, handlerOf: (wire: Wire) => Handler): Handlers<A> =>
  // built from the same declarations that the type is computed from
  Object.fromEntries(wiresOf(api).map((wire) => [wire.name, handlerOf(wire)])) as Handlers<A>

const through =
  (wire: Wire, handler: Handler | undefined, options: InProcessOptions): Handler =>
  (input) =>
    Effect.gen(function* () {
      const parts = yield* wire.split(input)
      if (parts.body !== undefined && Buffer.byteLength(parts.body) > wire.maxBytes)
        return yield* tooLarge(wire.maxBytes)
      const decoded = yield* wire.join(parts)
      if (handler === undefined) return yield* Effect.dieMessage(`nobody answers ${wire.name}`)
      const { correlationId: given, deadline } = yield* Call
      const correlationId = given ?? (options.correlationId === undefined ? undefined : yield* options.correlationId)
      const output = yield* withDeadline(
        Effect.suspend(() => handler(decoded)),
        deadline
      ).pipe(Effect.provideService(Call, { correlationId, deadline }))
      return yield* answerOf(wire, output)
    }).pipe(hideDefects, Effect.mapError(overTheWire))

/** A bug of the handler is INTERNAL to its caller, and is logged here, as a daemon would. */
const hideDefects = <A>(effect: Effect.Effect<A, RbeeError>): Effect.Effect<A, RbeeError> =>
  Effect.catchAllDefect(effect, (defect) =>
    Effect.zipRight(Effect.logError("a handler died", Cause.die(defect)), Effect.fail(internalError()))
  )

const overTheWire = (error: RbeeError): RbeeError =>
  decodeError(JSON.parse(encodeError(error, undefined))) ?? internalError()

const answerOf = (wire: Wire, output: unknown): Effect.Effect<unknown, RbeeError> => {
  switch (wire.endpoint.kind) {
    case "events":
      // an events endpoint's handler gives a feed (Handlers in endpoint.ts)
      return Effect.succeed(breakable(output as EventFeed))
    case "reply":
      return replyOf(output as Reply)
    case "json":
      return Effect.suspend(() => {
        const decoded = wire.decodeAnswer(wire.encodeAnswer(output).body)
        return decoded === undefined
          ? Effect.dieMessage(`the answer of ${wire.name} is not what it declares`)
          : Effect.succeed(decoded.value)
      })
  }
}

const replyOf = (reply: Reply): Effect.Effect<Reply, RbeeError> => {
  if (reply._tag === "Events") return Effect.succeed({ _tag: "Events", feed: breakable(reply.feed) })
  if (reply._tag === "Text") return Effect.succeed(reply)
  return Effect.suspend(() => {
    const text = JSON.stringify(reply.body)
    const body: unknown = text === undefined ? undefined : JSON.parse(text)
    const error = reply.status >= 400 ? decodeError(body) : undefined
    return error === undefined ? Effect.succeed<Reply>({ ...reply, body }) : Effect.fail(error)
  })
}

const gone = (why: string, reason: string, peer: string): RbeeError<"CONNECTION_TIMEOUT"> =>
  rbeeError("CONNECTION_TIMEOUT", `no connection to ${peer}: ${why}`, "Check that the daemon runs there", {
    peer,
    reason
  })

/** A source that fails is a broken connection to its reader, whatever broke. */
const breakable =
  (feed: EventFeed): EventFeed =>
  (sink) =>
    Effect.suspend(() => feed(sink)).pipe(
      Effect.catchAllDefect((defect) =>
        Effect.zipRight(Effect.logError("a feed died", Cause.die(defect)), Effect.fail(internalError()))
      ),
      Effect.mapError(() => gone("it broke the connection", "BROKEN", "this process"))
    )

interface Station {
  readonly handlers: Readonly<Record<string, Handler>>
  /** fails when the station is gone */
  readonly down: Deferred.Deferred<never, RbeeError>
}

/** The daemons of one process, by url: what a port is to HTTP. */
export class InProcessNetwork extends Context.Tag("rbee/InProcessNetwork")<
  InProcessNetwork,
  {
    /** Reachable under `url` until the scope closes; then calls and streams under way break. CONFLICT: it is taken. */
    readonly listen: <A extends Api>(
      url: string,
      api: A,
      handlers: Handlers<A>
    ) => Effect.Effect<void, RbeeError<"CONFLICT">, Scope.Scope>
    /** A client; whether somebody is there shows at each call, as CONNECTION_TIMEOUT. */
    readonly connect: <A extends Api>(url: string, api: A) => Handlers<A>
  }
>() {}

/** `in-process://hive/localhost` */
export const inProcessUrl = (role: string, id: string): string => `in-process://${role}/${id}`

export const layerInProcessNetwork: Layer.Layer<InProcessNetwork, never, Ids> = Layer.effect(
  InProcessNetwork,
  Effect.map(Ids, (ids) => {
    const stations = new Map<string, Station>()
    const options = { correlationId: ids.make("call") }
    return {
      listen: (url, api, handlers) =>
        Effect.acquireRelease(
          Effect.suspend(() => {
            if (stations.has(url)) return Effect.fail(rbeeError("CONFLICT", `${url} is already in use`, "", { url }))
            return Effect.map(Deferred.make<never, RbeeError>(), (down): Station => {
              // see `inProcess`
              const station = { handlers: inProcess(api, handlers, options) as Station["handlers"], down }
              stations.set(url, station)
              return station
            })
          }),
          (station) =>
            Effect.suspend(() => {
              if (stations.get(url) === station) stations.delete(url)
              return Deferred.fail(station.down, gone("it broke the connection", "ECONNRESET", url))
            })
        ).pipe(Effect.asVoid),
      connect: (url, api) =>
        clientOf(api, (wire) => (input) => {
          const station = stations.get(url)
          const handler = station?.handlers[wire.name]
          if (station === undefined || handler === undefined) {
            return Effect.fail(gone("nothing listens there", "ECONNREFUSED", url))
          }
          const breaking = <B>(effect: Effect.Effect<B, RbeeError>) =>
            Effect.raceFirst(effect, Deferred.await(station.down))
          const breakingFeed =
            (feed: EventFeed): EventFeed =>
            (sink) =>
              breaking(feed(sink))
          return Effect.map(breaking(handler(input)), (output) => {
            // events and reply endpoints: see `answerOf`
            if (wire.endpoint.kind === "events") return breakingFeed(output as EventFeed)
            if (wire.endpoint.kind !== "reply") return output
            const reply = output as Reply
            return reply._tag === "Events" ? { ...reply, feed: breakingFeed(reply.feed) } : reply
          })
        })
    }
  })
)
