/** A dry run of placing: the same decision from the same view; hives are only asked for advice. */
import * as Effect from "effect/Effect"
import { sentence } from "../../../machines/errors.ts"
import { decide, type PlacementRequest } from "../../../machines/policy/placement/placement.ts"
import { stillAsleep, toWake } from "../../../machines/policy/placement/sleepers.ts"
import type { PlanRequest, PlanView } from "../../../machines/vocabulary/plan.ts"
import { Cluster, type ClusterView } from "../cluster/cluster-view.ts"
import { noPlace } from "./no-place.ts"
import { type Found, type NoAdvice, probeCapacity, residentPlacement } from "./capacity-probe.ts"
import type { CheckedRequest } from "../../../machines/vocabulary/job.ts"
import { setupOf } from "../../../machines/policy/memory/setup.ts"
import { deviceNamed } from "../../../machines/vocabulary/ids.ts"

const silent = { onPicked: () => Effect.succeed(true), onFull: () => {} }

/** What is asked for, and what an entry adds to it; its model by its reference. */
type Asked = PlanRequest & Pick<CheckedRequest, "kv_type" | "model" | "prefer" | "slots">

const requestOf = (asked: Asked, preferred?: CheckedRequest["prefer"]): PlacementRequest => {
  const { device, hive } = preferred ?? asked
  const setup = setupOf(asked)
  return {
    model: asked.model,
    hive,
    device: device === undefined ? undefined : deviceNamed(device),
    allowCpu: asked.allow_cpu ?? true,
    context: asked.context,
    ...(setup === undefined ? {} : { setup }),
    ...(preferred === undefined ? {} : { isPreferred: true }),
    alone: false
  }
}

/** What is preferred gives way where it would fail, as for a job. */
export const planOf = (waiting: number, asked: Asked): Effect.Effect<PlanView, NoAdvice, Cluster> => {
  const anywhere = planFor(waiting, requestOf(asked))
  const { prefer } = asked
  if (prefer === undefined) return anywhere
  const there = planFor(waiting, requestOf(asked, prefer))
  return Effect.catchAll(
    Effect.flatMap(there, (plan) => (plan.outcome === "no_place" ? anywhere : Effect.succeed(plan))),
    () => anywhere
  )
}

const planFor = (waiting: number, request: PlacementRequest): Effect.Effect<PlanView, NoAdvice, Cluster> =>
  Effect.gen(function* () {
    const view = yield* Cluster
    const { model } = request
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
  const sleepers = view.sleepers()
  const why = { losers: [...search.losers, ...stillAsleep(sleepers)], others: search.notLookedAt(undefined) }
  if (toWake(sleepers, request, view.fleet.seen.bytesOf(request.model) ?? 0, []) !== undefined)
    return Effect.succeed({ outcome: "asleep", ...why })
  if (search.hopes.length > 0 && request.isPreferred !== true) return Effect.succeed({ outcome: "queue", ...why })
  return Effect.map(Effect.flip(noPlace(view, request, undefined, found.full)), (error) => ({
    outcome: "no_place",
    ...why,
    error: { code: error.code, message: sentence(error), details: error.details }
  }))
}
