/** Why a job has no place, with the amounts and with what can be done. */
import type * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Place, PlacementRequest } from "../../../machines/policy/placement/placement.ts"
import { deviceLabel } from "../../../machines/vocabulary/device.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { Full } from "./capacity-probe.ts"
import { fact } from "../../../machines/facts.ts"

const labelOf = (view: ClusterView, place: Place): string =>
  view.allHives().length > 1 ? `${deviceLabel(place.device)} of ${place.hive}` : deviceLabel(place.device)

/** Nothing is left: with the last place's own failure, or with the amounts and what can be done. */
export const noPlace = (
  view: ClusterView,
  request: PlacementRequest,
  fallen: RbeeError | undefined,
  full: ReadonlyArray<Full>
): Effect.Effect<never, RbeeError> => {
  if (fallen !== undefined) return fallen
  // what would not load on a device with room needs another file, not more room
  const refused = full.find(({ error }) => error.code === "MODEL_INVALID")
  if (refused !== undefined) return refused.error
  const room = full.flatMap(({ place, error }) => {
    const needed = fact(error, "required_mb") ?? fact(error, "needed_mb")
    const available = fact(error, "available_mb")
    if (needed === undefined || available === undefined) return []
    return [{ place, needed: Math.ceil(needed), available: Math.ceil(available) }]
  })
  if (room.length > 0) {
    const needed = Math.min(...room.map((one) => one.needed))
    const contexts = full.map(({ error }) => fact(error, "context_max")).filter((context) => context !== undefined)
    const rooms = room.map((one) => `${labelOf(view, one.place)} has ${one.available} MB`).join(", ")
    return rbeeError(
      "VRAM_EXHAUSTED",
      `${request.model} needs ${needed} MB; ${rooms}`,
      "Stop workers that hold memory (`rbee ps`, `rbee stop MODEL`), or use a smaller model or context",
      {
        needed_mb: needed,
        available_mb: Math.max(...room.map((one) => one.available)),
        ...(contexts.length === 0 ? {} : { context_max: Math.max(...contexts) }),
        candidates: room.map(({ place, needed: needs, available }) => ({
          hive: place.hive,
          device: place.device,
          needed_mb: needs,
          available_mb: available
        }))
      }
    )
  }
  const [first] = full
  if (first !== undefined) return first.error
  const devices = view.fleet.devices()
  const there = devices.map((one) => labelOf(view, one)).join(", ")
  if (request.device !== undefined && !devices.some(({ device }) => device === request.device)) {
    return rbeeError("INVALID_REQUEST", `there is no device ${deviceLabel(request.device)}`, `There is: ${there}`, {
      device: request.device
    })
  }
  if (devices.some(({ isDegraded }) => isDegraded)) {
    return rbeeError(
      "BACKEND_UNAVAILABLE",
      "every device that could serve this job is degraded after failed starts",
      "Wait some minutes, or restart the hive with `rbee hives stop` and `rbee hives start`"
    )
  }
  return rbeeError(
    "BACKEND_UNAVAILABLE",
    `no device may serve this job; there is ${there}`,
    "Leave out --no-cpu to allow the CPU"
  )
}
