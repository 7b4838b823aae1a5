/** What of a repository fits which device: the largest worker of each model on each, by the estimate that hives use. */
import type { ModelFacts } from "../../formats/gguf/gguf.ts"
import type { WorkerKind } from "../../kinds/kind.ts"
import { cpuDevice, type DeviceId } from "../../vocabulary/ids.ts"
import { type Backend, type Devices, runtimeOf } from "../../vocabulary/device.ts"
import type { KvType } from "../../vocabulary/common.ts"
import { usualContext } from "./context.ts"
import { fit, largestContext, marginBytes, toMb } from "./fit.ts"

/** A device as a whole, whoever holds memory of it now. */
export interface Room {
  readonly device: DeviceId
  readonly name: string
  /** whose runtime serves it */
  readonly backend: Backend
  readonly totalBytes: number
  readonly freeBytes: number
}

export const roomsOf = ({ cpu, gpus }: Pick<Devices, "cpu" | "gpus">): ReadonlyArray<Room> => [
  ...gpus.map((gpu) => ({
    device: gpu.id,
    name: gpu.name,
    backend: runtimeOf(gpu),
    totalBytes: (gpu.vram_mb - (gpu.leave_mb ?? 0)) * 1e6,
    freeBytes: gpu.vram_free_mb * 1e6
  })),
  {
    device: cpuDevice,
    name: `${cpu.cores} cores`,
    backend: "cpu" as const,
    totalBytes: cpu.ram_mb * 1e6,
    freeBytes: cpu.ram_free_mb * 1e6
  }
]

export interface Fitting {
  /** `yes`: now · `if_unloaded`: when what is on the device makes room · `no`: never */
  readonly fits: "yes" | "if_unloaded" | "no"
  /** tokens a slot, and slots, of the worker that would be started; where none fits, of the smallest that was tried */
  readonly context: number
  readonly slots: number
  /** that it takes */
  readonly memory_mb: number
  /** that the device can give */
  readonly available_mb: number
  /** the longest context of one slot */
  readonly context_max: number
}

export interface Wishes {
  /** tokens a slot; absent: the usual */
  readonly context: number | undefined
  readonly slots: number
  readonly kvType: KvType
}

/** Of one model on one device. */
export const fitting = (kind: WorkerKind, facts: ModelFacts, room: Room, wishes: Wishes): Fitting => {
  const terms = kind.memory.terms(facts, { backend: room.backend }, wishes.kvType)
  const need = (shape: Parameters<typeof kind.memory.bytes>[1]) => kind.memory.bytes(facts, shape, terms)
  const margin = marginBytes(room.device, room.totalBytes)
  const usual = usualContext(facts.trainedContext, facts.measures !== undefined)
  const context = wishes.context === undefined ? undefined : Math.min(wishes.context, facts.trainedContext)
  const wanted = { context, slots: undefined }
  const within = (bytes: number) => fit(need, usual, wanted, wishes.slots, Math.max(0, bytes - margin))
  const [now, ever] = [within(room.freeBytes), within(room.totalBytes)]
  const chosen = now.fits ? now : ever
  return {
    fits: now.fits ? "yes" : ever.fits ? "if_unloaded" : "no",
    context: chosen.shape.context,
    slots: chosen.shape.slots,
    memory_mb: toMb(chosen.bytes),
    available_mb: Math.floor(Math.max(0, room.totalBytes - margin) / 1e6),
    context_max: largestContext(need, facts.trainedContext, kind.memory.step, Math.max(0, room.totalBytes - margin))
  }
}
