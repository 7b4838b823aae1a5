/** What hives keep of conversations: told, and deleted. Of hives that are not there nothing is. */
import * as Effect from "effect/Effect"
import { scopeOf } from "../../../layers/keys/index.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"
import type { HiveApi } from "../../../protocol/hive.ts"
import type { QueenApi } from "../../../protocol/queen/index.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { CurrentQueen } from "../identity.ts"

/** What one hive may take to answer. */
const patience = "5 seconds"

/** Of all that answer: an older hive has no such call. */
const ofAll = <A, E>(ask: (api: HiveApi) => Effect.Effect<A, E>) =>
  Effect.flatMap(Cluster, (cluster) =>
    Effect.map(
      Effect.forEach(
        cluster.allHives(),
        ({ claimed, id: hive }) =>
          claimed === undefined
            ? Effect.succeed([])
            : ask(claimed.api).pipe(
                Effect.timeout(patience),
                Effect.tapError((error) => Effect.logWarning(`hive ${hive} was not heard about what it keeps`, error)),
                Effect.match({ onSuccess: (told) => [{ hive, ...told }], onFailure: () => [] })
              ),
        { concurrency: "unbounded" }
      ),
      (told) => told.flat()
    )
  )

/** Deletes what was kept for an account; returns the hives that did not hear of it. */
export const forgetAccount = (account: string): Effect.Effect<ReadonlyArray<HiveId>, never, Cluster | CurrentQueen> =>
  Effect.gen(function* () {
    const { id } = yield* CurrentQueen
    const told = yield* ofAll((api) => api.clearParked({ scope: scopeOf(account, id) }))
    const hives = (yield* Cluster).allHives().map((one) => one.id)
    return hives.filter((hive) => !told.some((one) => one.hive === hive))
  })

export const parkedCalls: Effect.Effect<Pick<QueenApi, "parked" | "clearParked">, never, Cluster> = Effect.gen(
  function* () {
    const context = yield* Effect.context<Cluster>()
    return {
      parked: () =>
        Effect.provide(
          ofAll((api) => api.parked({})),
          context
        ),
      clearParked: () =>
        Effect.provide(
          ofAll((api) => api.clearParked({})),
          context
        )
    }
  }
)
