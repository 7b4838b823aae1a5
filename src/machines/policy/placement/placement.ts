/**
 * The scheduler, pure: which resident worker or which device serves a job. A free slot of a worker that has the model
 * beats loading it again; else the devices are asked for room in the order of what they are expected to cost
 * (`search.ts`). It never asks anybody itself: what it decides from is the fleet as the queen sees it, and whether
 * there is room is the hive's to say.
 */
import type { Placement } from "../../vocabulary/job.ts"
import { mayReloadAt } from "../memory/context.ts"
import { otherSetup, type Setup } from "../memory/setup.ts"
import type { Held } from "../conversation-homes.ts"
import { because, type Cost, decodeSeconds, readSeconds, secondsOf } from "./cost.ts"
import type { Fleet } from "./fleet.ts"
import type { ResidentFacts } from "./fleet-facts.ts"
import type { Place } from "./place.ts"
import { placeKey } from "./place.ts"
import type { WorkerId, HiveId, DeviceId, ModelRef } from "../../vocabulary/ids.ts"

export type { ResidentFacts } from "./fleet-facts.ts"
export type { Place } from "./place.ts"

export interface PlacementRequest {
  /** canonical reference */
  readonly model: ModelRef
  readonly hive: HiveId | undefined
  readonly device: DeviceId | undefined
  readonly allowCpu: boolean
  /** tokens a slot that the job needs at least; undefined: whatever there is */
  readonly context: number | undefined
  /** slots and KV type that its worker is to have */
  readonly setup?: Setup
  /** the job takes a worker for itself: nobody else may be on it */
  readonly alone: boolean
  /** hive and device are where it would rather run: it is not waited for that others go */
  readonly isPreferred?: boolean
  /** where its conversation was read before */
  readonly held?: Held | undefined
  /** a further worker is wanted: not where the model is resident, and nobody is unloaded for it */
  readonly isScaleOut?: boolean
}

export type RejectedCandidate = Placement["losers"][number]
export type Others = NonNullable<Placement["others"]>[number]

export type Decision =
  | { readonly kind: "resident"; readonly worker: WorkerId; readonly losers: ReadonlyArray<RejectedCandidate> }
  /** fitting workers are resident, all busy */
  | { readonly kind: "full"; readonly losers: ReadonlyArray<RejectedCandidate> }
  /** a device is to be found for it */
  | { readonly kind: "devices" }

/** Why a place does not serve the request, or undefined if it may. */
export const objection = (request: PlacementRequest, place: Place): string | undefined => {
  if (request.hive !== undefined && request.hive !== place.hive) return `another hive is asked for (${request.hive})`
  if (request.device !== undefined && request.device !== place.device)
    return `another device is asked for (${request.device})`
  if (place.device === "cpu" && !request.allowCpu && request.device !== "cpu") return "the CPU is not allowed"
  return undefined
}

/** Has this worker room for the job? */
export const hasRoom = (request: Pick<PlacementRequest, "alone">, { free, isClosing, slots }: ResidentFacts): boolean =>
  !isClosing && (request.alone ? free === slots : free > 0)

/** Why a worker of the model does not fit the request, or undefined if it does. */
const misfit = (request: PlacementRequest, resident: ResidentFacts): string | undefined => {
  if (!resident.isServing) return "it does not serve (yet)"
  if (request.context !== undefined && resident.context < request.context)
    return `its slots have ${resident.context} tokens, ${request.context} are asked for`
  return otherSetup(request.setup ?? {}, resident) ?? objection(request, resident)
}

/** It serves, and will never serve this request. */
export const isSetUpOtherwise = ({ setup = {} }: PlacementRequest, resident: ResidentFacts): boolean =>
  resident.isServing && otherSetup(setup, resident) !== undefined

/** Resident workers of the model that fit the request. */
export const fittingResidents = (request: PlacementRequest, fleet: Fleet): ReadonlyArray<ResidentFacts> =>
  fleet.residentsOf(request.model).filter((resident) => misfit(request, resident) === undefined)

/** When a worker that is too small for the request may be loaded anew, where that was done only just. */
export const reloadsAt = (request: PlacementRequest, fleet: Fleet, now: number): number | undefined => {
  if (fittingResidents(request, fleet).length > 0) return undefined
  const times = fleet.residentsOf(request.model).map(({ reloadedAt }) => mayReloadAt(reloadedAt))
  const waits = times.filter((time) => time > now)
  return waits.length === 0 ? undefined : Math.min(...waits)
}

/** The worker that has read the conversation, or one of its hive's, where that one is gone: it has it from a file. */
const hasRead = ({ held, model }: PlacementRequest, fleet: Fleet, { hive, worker }: ResidentFacts): boolean =>
  held !== undefined &&
  (worker === held.worker ||
    (hive === held.hive && !fleet.residentsOf(model).some((other) => other.worker === held.worker)))

/** Where the model is resident the answer has to be decoded, among those who are on the worker already. */
const slotCost = (request: PlacementRequest, fleet: Fleet, resident: ResidentFacts): Cost => {
  const device = fleet.device(resident)
  const rate = device === undefined ? 1 : fleet.seen.rate(device, resident.model)
  const { held } = request
  const read = held === undefined || hasRead(request, fleet, resident) ? 0 : readSeconds(rate, held.tokens)
  return { fetch: 0, load: 0, evict: 0, read, decode: decodeSeconds(rate, resident.slots - resident.free) }
}

/** Why the rest of the devices did not serve a job that took a slot of a resident worker, by reason. */
export const withoutModel = (
  fleet: Fleet,
  winner: Place,
  losers: ReadonlyArray<RejectedCandidate>
): ReadonlyArray<Others> => {
  const named = new Set([winner, ...losers].map(({ device, hive }) => placeKey({ hive, device })))
  const count = fleet.size - named.size
  return count > 0 ? [{ count, verdict: "the model would have to be loaded there" }] : []
}

const loser = ({ device, hive }: Place, verdict: string): RejectedCandidate => ({ hive, device, verdict })

const lostTo = (cost: Cost | undefined, request: PlacementRequest, fleet: Fleet, resident: ResidentFacts): string => {
  if (resident.isClosing) return "it makes room for another model"
  if (!hasRoom(request, resident)) return "all slots busy"
  return cost === undefined ? "not free" : because(slotCost(request, fleet, resident), cost)
}

/** A slot of a resident worker, if there is one: the one that will be done first. */
export const decide = (request: PlacementRequest, fleet: Fleet): Decision => {
  const fitting = fittingResidents(request, fleet)
  if (fitting.length === 0) return { kind: "devices" }
  let best: { readonly resident: ResidentFacts; readonly cost: Cost } | undefined
  for (const resident of fitting) {
    if (!hasRoom(request, resident)) continue
    const cost = slotCost(request, fleet, resident)
    const [seconds, least] = [secondsOf(cost), best === undefined ? Infinity : secondsOf(best.cost)]
    const isBetter =
      best === undefined || seconds < least || (seconds === least && resident.worker < best.resident.worker)
    if (isBetter) best = { resident, cost }
  }
  const taken = best
  const losers = fleet
    .residentsOf(request.model)
    .filter((resident) => resident !== taken?.resident)
    .map((resident) =>
      loser(
        resident,
        `worker ${resident.worker}: ${misfit(request, resident) ?? lostTo(taken?.cost, request, fleet, resident)}`
      )
    )
  return taken === undefined ? { kind: "full", losers } : { kind: "resident", worker: taken.resident.worker, losers }
}
