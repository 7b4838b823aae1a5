/** The small ports of a simulated process: ids, turns, devices, worker runtimes. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DeviceProbe, type Machine as MachineFacts } from "../../layers/devices/index.ts"
import { Ids } from "../../layers/ids/index.ts"
import type { Backend } from "../../machines/vocabulary/device.ts"
import { Runtimes } from "../../layers/runtimes/index.ts"
import { Turns } from "../../layers/turns/index.ts"
import type { SimProcess } from "./process.ts"
import { cpuDevice } from "../../machines/vocabulary/ids.ts"

export const layerIds = (process: SimProcess): Layer.Layer<Ids> =>
  Layer.succeed(Ids, { make: (prefix) => Effect.sync(() => `${prefix}-${process.kernel.random.hex(16)}`) })

/** A turn ends when nothing of this moment is left to do. */
export const layerTurns = (process: SimProcess): Layer.Layer<Turns> =>
  Layer.succeed(Turns, { atEndOfTurn: (work) => void process.at(0, work) })

/** A hive's devices: what is there, less what living processes have taken. */
export const layerDevices = (process: SimProcess): Layer.Layer<DeviceProbe> => {
  const { machine } = process
  const cpu = (): MachineFacts["cpu"] => ({
    cores: 4,
    ramBytes: machine.spec.ramBytes,
    ramFreeBytes: machine.freeBytes(cpuDevice)
  })
  return Layer.succeed(DeviceProbe, {
    ram: Effect.sync(cpu),
    look: Effect.sync(() => ({
      cpu: cpu(),
      gpus: machine.spec.gpus.map(({ bytes, id }) => ({
        id,
        name: "simulated",
        backend: "cuda" as const,
        uuid: `uuid-${id}`,
        vram_mb: Math.floor(bytes / 1e6),
        vram_free_mb: Math.floor(machine.freeBytes(id) / 1e6)
      })),
      driver: machine.spec.gpus.length > 0 ? "cuda 1" : undefined
    }))
  })
}

/** The worker runtimes of a hive: those of `installed`, which grows. `works`: does anything start on its devices now? */
export const layerRuntimes = (installed: Set<Backend>, works: () => boolean): Layer.Layer<Runtimes> => {
  const runtime = { version: "1", folder: undefined }
  return Layer.succeed(Runtimes, {
    find: (_kind, backend) => Effect.sync(() => (installed.has(backend) ? runtime : undefined)),
    install: (_kind, backend) =>
      Effect.sync(() => void installed.add(backend)).pipe(Effect.as(runtime), Effect.delay(200)),
    prove: () => Effect.sync(() => (works() ? ("works" as const) : ("fails" as const))).pipe(Effect.delay(300)),
    learn: () => Effect.succeed(undefined),
    read: () => Effect.succeed(undefined),
    sweep: Effect.void
  })
}
