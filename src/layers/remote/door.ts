/** Where hives of other machines reach the queen without a tunnel: addresses of hers on which she listens for them alone. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { RbeeError } from "../../machines/errors.ts"
import type { Bound } from "../api/http-server.ts"

export class QueenDoor extends Context.Tag("rbee/QueenDoor")<
  QueenDoor,
  {
    /** From now on that hive reaches her at this address with this token; gives her url there. */
    readonly open: (
      hive: string,
      address: string,
      token: string
    ) => Effect.Effect<string, RbeeError<"CONFLICT" | "INVALID_REQUEST">>
  }
>() {}

/** `serve` listens on an address, for those who show one of these tokens. */
export const layerDoor = (
  serve: (
    address: string,
    tokens: () => Iterable<string>
  ) => Effect.Effect<Bound, RbeeError<"CONFLICT" | "INVALID_REQUEST">, Scope.Scope>
): Layer.Layer<QueenDoor> =>
  Layer.scoped(
    QueenDoor,
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const one = yield* Effect.makeSemaphore(1)
      const tokens = new Map<string, string>()
      const urls = new Map<string, string>()
      return {
        open: (hive, address, token) =>
          Effect.gen(function* () {
            tokens.set(hive, token)
            const known = urls.get(address)
            if (known !== undefined) return known
            const { url } = yield* serve(address, () => tokens.values()).pipe(Scope.extend(scope))
            urls.set(address, url)
            return url
          }).pipe(one.withPermits(1))
      }
    })
  )
