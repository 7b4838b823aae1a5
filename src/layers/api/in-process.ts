/**
 * The daemons of one process, by url: what a port is to HTTP. A daemon that ends takes its calls and streams with it.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { Ids } from "../ids/index.ts"
import type { Api, EventFeed, Handlers, Reply } from "./endpoint.ts"
import { clientOf, gone, type Handler, inProcess } from "./in-process-client.ts"

/** Under way when a daemon ends, calls have this time, in milliseconds; as over HTTP. */
const graceMs = 500

interface Station {
  readonly handlers: Readonly<Record<string, Handler>>
  /** answers when the daemon has ended */
  readonly down: Deferred.Deferred<void>
  /** calls under way */
  calls: number
  /** what to do when the last call is answered */
  onIdle: (() => void) | undefined
}

export { inProcess } from "./in-process-client.ts"

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
            return Effect.map(Deferred.make<void>(), (down): Station => {
              const station: Station = {
                // the handlers' inputs differ by endpoint; each gets what its own schema decoded
                handlers: inProcess(api, handlers, options) as Station["handlers"],
                down,
                calls: 0,
                onIdle: undefined
              }
              stations.set(url, station)
              return station
            })
          }),
          (station) =>
            Effect.suspend(() => {
              stations.delete(url)
              return Effect.zipRight(idle(station), Deferred.succeed(station.down, undefined))
            })
        ).pipe(Effect.asVoid),
      connect: (url, api) =>
        clientOf(api, (wire) => (input) => {
          const station = stations.get(url)
          const handler = station?.handlers[wire.name]
          if (station === undefined || handler === undefined) {
            return Effect.fail(gone("nothing listens there", "ECONNREFUSED", url))
          }
          return Effect.map(during(station, handler(input)), (output) => {
            // events and reply endpoints: their handlers' types say so (Handlers in endpoint.ts)
            if (wire.endpoint.kind === "events") return ending(station, url, output as EventFeed)
            if (wire.endpoint.kind !== "reply") return output
            const reply = output as Reply
            return reply._tag === "Events" ? { ...reply, feed: ending(station, url, reply.feed) } : reply
          })
        })
    }
  })
)

/** Waits for the calls under way, within the grace. */
const idle = (station: Station): Effect.Effect<void> =>
  station.calls === 0
    ? Effect.void
    : Effect.async<void>((resume) => {
        station.onIdle = () => resume(Effect.void)
        // a finalizer is uninterruptible, and then a timeout waits for what it should end
      }).pipe(Effect.interruptible, Effect.timeoutOption(graceMs), Effect.asVoid)

const during = <A>(station: Station, call: Effect.Effect<A, RbeeError>): Effect.Effect<A, RbeeError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      station.calls++
    }),
    () =>
      Effect.raceFirst(
        call,
        Effect.flatMap(Deferred.await(station.down), () =>
          Effect.fail(rbeeError("SHUTTING_DOWN", "this daemon is ending", "Try again in a moment"))
        )
      ),
    () =>
      Effect.sync(() => {
        station.calls--
        if (station.calls === 0) station.onIdle?.()
      })
  )

/** A stream that breaks when its daemon ends. */
const ending =
  (station: Station, url: string, feed: EventFeed): EventFeed =>
  (sink) =>
    Effect.raceFirst(
      feed(sink),
      Effect.flatMap(Deferred.await(station.down), () =>
        Effect.fail(gone("it broke the connection", "ECONNRESET", url))
      )
    )
