/**
 * The daemons of one process, by url: what a port is to HTTP. A daemon that ends takes its calls and streams with it.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { Ids } from "../../ids/index.ts"
import type { EventFeed } from "../../../protocol/answers.ts"
import type { Api, Handlers } from "../../../protocol/endpoint.ts"
import { clientOf, gone, type Handler, inProcess } from "./client.ts"

/** What is under way when a daemon ends has this time, in milliseconds; as over HTTP. */
const callGraceMs = 500
const streamGraceMs = 100

interface Station {
  readonly handlers: Readonly<Record<string, Handler>>
  readonly calls: UnderWay
  readonly streams: UnderWay
}

/** What of a daemon is under way, and what happens when it ends. */
interface UnderWay {
  /** completes when nothing goes on any more */
  readonly over: Deferred.Deferred<void>
  count: number
  /** what to do when the last one is done */
  onIdle: (() => void) | undefined
}

const makeUnderWay = Effect.map(Deferred.make<void>(), (over): UnderWay => ({ over, count: 0, onIdle: undefined }))

export { inProcess } from "./client.ts"

export class InProcessNetwork extends Context.Tag("rbee/InProcessNetwork")<
  InProcessNetwork,
  {
    /**
     * Reachable under `url` until the scope closes. Then calls under way have 500 ms before they fail with
     * SHUTTING_DOWN, and streams break. CONFLICT: the url is taken.
     */
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
            return Effect.map(Effect.all([makeUnderWay, makeUnderWay]), ([calls, streams]): Station => {
              // the handlers' inputs differ by endpoint; each gets what its own schema decoded
              const own = inProcess(api, handlers, options) as Station["handlers"]
              const station: Station = { handlers: own, calls, streams }
              stations.set(url, station)
              return station
            })
          }),
          (station) =>
            Effect.suspend(() => {
              stations.delete(url)
              return Effect.all([end(station.streams, streamGraceMs), end(station.calls, callGraceMs)], {
                concurrency: "unbounded",
                discard: true
              })
            })
        ).pipe(Effect.asVoid),
      connect: (url, api) =>
        clientOf(api, (wire) => (input) => {
          const station = stations.get(url)
          const handler = station?.handlers[wire.name]
          if (station === undefined || handler === undefined) {
            return Effect.fail(gone("nothing listens there", "ECONNREFUSED", url))
          }
          const call = during(station.calls, handler(input), shuttingDown)
          return Effect.map(call, (output) => wire.withFeed(output, (feed) => ending(station, url, feed)))
        })
    }
  })
)

/** Waits for what is under way, within the grace, and ends what is left. */
const end = (what: UnderWay, graceMs: number): Effect.Effect<void> => {
  const idle =
    what.count === 0
      ? Effect.void
      : Effect.async<void>((resume) => {
          what.onIdle = () => resume(Effect.void)
        })
  // a finalizer is uninterruptible, and then a timeout would wait for what it should end
  const bounded = Effect.timeoutOption(Effect.interruptible(idle), graceMs)
  return Effect.zipRight(bounded, Deferred.succeed(what.over, undefined))
}

/** Runs something that fails with `error` when it is ended. */
const during = <A>(
  what: UnderWay,
  effect: Effect.Effect<A, RbeeError>,
  error: () => RbeeError
): Effect.Effect<A, RbeeError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      what.count++
    }),
    () =>
      Effect.raceFirst(
        effect,
        Effect.flatMap(Deferred.await(what.over), () => Effect.fail(error()))
      ),
    () =>
      Effect.sync(() => {
        what.count--
        if (what.count === 0) what.onIdle?.()
      })
  )

const shuttingDown = () => rbeeError("SHUTTING_DOWN", "this daemon is ending", "Try again in a moment")

/** A stream that breaks when its daemon ends. */
const ending =
  (station: Station, url: string, feed: EventFeed): EventFeed =>
  (sink) =>
    during(station.streams, feed(sink), () => gone("it broke the connection", "ECONNRESET", url))
