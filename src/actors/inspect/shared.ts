/** One trunk for all who watch the same, which runs as long as there is one. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as RcMap from "effect/RcMap"
import type * as Scope from "effect/Scope"
import type { EventFeed } from "../../protocol/endpoint.ts"
import type { RedactOptions } from "./redact.ts"
import { Trunk } from "./trunk.ts"

/** A feed for each who asks. */
export type Inspect = (options: RedactOptions) => EventFeed

/** `fill` puts records into the trunk until it is interrupted; it begins with a header. */
export const makeInspect = <R>(
  daemon: string,
  fill: (trunk: Trunk, options: RedactOptions) => Effect.Effect<unknown, never, R>
): Effect.Effect<Inspect, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<R>()
    const trunks = yield* RcMap.make({
      lookup: (contents: boolean) =>
        Effect.gen(function* () {
          const trunk = new Trunk(daemon)
          const work = Effect.all([fill(trunk, { contents }), trunk.pour], { concurrency: "unbounded", discard: true })
          return { trunk, fiber: yield* Effect.forkScoped(Effect.provide(work, context)) }
        })
    })
    return ({ contents }) =>
      (sink) =>
        Effect.gen(function* () {
          const { fiber, trunk } = yield* RcMap.get(trunks, contents)
          yield* Effect.raceFirst(trunk.read(sink), Fiber.join(fiber))
        }).pipe(Effect.scoped)
  })
