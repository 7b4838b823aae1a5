/** Step 5 of the flow (docs/design.md#the-flow): hives are asked for room, candidate by candidate, cheapest first. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ErrorOf } from "../../../protocol/endpoint.ts"
import type { hiveApi } from "../../../protocol/hive.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import { type Place, type PlacementRequest, withoutModel } from "../../../machines/policy/placement/placement.ts"
import { failureClassOf } from "../../../machines/policy/failure-class.ts"
import { type Amounts, type Candidate, Search } from "../../../machines/policy/placement/search.ts"
import { stillAsleep } from "../../../machines/policy/placement/sleepers.ts"
import type { Placement } from "../../../machines/vocabulary/job.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { WorkerId, HiveId } from "../../../machines/vocabulary/ids.ts"
import { fact } from "../../../machines/facts.ts"

/** A candidate that was asked and has no room, or cannot serve. */
export interface Full {
  readonly place: Place
  readonly error: RbeeError
}

export type Found =
  | { readonly _tag: "Found"; readonly candidate: Candidate; readonly placement: Placement }
  | {
      readonly _tag: "NoRoom"
      readonly full: ReadonlyArray<Full>
      readonly search: Search
    }
  | { readonly _tag: "Silent"; readonly hive: HiveId }
  /** none has room but one that is about to end: the next process of it may */
  | { readonly _tag: "Ending"; readonly hive: HiveId }

export interface Listener {
  /** its hive is about to be asked; false: it cannot be */
  readonly onPicked: (candidate: Candidate) => Effect.Effect<boolean>
  readonly onFull: (candidate: Candidate) => void
}

const amountsOf = (error: RbeeError): Amounts | undefined => {
  const [availableMb, requiredMb] = [fact(error, "available_mb"), fact(error, "required_mb")]
  if (availableMb === undefined || requiredMb === undefined) return undefined
  return { availableMb, requiredMb, mostMb: fact(error, "most_mb") }
}

const placementAt = (
  view: ClusterView,
  { device, hive }: Place,
  { losers, others }: Pick<Placement, "losers" | "others">
): Placement => ({
  hive,
  device,
  ...(view.gpu({ hive, device })?.declared === true ? { declared: true as const } : {}),
  losers: [...losers, ...stillAsleep(view.sleepers())],
  ...(others === undefined || others.length === 0 ? {} : { others })
})

/** A slot of a worker that has the model: everywhere else it would have to be loaded. */
export const residentPlacement = (
  view: ClusterView,
  at: Place,
  worker: WorkerId,
  losers: Placement["losers"]
): Placement => ({
  ...placementAt(view, at, { losers, others: withoutModel(view.fleet, at, losers) }),
  worker
})

/** Why a hive has no word on its room. */
export type NoAdvice = ErrorOf<(typeof hiveApi)["capacity"]>

/** Changes nothing: room is advice until a worker is started. Fails where another place would not help either. */
export const probeCapacity = (
  view: ClusterView,
  request: PlacementRequest,
  excluded: ReadonlyArray<Place>,
  { onFull, onPicked }: Listener
): Effect.Effect<Found, NoAdvice> =>
  Effect.gen(function* () {
    const full: Array<Full> = []
    let ending: HiveId | undefined
    const search = new Search(view.fleet, request, excluded, yield* Clock.currentTimeMillis)
    for (let candidate = search.next(); candidate !== undefined; candidate = search.next()) {
      const { device, hive } = candidate.device
      const api = view.hive(hive)?.claimed?.api
      if (api === undefined) return { _tag: "Silent", hive }
      if (!(yield* onPicked(candidate))) return { _tag: "Silent", hive }
      const evict = candidate.evict.map(({ worker }) => worker)
      const answer = yield* Effect.either(
        api.capacity({
          device,
          model: request.model,
          ...(request.context === undefined ? {} : { context: request.context }),
          ...request.setup,
          ...(evict.length === 0 ? {} : { evict: evict.join(",") })
        })
      )
      if (answer._tag === "Right") {
        const losers = [...search.losers, ...search.passedOver(candidate)]
        const placement: Placement = {
          ...placementAt(view, candidate.device, { losers, others: search.notLookedAt(candidate) }),
          expected_s: Math.round(candidate.seconds * 100) / 100,
          ...(evict.length === 0 ? {} : { evicted: evict })
        }
        return { _tag: "Found", candidate, placement }
      }
      const error = answer.left
      if (error.code === "CONNECTION_TIMEOUT") return { _tag: "Silent", hive }
      if (error.code === "SHUTTING_DOWN") {
        ending ??= hive
        search.refused(candidate, error.what, undefined)
        continue
      }
      if (failureClassOf(error) !== "candidate") return yield* error
      if (error.code === "VRAM_EXHAUSTED") onFull(candidate)
      search.refused(candidate, error.what, error.code === "VRAM_EXHAUSTED" ? amountsOf(error) : undefined)
      full.push({ place: candidate.device, error })
    }
    return ending === undefined ? { _tag: "NoRoom", full, search } : { _tag: "Ending", hive: ending }
  })
