/** Where hives of other machines reach the queen: listeners for them alone, on which she is asked for little. */
import type { Duplex } from "node:stream"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { RbeeError } from "../../machines/errors.ts"
import type { Bound } from "../transport/http/server/server.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

export class DirectListener extends Context.Tag("rbee/DirectListener")<
  DirectListener,
  {
    /** Takes the streams of that hive's tunnel. */
    readonly channel: (hive: HiveId) => Effect.Effect<(stream: Duplex) => void>
    /** From now on hives reach her at this address; gives her url there. */
    readonly open: (address: string) => Effect.Effect<string, RbeeError<"CONFLICT" | "INVALID_REQUEST">>
  }
>() {}

export interface DirectListenerOptions {
  /** Listens on an address. */
  readonly serve: (
    address: string
  ) => Effect.Effect<Pick<Bound, "port" | "url">, RbeeError<"CONFLICT" | "INVALID_REQUEST">, Scope.Scope>
  /** Serves one hive over streams. */
  readonly serveOne: (hive: HiveId) => Effect.Effect<(stream: Duplex) => void, never, Scope.Scope>
}

export const layerDirectListener = ({ serve, serveOne }: DirectListenerOptions): Layer.Layer<DirectListener> =>
  Layer.scoped(
    DirectListener,
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const one = yield* Effect.makeSemaphore(1)
      const urls = new Map<string, string>()
      const channels = new Map<string, (stream: Duplex) => void>()
      return {
        channel: (hive) =>
          Effect.gen(function* () {
            const known = channels.get(hive)
            if (known !== undefined) return known
            const made = yield* serveOne(hive).pipe(Scope.extend(scope))
            channels.set(hive, made)
            return made
          }).pipe(one.withPermits(1)),
        open: (address) =>
          Effect.gen(function* () {
            const known = urls.get(address)
            if (known !== undefined) return known
            const { url } = yield* serve(address).pipe(Scope.extend(scope))
            urls.set(address, url)
            return url
          }).pipe(one.withPermits(1))
      }
    })
  )
