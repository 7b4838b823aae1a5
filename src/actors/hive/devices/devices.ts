/** The devices of this machine and the ledger over them: what there is, what is booked, what is out of service. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Machine } from "../../../layers/devices/index.ts"
import type { CatalogError } from "../../../layers/hive-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { type Shape, toMb } from "../../../machines/policy/memory/fit.ts"
import {
  type Backend,
  deviceLabel,
  type DeviceBeat,
  type Gpu,
  type RuntimeId,
  runtimeOf
} from "../../../machines/vocabulary/device.ts"
import type { KvType } from "../../../machines/vocabulary/common.ts"
import type { WorkerKind } from "../../../machines/kinds/kind.ts"
import { Ledger, type Supply } from "./ledger.ts"
import { HiveWorld, type Ports } from "../common/ports.ts"
import type { WorkerId, DeviceId } from "../../../machines/vocabulary/ids.ts"
import { cpuDevice, deviceNamed } from "../../../machines/vocabulary/ids.ts"

/** A device that spent its restarts takes no new work for this long, milliseconds. */
export const degradedMs = 5 * 60_000
/** What a process held is back in the device's own figures after this time, milliseconds. */
const backMs = 3000
/** GPU figures are asked for again after this time, milliseconds. */
const freshMs = 2000

export interface Device {
  readonly id: DeviceId
  /** whose runtime serves it */
  readonly backend: Backend
  /** what it is called; another backend than the runtime's on a declared GPU */
  readonly name: Backend
  readonly isDeclared: boolean
  readonly uuid: string | undefined
  /** the CPU's, which also serves declared GPUs */
  readonly hasTiles: boolean
  readonly supply: Supply
}

const supplies = (machine: Machine): ReadonlyArray<Device> => [
  {
    id: cpuDevice,
    backend: "cpu",
    name: "cpu",
    isDeclared: false,
    uuid: undefined,
    hasTiles: machine.cpu.hasTiles === true,
    supply: { device: cpuDevice, totalBytes: machine.cpu.ramBytes, freeBytes: machine.cpu.ramFreeBytes }
  },
  ...machine.gpus.map((gpu) => ({
    id: gpu.id,
    backend: runtimeOf(gpu),
    name: gpu.backend,
    isDeclared: gpu.declared === true,
    uuid: gpu.uuid,
    hasTiles: machine.cpu.hasTiles === true,
    supply: { device: gpu.id, totalBytes: (gpu.vram_mb - (gpu.leave_mb ?? 0)) * 1e6, freeBytes: gpu.vram_free_mb * 1e6 }
  }))
]

export class CurrentDevices extends Context.Tag("rbee/hive/Devices")<CurrentDevices, Devices>() {}

export class Devices {
  readonly ledger: Ledger
  private readonly probe: Ports["probe"]
  private machine: Machine
  private lookedAt: number
  private readonly degraded = new Map<DeviceId, number>()
  /** by device: when a worker's process last went */
  private readonly leftAt = new Map<DeviceId, number>()

  constructor(ledger: Ledger, probe: Ports["probe"], machine: Machine, lookedAt: number) {
    this.ledger = ledger
    this.probe = probe
    this.machine = machine
    this.lookedAt = lookedAt
  }

  get cores(): number {
    return this.machine.cpu.cores
  }

  /** A runtime that is not there, and by which GPUs would be seen. */
  get lacks(): RuntimeId | undefined {
    return this.machine.lacks
  }

  /** Looks at the machine, and starts with a ledger that holds nothing: what was leased before is reaped by now. */
  static readonly make = Effect.gen(function* () {
    const { catalog, probe } = yield* HiveWorld
    const machine = yield* probe.look
    return new Devices(new Ledger(catalog.leases), probe, machine, yield* Clock.currentTimeMillis)
  })

  /** The machine as it is now; GPUs at most two seconds old, unless they are to be looked at anew. */
  look(isAnew = false): Effect.Effect<Machine> {
    return Effect.gen(this, function* () {
      const now = yield* Clock.currentTimeMillis
      if (isAnew || (this.machine.gpus.length > 0 && now - this.lookedAt > freshMs)) {
        this.machine = yield* this.probe.look
        this.lookedAt = now
      } else this.machine = { ...this.machine, cpu: yield* this.probe.ram }
      return { ...this.machine, gpus: this.machine.gpus.map((gpu) => this.asBooked(gpu)) }
    })
  }

  /** Nobody but the ledger knows what of a declared GPU is taken. */
  private asBooked(gpu: Gpu): Gpu {
    if (gpu.declared !== true) return gpu
    const free = gpu.vram_mb - (gpu.leave_mb ?? 0) - toMb(this.ledger.leased(gpu.id))
    return { ...gpu, vram_free_mb: Math.max(0, free) }
  }

  device(id: DeviceId, isAnew = false): Effect.Effect<Device, RbeeError<"NOT_FOUND">> {
    return Effect.flatMap(this.look(isAnew), () => {
      const found = supplies(this.machine).find((device) => device.id === deviceNamed(id))
      return found === undefined
        ? Effect.fail(rbeeError("NOT_FOUND", `this hive has no device ${deviceLabel(id)}`, "See `rbee hives ls`"))
        : Effect.succeed(found)
    })
  }

  /** The GPU with most memory, or the CPU where there is none. */
  readonly strongest: Effect.Effect<Device> = Effect.suspend(() =>
    Effect.map(this.look(), () =>
      supplies(this.machine).reduce((best, each) =>
        each.id !== "cpu" && (best.id === "cpu" || each.supply.totalBytes > best.supply.totalBytes) ? each : best
      )
    )
  )

  /** Refuses a device that is out of service. */
  inService(id: DeviceId): Effect.Effect<void, RbeeError<"WORKER_START_FAILED">> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const until = this.degraded.get(id) ?? 0
      if (until <= now) return Effect.void
      const seconds = Math.ceil((until - now) / 1000)
      return Effect.fail(
        rbeeError(
          "WORKER_START_FAILED",
          `${deviceLabel(id)} is out of service for ${seconds} s more: its workers kept failing`,
          "Use another device, or see `rbee logs worker`",
          { device: id, until, degraded: true }
        )
      )
    })
  }

  /** A worker took its memory (see `Ledger.settle`): older figures of the device do not show it. */
  settle(id: string, bytes: number, shown: number | undefined): Effect.Effect<void, CatalogError> {
    return Effect.suspend(() => {
      this.lookedAt = Number.NEGATIVE_INFINITY
      return this.ledger.settle(id, bytes, shown)
    })
  }

  /** Has the ledger the memory that was booked for a worker, now that its process is gone? */
  hasRoomAgain(worker: WorkerId, device: DeviceId): Effect.Effect<boolean> {
    return this.device(device, true).pipe(
      Effect.map(({ supply }) => {
        return this.ledger.available(supply, new Set([worker])) >= (this.ledger.bytesOf(worker) ?? 0)
      }),
      Effect.orElseSucceed(() => true)
    )
  }

  /** A worker's process has gone: what it held comes back a moment later. */
  left(id: DeviceId): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => void this.leftAt.set(id, now))
  }

  /** Do the device's figures still show what a process held that has gone? */
  isComingBack(id: DeviceId): Effect.Effect<boolean> {
    return Effect.map(
      Clock.currentTimeMillis,
      (now) => now - (this.leftAt.get(id) ?? Number.NEGATIVE_INFINITY) < backMs
    )
  }

  degrade(id: DeviceId): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (now) => void this.degraded.set(id, now + degradedMs))
  }

  beats(now: number): ReadonlyArray<DeviceBeat> {
    return supplies(this.machine).map(({ id, supply }): DeviceBeat => {
      const amounts = {
        free_mb: Math.floor(this.ledger.available(supply) / 1e6),
        leased_mb: toMb(this.ledger.leased(id)),
        measured_mb: Math.floor(supply.freeBytes / 1e6)
      }
      const until = this.degraded.get(id) ?? 0
      return until > now ? { id, state: "degraded", until, ...amounts } : { id, state: "healthy", ...amounts }
    })
  }
}

/** What a measurement is kept under. */
export const measureKey = (
  device: DeviceId,
  file: string,
  { context, slots }: Shape,
  kvType: KvType,
  { hasProcess, id }: Pick<WorkerKind, "hasProcess" | "id">
): string => `${device} ${context}x${slots} ${kvType} ${hasProcess ? `${id} ` : ""}${file}`

/** What a device could give if others went. */
export interface Most {
  /** bytes, with every worker gone that is not pinned */
  readonly bytes: number
  /** the longest context, tokens, with nobody else on it */
  readonly context: number
}

/** 409 from one hive: the amounts of one candidate, and what it could give if others went. */
export const noRoom = (
  device: DeviceId,
  neededBytes: number,
  availableBytes: number,
  most?: Most
): RbeeError<"VRAM_EXHAUSTED"> => {
  const [needed, available] = [toMb(neededBytes), Math.floor(availableBytes / 1e6)]
  // in whole MB, and on the same side of what is needed as in bytes: whoever reads it waits for it, or does not
  const mostMb = ({ bytes }: Most): number => {
    const mb = Math.floor(bytes / 1e6)
    return bytes >= neededBytes ? Math.max(needed, mb) : Math.min(needed - 1, mb)
  }
  return rbeeError(
    "VRAM_EXHAUSTED",
    `${deviceLabel(device)} has ${available} MB free, ${needed} MB are needed`,
    "Use a smaller model, a shorter context or fewer slots, or free memory",
    {
      status: 409,
      device,
      needed_mb: needed,
      required_mb: needed,
      available_mb: available,
      ...(most === undefined ? {} : { context_max: most.context, most_mb: mostMb(most) })
    }
  )
}
