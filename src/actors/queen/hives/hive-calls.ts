/** What a queen adds to every call of a hive: who she is, and that it ends with the hive. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Call, type EventFeed, mapCalls, type QueenStart } from "../../../protocol/endpoint.ts"
import type { HiveApi } from "../../../protocol/hive.ts"
import { HiveConnector } from "../../../layers/hive-connector/index.ts"
import { QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import type { RbeeError } from "../../../machines/errors.ts"

/** Names the queen that calls: a hive that belongs to another one, or to a later start of hers, refuses. */
const asQueen = (api: HiveApi, { id, epoch }: QueenStart): HiveApi =>
  mapCalls(api, (call) =>
    Effect.flatMap(Call, (info) => Effect.provideService(call, Call, { ...info, queen: { id, epoch } }))
  )

/** The hive at this address, as this queen calls it. */
export const hiveAt = (url: string): Effect.Effect<HiveApi, never, HiveConnector | QueenCatalog> =>
  Effect.zipWith(HiveConnector, QueenCatalog, ({ connect }, { identity }) => asQueen(connect(url), identity))

/**
 * A hive's interface for as long as the hive is there. Once it is lost its calls and streams break, also those under
 * way: a process that was stopped, or a machine that was cut off, would otherwise hold whoever waits for it.
 */
export const untilGone = (api: HiveApi, gone: Deferred.Deferred<never, RbeeError>): HiveApi => {
  const breaking = <A>(effect: Effect.Effect<A, RbeeError>) => Effect.raceFirst(effect, Deferred.await(gone))
  return mapCalls(api, (call) =>
    Effect.map(breaking(call), (answer) =>
      typeof answer === "function" ? (((sink) => breaking((answer as EventFeed)(sink))) satisfies EventFeed) : answer
    )
  )
}
