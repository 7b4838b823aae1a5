/** Devices as this machine tells them: RAM and cores always, GPUs by their drivers' tools, else by a worker's runtime. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Gpu } from "../../machines/vocabulary/device.ts"
import { DeviceProbe, type GpuTeller, type Machine } from "./index.ts"
import { readRam } from "./memory.ts"
import { ask, findTool, type Found, hasDriver } from "./nvidia.ts"
import { hasNvidiaVulkan, hasOwnMemory, hasVulkan, worthMb } from "./vulkan.ts"

export interface ProbeOptions {
  /** where tools are searched, and what the drivers see */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly vulkan: "auto" | "on" | "off"
  /** of the file system, where drivers and libraries are looked for; absent: `/` */
  readonly root?: string
  readonly teller: GpuTeller
}

const none: Found = { gpus: [], driver: undefined }

type Others = Pick<Machine, "gpus" | "lacks">

/** Its runtime would tell of GPUs that no tool tells of. */
const lacking = ({ kind }: GpuTeller): Others => ({ gpus: [], lacks: { kind, backend: "vulkan" } })

/** Where NVIDIA's tool tells of no GPU: its cards speak Vulkan too, and one card is one device. */
const others = async ({ root, teller, vulkan }: ProbeOptions): Promise<Others> => {
  const metal = process.platform === "darwin" ? teller.ask("metal") : undefined
  if (metal !== undefined) return { gpus: await metal }
  if (vulkan === "off" || !hasVulkan(teller.areNamed("vulkan"), root)) return { gpus: [] }
  const found = teller.ask("vulkan")
  if (found !== undefined) return { gpus: await found }
  return vulkan === "on" || hasOwnMemory(root) ? lacking(teller) : { gpus: [] }
}

/** NVIDIA's, by CUDA where that can work, else by Vulkan if the driver has it. */
const nvidias = async (gpus: ReadonlyArray<Gpu>, { root, teller, vulkan }: ProbeOptions): Promise<Others> => {
  if (vulkan === "off" || !hasNvidiaVulkan(root) || (await teller.isFit("cuda"))) return { gpus }
  const asked = teller.ask("vulkan")
  if (asked === undefined) {
    const isWorthIt = vulkan === "on" || gpus.some(({ vram_mb }) => vram_mb >= worthMb)
    // where nothing works the card stays, so that whoever asks for it hears why
    return isWorthIt && (await teller.isFit("vulkan")) ? lacking(teller) : { gpus }
  }
  const found = await asked
  return { gpus: found.length > 0 ? found : gpus }
}

const look = async (options: ProbeOptions): Promise<Machine> => {
  const tool = findTool(options.env["PATH"] ?? "") ?? (hasDriver() ? "/usr/bin/nvidia-smi" : undefined)
  const { gpus, driver } = tool === undefined ? none : await ask(tool)
  return { cpu: readRam(), driver, ...(gpus.length > 0 ? await nvidias(gpus, options) : await others(options)) }
}

export const layerProbe = (options: ProbeOptions): Layer.Layer<DeviceProbe> =>
  Layer.succeed(DeviceProbe, {
    look: Effect.promise(() => look(options)),
    ram: Effect.sync(() => readRam())
  })
