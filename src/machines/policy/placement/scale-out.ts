/**
 * All slots of a model's workers are taken: does a job wait for one, or is another worker started on another device?
 * It waits as long as waiting is foreseen to be shorter than a start, and never much longer than a start would have
 * taken (and what its device is slower); so that whatever the answers before it turn out to be, it is served in about twice the time that was possible.
 * Nobody is unloaded for it.
 */
import { decodeSeconds } from "./cost.ts"
import type { Fleet } from "./fleet.ts"
import { fittingResidents, isSetUpOtherwise, type PlacementRequest } from "./placement.ts"
import { Search } from "./search.ts"

/** A start takes memory too: it has to be so many times faster than what waiting is foreseen to take. */
const worthTimes = 2
/** no worker starts faster, seconds */
const leastStart = 0.5

/** The same job, where the model is not resident yet and room is free. */
export const scaledOut = (request: PlacementRequest): PlacementRequest => ({ ...request, isScaleOut: true })

/** `ahead`: jobs that wait before this one for the same model; `waitedMs`: how long it has waited already. */
export const isWorthAnother = (
  request: PlacementRequest,
  fleet: Fleet,
  ahead: number,
  waitedMs: number,
  now: number
): boolean => {
  const workers = fittingResidents(request, fleet)
  // One is on its way, or ends: what becomes of it is waited for. One that is set up otherwise is nobody of ours.
  const own = fleet.residentsOf(request.model).filter((resident) => !isSetUpOtherwise(request, resident))
  if (request.alone || workers.length === 0 || workers.length < own.length) return false
  let slotsPerSecond = 0
  let here = Number.POSITIVE_INFINITY
  for (const worker of workers) {
    const device = fleet.device(worker)
    if (device === undefined) continue
    const answer = decodeSeconds(fleet.seen.rate(device, request.model), 0)
    slotsPerSecond += worker.slots / answer
    here = Math.min(here, answer)
  }
  const foreseen = (ahead + 1) / slotsPerSecond
  const isWorth = (seconds: number) => foreseen > worthTimes * seconds || waitedMs > 1000 * seconds
  if (!isWorth(leastStart)) return false
  const cost = new Search(fleet, scaledOut(request), [], now).next()?.cost
  return cost !== undefined && isWorth(cost.fetch + cost.load + Math.max(0, cost.decode - here))
}
