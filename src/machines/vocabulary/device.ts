/** Devices of a machine and what fits on them. */
import * as Schema from "effect/Schema"
import type { KindId } from "./kind.ts"
import { Count, Megabytes } from "./common.ts"
import { DeviceId } from "./ids.ts"

export const Backend = Schema.Literal("cpu", "cuda", "vulkan", "metal")
export type Backend = typeof Backend.Type

export const backends: ReadonlyArray<Backend> = Backend.literals

export const Gpu = Schema.Struct({
  /** "gpu0" */
  id: DeviceId,
  /** "RTX 3060" */
  name: Schema.String,
  backend: Backend,
  /** by which a worker is bound to it: a CUDA UUID, or where Vulkan has several their number */
  uuid: Schema.optional(Schema.String),
  vram_mb: Megabytes,
  vram_free_mb: Megabytes,
  /** of it the configuration keeps so much from us */
  leave_mb: Schema.optional(Megabytes),
  /** stands in the configuration only: a ledger with a name, served by the CPU runtime */
  declared: Schema.optional(Schema.Boolean)
})
export type Gpu = typeof Gpu.Type

export const Devices = Schema.Struct({
  cpu: Schema.Struct({ cores: Count, ram_mb: Megabytes, ram_free_mb: Megabytes }),
  gpus: Schema.Array(Gpu),
  /** versions of the drivers that answered, for the age of cached capabilities */
  driver: Schema.optional(Schema.String),
  models: Count,
  workers: Count
})
export type Devices = typeof Devices.Type

/**
 * One `[[hive.gpus]]` of the configuration. With the id of a device that is there it caps it; with another id it
 * declares a GPU that is not there, and then it needs `vram_mb`.
 */
export const GpuSetting = Schema.Struct({
  /** "gpu0"; to cap the CPU's memory "cpu" */
  id: DeviceId.pipe(Schema.pattern(/^(gpu\d{1,3}|cpu)$/)),
  /** "RTX 3060" */
  name: Schema.optional(Schema.String.pipe(Schema.pattern(/^[\w .()+-]{1,64}$/))),
  backend: Schema.optional(Schema.Literal("cuda", "vulkan", "metal")),
  /** all of it; of a device that is there: at most so much is used */
  vram_mb: Schema.optional(Schema.Int.pipe(Schema.between(1, 10_000_000))),
  /** stays free for others */
  leave_mb: Schema.optional(Schema.Int.pipe(Schema.between(0, 10_000_000)))
})
export type GpuSetting = typeof GpuSetting.Type

/** Whose runtime really serves a device: a declared GPU is a ledger with a name, and the CPU does its work. */
export const runtimeOf = (gpu: Pick<Gpu, "backend" | "declared"> | undefined): Backend =>
  gpu === undefined || gpu.declared === true ? "cpu" : gpu.backend

/** "CPU", "GPU0": how narration writes a device id. */
export const deviceLabel = (id: DeviceId): string => id.toUpperCase()

/** "CPU, GPU0 RTX 3060, GPU1 RTX 3090"; `mark` is put to those that are declared only. */
export const describeDevices = (devices: Pick<Devices, "gpus">, mark = ""): string =>
  ["CPU", ...devices.gpus.map((gpu) => `${deviceLabel(gpu.id)} ${gpu.name}${gpu.declared === true ? mark : ""}`)].join(
    ", "
  )

export const DeviceBeat = Schema.Struct({
  id: DeviceId,
  state: Schema.Literal("healthy", "degraded"),
  /** until when it takes no new work, milliseconds since 1970 */
  until: Schema.optional(Schema.Number),
  /** held by workers, and free for new ones, by the hive's ledger */
  leased_mb: Megabytes,
  /** measured as free when the hive last looked */
  measured_mb: Schema.optional(Megabytes),
  free_mb: Megabytes
})
export type DeviceBeat = typeof DeviceBeat.Type

/** A runtime: what a kind needs on a backend. */
export interface RuntimeId {
  readonly kind: KindId
  readonly backend: Backend
}
