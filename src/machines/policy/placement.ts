/**
 * The basic scheduler, pure: which resident worker or which device serves a job. Strongest GPU first, the CPU last and
 * only where it is allowed; a resident worker of the same model with a free slot beats them all. It never asks anybody:
 * what it decides from is the cluster view, and whether there is room is the hive's to say.
 */
import { type Backend, type Devices, runtimeOf } from "../vocabulary/device.ts"
import type { Placement } from "../vocabulary/job.ts"

export interface Place {
  readonly hive: string
  /** "cpu", "gpu0" */
  readonly device: string
}

export interface Wish {
  /** canonical reference */
  readonly model: string
  readonly hive: string | undefined
  readonly device: string | undefined
  readonly allowCpu: boolean
  /** tokens a slot that the job needs at least; undefined: whatever there is */
  readonly context: number | undefined
  /** the job takes a worker for itself: nobody else may be on it */
  readonly alone: boolean
}

/** A healthy hive and its devices. */
export interface MachineFacts {
  readonly hive: string
  readonly devices: Devices
  /** devices that take no new work now */
  readonly degraded: ReadonlyArray<string>
}

/** A worker that is awake. */
export interface ResidentFacts {
  readonly worker: string
  readonly hive: string
  readonly device: string
  readonly model: string
  readonly context: number
  readonly slots: number
  readonly free: number
}

export interface DevicePlace extends Place {
  readonly backend: Backend
}

export type Loser = Placement["losers"][number]

export type Decision =
  | { readonly kind: "resident"; readonly worker: string; readonly losers: ReadonlyArray<Loser> }
  /** fitting workers are resident, all busy */
  | { readonly kind: "full"; readonly losers: ReadonlyArray<Loser> }
  /** to be asked for room, in this order; may be empty */
  | { readonly kind: "devices"; readonly order: ReadonlyArray<DevicePlace>; readonly losers: ReadonlyArray<Loser> }

const isSame = (a: Place, b: Place) => a.hive === b.hive && a.device === b.device

/** Why a place does not serve the wish, or undefined if it may. */
const objection = (wish: Wish, place: Place): string | undefined => {
  if (wish.hive !== undefined && wish.hive !== place.hive) return `another hive is asked for (${wish.hive})`
  if (wish.device !== undefined && wish.device !== place.device) return `another device is asked for (${wish.device})`
  if (place.device === "cpu" && !wish.allowCpu && wish.device !== "cpu") return "the CPU is not allowed"
  return undefined
}

/** Resident workers of the model that fit the wish, the one with most free slots first. */
export const fittingResidents = (wish: Wish, residents: ReadonlyArray<ResidentFacts>): ReadonlyArray<ResidentFacts> =>
  residents
    .filter(
      (resident) =>
        resident.model === wish.model &&
        objection(wish, resident) === undefined &&
        (wish.context === undefined || resident.context >= wish.context)
    )
    .toSorted((a, b) => b.free - a.free || a.worker.localeCompare(b.worker))

/** Has this worker room for the job? */
export const hasRoom = (wish: Pick<Wish, "alone">, resident: ResidentFacts): boolean =>
  wish.alone ? resident.free === resident.slots : resident.free > 0

export const decide = (
  wish: Wish,
  machines: ReadonlyArray<MachineFacts>,
  residents: ReadonlyArray<ResidentFacts>,
  excluded: ReadonlyArray<Place>
): Decision => {
  const fitting = fittingResidents(wish, residents)
  const seat = fitting.find((resident) => hasRoom(wish, resident))
  const others = fitting.map((resident): Loser => ({
    hive: resident.hive,
    device: resident.device,
    verdict: seat === undefined ? `worker ${resident.worker}: all slots busy` : `worker ${resident.worker}: busier`
  }))
  if (seat !== undefined) {
    return { kind: "resident", worker: seat.worker, losers: others.filter((_, i) => fitting[i] !== seat) }
  }
  if (fitting.length > 0) return { kind: "full", losers: others }

  const losers: Array<Loser> = []
  const order = machines
    .flatMap(placesOf)
    .toSorted((a, b) => b.strength - a.strength || a.hive.localeCompare(b.hive) || a.device.localeCompare(b.device))
    .flatMap(({ isDegraded, hive, device, backend }): ReadonlyArray<DevicePlace> => {
      const place = { hive, device, backend }
      const verdict = excluded.some((other) => isSame(other, place))
        ? "failed for this job already"
        : (objection(wish, place) ?? (isDegraded ? "the device is degraded and takes no new work" : undefined))
      if (verdict === undefined) return [place]
      losers.push({ hive, device, verdict })
      return []
    })
  return { kind: "devices", order, losers }
}

interface Ranked extends DevicePlace {
  /** the size of a GPU's memory; the CPU comes after every GPU */
  readonly strength: number
  readonly isDegraded: boolean
}

const placesOf = ({ hive, devices, degraded }: MachineFacts): ReadonlyArray<Ranked> => [
  ...devices.gpus.map((gpu) => ({
    hive,
    device: gpu.id,
    backend: runtimeOf(gpu),
    strength: 1 + gpu.vram_mb,
    isDegraded: degraded.includes(gpu.id)
  })),
  { hive, device: "cpu", backend: "cpu" as const, strength: 0, isDegraded: degraded.includes("cpu") }
]
