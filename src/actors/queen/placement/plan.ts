/** A dry run of placing: the same decision from the same view; hives are only asked for advice. */
import * as Effect from "effect/Effect"
import { sentence } from "../../../machines/errors.ts"
import { decide, type PlacementRequest } from "../../../machines/policy/placement/placement.ts"
import type { PlanRequest, PlanView } from "../../../machines/vocabulary/plan.ts"
import { Cluster, type ClusterView } from "../cluster/cluster-view.ts"
import { noPlace } from "./no-place.ts"
import { type Found, type NoAdvice, probeCapacity, residentPlacement } from "./capacity-probe.ts"
import { deviceNamed, type ModelRef } from "../../../machines/vocabulary/ids.ts"

const silent = { onPicked: () => {}, onFull: () => {} }

export const planOf = (
  waiting: number,
  /** its model by its reference */
  { allow_cpu, context, device, hive, model }: PlanRequest & { readonly model: ModelRef }
): Effect.Effect<PlanView, NoAdvice, Cluster> =>
  Effect.gen(function* () {
    const view = yield* Cluster
    const request: PlacementRequest = {
      model,
      hive,
      device: device === undefined ? undefined : deviceNamed(device),
      allowCpu: allow_cpu ?? true,
      context,
      alone: false
    }
    const common = { model, waiting }
    if (view.fleet.size === 0) return { ...common, outcome: "asleep" }
    const decision = decide(request, view.fleet)
    if (decision.kind === "full") return { ...common, outcome: "queue", losers: decision.losers }
    if (decision.kind === "resident") {
      const { worker } = decision
      const at = view.worker(worker)
      if (at !== undefined)
        return { ...common, outcome: "resident", placement: residentPlacement(view, at, worker, decision.losers) }
    }
    return { ...common, ...(yield* outcomeOf(view, request, yield* probeCapacity(view, request, [], silent))) }
  })

const outcomeOf = (
  view: ClusterView,
  request: PlacementRequest,
  found: Found
): Effect.Effect<Omit<PlanView, "model" | "waiting">> => {
  if (found._tag === "Found") return Effect.succeed({ outcome: "start", placement: found.placement })
  if (found._tag === "Silent" || found._tag === "Ending") return Effect.succeed({ outcome: "asleep" })
  const { search } = found
  const why = { losers: search.losers, others: search.notLookedAt(undefined) }
  if (search.hopes.length > 0) return Effect.succeed({ outcome: "queue", ...why })
  return Effect.map(Effect.flip(noPlace(view, request, undefined, found.full)), (error) => ({
    outcome: "no_place",
    ...why,
    error: { code: error.code, message: sentence(error), details: error.details }
  }))
}
