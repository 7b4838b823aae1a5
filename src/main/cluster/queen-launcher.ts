/** The queen of this very process: there is nothing to launch, she is up as soon as she is asked for. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { RbeeError } from "../../machines/errors.ts"
import type { Health } from "../../machines/vocabulary/common.ts"
import { QueenLauncher } from "../../layers/queen-launcher/index.ts"

export interface OwnQueen {
  readonly url: string
  readonly health: Effect.Effect<Health, RbeeError>
  /** comes true when she has said goodbye */
  readonly ended: Effect.Effect<void>
}

/** `start` is run once, by the first who asks; what it opens closes with the layer. */
export const layerInProcess = <R>(
  url: string,
  start: Effect.Effect<OwnQueen, RbeeError, R>
): Layer.Layer<QueenLauncher, never, Exclude<R, Scope.Scope>> =>
  Layer.scoped(
    QueenLauncher,
    Effect.gen(function* () {
      const started = yield* Effect.cached(Effect.provide(start, yield* Effect.context<R | Scope.Scope>()))
      const health = Effect.flatMap(started, (queen) => queen.health)
      return {
        url,
        port: 0,
        find: health,
        wake: Effect.map(health, (found) => ({ health: found, woken: true })),
        gone: () =>
          started.pipe(
            Effect.flatMap((queen) => queen.ended),
            Effect.as(true),
            Effect.orElseSucceed(() => true)
          ),
        lost: Effect.succeed(undefined),
        hives: Effect.succeed([])
      }
    })
  )
