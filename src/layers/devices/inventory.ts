/**
 * The inventory of the configuration over what the machine tells: a cap on a device that is there ("leave me 4 GB of
 * GPU0"), or a GPU that is not there, for tests and demonstrations. A declared GPU is a ledger with a name.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Gpu, GpuSetting } from "../../machines/vocabulary/device.ts"
import { DeviceProbe, type Machine } from "./index.ts"

/** MB of `totalMb` that are kept from us. */
const left = (totalMb: number, { leave_mb = 0, vram_mb = totalMb }: Partial<GpuSetting>): number =>
  Math.min(totalMb, Math.max(0, totalMb - vram_mb) + leave_mb)

const declared = ({ backend, id, leave_mb, name, vram_mb }: GpuSetting): ReadonlyArray<Gpu> => {
  if (vram_mb === undefined || id === "cpu") return []
  const free = Math.max(0, vram_mb - (leave_mb ?? 0))
  const gpu = { id, name: name ?? "GPU", backend: backend ?? "cuda", vram_mb, vram_free_mb: free, declared: true }
  return [leave_mb === undefined ? gpu : { ...gpu, leave_mb }]
}

const cappedCpu = (cpu: Machine["cpu"], settings: ReadonlyArray<GpuSetting>): Machine["cpu"] => {
  const kept = left(cpu.ramBytes / 1e6, settings.find(({ id }) => id === "cpu") ?? {}) * 1e6
  return { ...cpu, ramBytes: cpu.ramBytes - kept, ramFreeBytes: Math.max(0, cpu.ramFreeBytes - kept) }
}

/** The machine with its caps, and with the GPUs that are declared beside those that are there. */
export const withInventory = (machine: Machine, settings: ReadonlyArray<GpuSetting>): Machine => {
  const there = machine.gpus.map((gpu): Gpu => {
    const setting = settings.find(({ id }) => id === gpu.id)
    if (setting === undefined) return gpu
    const leave_mb = left(gpu.vram_mb, setting)
    return { ...gpu, leave_mb, vram_free_mb: Math.max(0, gpu.vram_free_mb - leave_mb) }
  })
  const others = settings.filter(({ id }) => !machine.gpus.some((gpu) => gpu.id === id)).flatMap(declared)
  const gpus = [...there, ...others].toSorted((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }))
  return { ...machine, cpu: cappedCpu(machine.cpu, settings), gpus }
}

/** A probe that knows the inventory. */
export const layerInventory = <E, R>(
  settings: ReadonlyArray<GpuSetting>,
  probe: Layer.Layer<DeviceProbe, E, R>
): Layer.Layer<DeviceProbe, E, R> =>
  Layer.provide(
    Layer.effect(
      DeviceProbe,
      Effect.map(DeviceProbe, ({ look, ram }) => ({
        look: Effect.map(look, (machine) => withInventory(machine, settings)),
        ram: Effect.map(ram, (cpu) => cappedCpu(cpu, settings))
      }))
    ),
    probe
  )
