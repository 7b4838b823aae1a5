/** Devices as this machine tells them: RAM and cores always, GPUs by their drivers' tools. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DeviceProbe, type Machine } from "./index.ts"
import { readRam } from "./memory.ts"
import { ask, findTool, type Found, hasDriver } from "./nvidia.ts"

const none: Found = { gpus: [], driver: undefined }

const look = async (path: string): Promise<Machine> => {
  const tool = findTool(path) ?? (hasDriver() ? "/usr/bin/nvidia-smi" : undefined)
  const { gpus, driver } = tool === undefined ? none : await ask(tool)
  return { cpu: readRam(), gpus, driver }
}

/** `path`: where tools are searched, as in the environment. */
export const layerProbe = (path: string = process.env["PATH"] ?? ""): Layer.Layer<DeviceProbe> =>
  Layer.succeed(DeviceProbe, {
    look: Effect.promise(() => look(path)),
    ram: Effect.sync(() => readRam())
  })
