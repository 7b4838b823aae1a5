/**
 * Machines that sleep. All that are awake come first; one is woken where none of those has room, and it could have it. Not
 * to wait for room, nor for a further worker of a model that is there.
 */
import type { Devices } from "../../vocabulary/device.ts"
import { cpuDevice, type HiveId } from "../../vocabulary/ids.ts"
import { leastMb } from "./cost.ts"
import type { Place } from "./place.ts"
import { objection, type PlacementRequest, type RejectedCandidate } from "./placement.ts"

export interface Sleeper {
  readonly hive: HiveId
  /** as it last told them; undefined: that is not known, and it is taken to have room */
  readonly devices: Pick<Devices, "cpu" | "gpus"> | undefined
  /** milliseconds that waking it usually takes */
  readonly usualMs: number | undefined
}

/** All that its devices have, as nothing is loaded there. */
const roomsOf = ({ devices, hive }: Sleeper): ReadonlyArray<Place & { readonly mb: number }> =>
  devices === undefined
    ? []
    : [
        ...devices.gpus.map(({ id, vram_mb }) => ({ hive, device: id, mb: vram_mb })),
        { hive, device: cpuDevice, mb: devices.cpu.ram_mb }
      ]

const couldServe = (
  sleeper: Sleeper,
  request: PlacementRequest,
  bytes: number,
  excluded: ReadonlyArray<Place>
): boolean => {
  if (request.hive !== undefined && request.hive !== sleeper.hive) return false
  if (sleeper.devices === undefined) return true
  return roomsOf(sleeper).some(
    (place) =>
      place.mb >= leastMb(bytes) &&
      objection(request, place) === undefined &&
      !excluded.some(({ device, hive }) => hive === place.hive && device === place.device)
  )
}

/** The one that is up soonest; of those of which that is not known the first by name. */
export const toWake = (
  sleepers: ReadonlyArray<Sleeper>,
  request: PlacementRequest,
  bytes: number,
  excluded: ReadonlyArray<Place>
): Sleeper | undefined =>
  sleepers
    .filter((one) => couldServe(one, request, bytes, excluded))
    .toSorted(
      (a, b) => (a.usualMs ?? Number.MAX_VALUE) - (b.usualMs ?? Number.MAX_VALUE) || (a.hive < b.hive ? -1 : 1)
    )[0]

const verdict = ({ usualMs }: Sleeper): string =>
  usualMs === undefined
    ? "its machine sleeps, and those that are awake come first"
    : `its machine sleeps (usually up in ${Math.round(usualMs / 1000)} s), and those that are awake come first`

/** Why a request that was placed was not placed there. */
export const stillAsleep = (sleepers: ReadonlyArray<Sleeper>): ReadonlyArray<RejectedCandidate> =>
  sleepers.flatMap((one) => {
    const places: ReadonlyArray<Place> =
      one.devices === undefined ? [{ hive: one.hive, device: cpuDevice }] : roomsOf(one)
    return places.map(({ device, hive }) => ({ hive, device, verdict: verdict(one) }))
  })
