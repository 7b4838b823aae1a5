/**
 * A hive's interface for as long as the hive is there. Once it is lost its calls and streams break, also those under
 * way: a process that was stopped, or a machine that was cut off, would otherwise hold whoever waits for it.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../layers/api/endpoint.ts"
import type { HiveApi } from "../../layers/hive-api/index.ts"
import type { RbeeError } from "../../machines/errors.ts"

type Call = (input: never) => Effect.Effect<unknown, RbeeError>

export const untilGone = (api: HiveApi, gone: Deferred.Deferred<never, RbeeError>): HiveApi => {
  const breaking = <A>(effect: Effect.Effect<A, RbeeError>) => Effect.raceFirst(effect, Deferred.await(gone))
  const bound = Object.entries(api).map(([name, call]): readonly [string, Call] => [
    name,
    // each handler takes what its own endpoint declares; here it is only passed on
    (input) =>
      Effect.map(breaking((call as Call)(input)), (answer) =>
        typeof answer === "function" ? (((sink) => breaking((answer as EventFeed)(sink))) satisfies EventFeed) : answer
      )
  ])
  // the same names with the same meaning
  return Object.fromEntries(bound) as HiveApi
}
