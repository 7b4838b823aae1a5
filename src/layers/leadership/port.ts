/**
 * The port is the lock: who has bound the queen's address leads. The system gives it back with the process, however that
 * ends, and keepers and hives find her where they look for her.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { RbeeError } from "../../machines/errors.ts"
import { Leadership, leadershipLost } from "./index.ts"

/** An address that was bound. */
export interface Bound {
  readonly url: string
  readonly port: number
  /** completes when nothing listens there any more; absent: that is the end of the process */
  readonly closed?: Effect.Effect<void>
}

/** `bind` takes the address until the scope closes, and answers there. */
export const layerPort = (
  bind: Effect.Effect<Bound, RbeeError<"CONFLICT" | "INVALID_REQUEST">, Scope.Scope>
): Layer.Layer<Leadership> =>
  Layer.succeed(Leadership, {
    lead: Effect.gen(function* () {
      const { closed, port, url } = yield* bind
      if (closed === undefined) return { url, port }
      let isGivenUp = false
      yield* Effect.addFinalizer(() => Effect.sync(() => void (isGivenUp = true)))
      const lost = Effect.flatMap(closed, () =>
        isGivenUp ? Effect.never : Effect.fail(leadershipLost(url, "nothing listens there any more"))
      )
      return { url, port, lost }
    })
  })
