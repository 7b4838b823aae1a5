/** Devices of a machine and what fits on them. */
import * as Schema from "effect/Schema"
import { Count, Megabytes } from "./common.ts"

export const Backend = Schema.Literal("cpu", "cuda", "vulkan", "metal")
export type Backend = typeof Backend.Type

/** The worker runtime that serves a backend, as narration names it. */
export const WorkerKind = Schema.Literal(
  "cpu-llm-worker-rbee",
  "cuda-llm-worker-rbee",
  "vulkan-llm-worker-rbee",
  "metal-llm-worker-rbee"
)
export type WorkerKind = typeof WorkerKind.Type
export const workerKind = (backend: Backend): WorkerKind => `${backend}-llm-worker-rbee`

export const Gpu = Schema.Struct({
  /** "gpu0" */
  id: Schema.String,
  /** "RTX 3060" */
  name: Schema.String,
  backend: Backend,
  /** the tool's own stable name (a CUDA UUID), by which a worker is bound to it */
  uuid: Schema.optional(Schema.String),
  vram_mb: Megabytes,
  vram_free_mb: Megabytes,
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

/** "CPU", "GPU0": how narration writes a device id. */
export const deviceLabel = (id: string): string => id.toUpperCase()

/** "CPU, GPU0 RTX 3060, GPU1 RTX 3090" */
export const describeDevices = (devices: Pick<Devices, "gpus">): string =>
  ["CPU", ...devices.gpus.map((gpu) => `${deviceLabel(gpu.id)} ${gpu.name}`)].join(", ")

export const DeviceBeat = Schema.Struct({
  id: Schema.String,
  state: Schema.Literal("healthy", "degraded"),
  /** until when it takes no new work, milliseconds since 1970 */
  until: Schema.optional(Schema.Number),
  /** free by the hive's ledger */
  free_mb: Megabytes
})
export type DeviceBeat = typeof DeviceBeat.Type
