/** What the queen says of her models and machines, as the page shows it. */
import { isObject } from "../../machines/formats/json/is-object.ts"

const text = (value: unknown): string => (typeof value === "string" ? value : "")
const number = (value: unknown): number => (typeof value === "number" ? value : 0)
const objects = (value: unknown): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  Array.isArray(value) ? value.filter(isObject) : []

export interface Copy {
  readonly ref: string
  readonly hive: string
  readonly bytes: number
  readonly quantization: string
  readonly context: number
  readonly isPinned: boolean
  readonly isInUse: boolean
}

export const copiesIn = (answer: unknown): ReadonlyArray<Copy> =>
  objects(answer).map((copy) => ({
    ref: text(copy["model_ref"]),
    hive: text(copy["hive"]),
    bytes: number(copy["bytes"]),
    quantization: text(copy["quantization"]),
    context: number(copy["context"]),
    isPinned: copy["pinned"] === true,
    isInUse: copy["in_use"] === true
  }))

export interface HiveCard {
  readonly id: string
  readonly state: string
  readonly devices: ReadonlyArray<string>
}

const gigabytes = (mb: unknown): string => `${(number(mb) / 1024).toFixed(1)} GB`

const devicesIn = (devices: unknown): ReadonlyArray<string> => {
  if (!isObject(devices)) return []
  const cpu = isObject(devices["cpu"]) ? [devices["cpu"]] : []
  return [
    ...objects(devices["gpus"]).map(
      (gpu) =>
        `${text(gpu["name"]) || text(gpu["id"])}: ${gigabytes(gpu["vram_free_mb"])} of ${gigabytes(gpu["vram_mb"])} free`
    ),
    ...cpu.map(
      (one) =>
        `CPU, ${number(one["cores"])} cores: ${gigabytes(one["ram_free_mb"])} of ${gigabytes(one["ram_mb"])} free`
    )
  ]
}

export const hivesIn = (answer: unknown): ReadonlyArray<HiveCard> =>
  objects(answer).map((hive) => ({
    id: text(hive["id"]),
    state: text(hive["state"]),
    devices: devicesIn(hive["devices"])
  }))

export interface WorkerRow {
  readonly id: string
  readonly hive: string
  readonly model: string
  readonly device: string
  readonly state: string
  readonly memoryMb: number
  readonly busy: number
  readonly slots: number
}

export const workersIn = (answer: unknown): ReadonlyArray<WorkerRow> =>
  objects(answer).map((worker) => ({
    id: text(worker["id"]),
    hive: text(worker["hive"]),
    model: text(worker["model"]),
    device: text(worker["device"]),
    state: text(worker["state"]),
    memoryMb: number(worker["memory_mb"]),
    busy: number(worker["busy"]),
    slots: number(worker["slots"])
  }))

export const sizeOf = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`
