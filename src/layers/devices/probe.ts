/** Devices as this machine tells them: RAM and cores always, GPUs by their drivers' tools, else by llama.cpp. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { llama } from "../../machines/kinds/llama/llama.ts"
import type { Gpu } from "../../machines/vocabulary/device.ts"
import { hasCuda } from "../runtimes/cuda.ts"
import { findBinary, type Places } from "../runtimes/places.ts"
import { whyUnfit } from "../runtimes/unfit.ts"
import { DeviceProbe, type Machine } from "./index.ts"
import { askLlama } from "./llama.ts"
import { readRam } from "./memory.ts"
import { ask, findTool, type Found, hasDriver } from "./nvidia.ts"
import { hasNvidiaVulkan, hasOwnMemory, hasVulkan, worthMb } from "./vulkan.ts"

export interface ProbeOptions extends Places {
  /** where tools are searched, and what the drivers see */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly vulkan: "auto" | "on" | "off"
  /** of the file system, where drivers and libraries are looked for; absent: `/` */
  readonly root?: string
}

/** by which GPUs are seen that no tool tells of */
const vulkanRuntime = { kind: llama.id, backend: "vulkan" } as const

const none: Found = { gpus: [], driver: undefined }

type Others = Pick<Machine, "gpus" | "lacks">

/** Where NVIDIA's tool tells of no GPU: its cards speak Vulkan too, and one card is one device. */
const others = async ({ env, root, vulkan, ...places }: ProbeOptions): Promise<Others> => {
  const metal = process.platform === "darwin" ? findBinary(places, "metal") : undefined
  if (metal !== undefined) return { gpus: await askLlama(metal.file, "metal", env) }
  if (vulkan === "off" || !hasVulkan(env, root)) return { gpus: [] }
  const binary = findBinary(places, "vulkan")
  if (binary !== undefined) return { gpus: await askLlama(binary.file, "vulkan", env) }
  return vulkan === "on" || hasOwnMemory(root) ? { gpus: [], lacks: vulkanRuntime } : { gpus: [] }
}

/** NVIDIA's, by CUDA where that can work, else by Vulkan if the driver has it. */
const nvidias = async (gpus: ReadonlyArray<Gpu>, { env, root, vulkan, ...places }: ProbeOptions): Promise<Others> => {
  if (vulkan === "off" || !hasNvidiaVulkan(root)) return { gpus }
  if ((await hasCuda(env, root)) && (await whyUnfit(places, "cuda", env, root)) === undefined) return { gpus }
  const binary = findBinary(places, "vulkan")
  if (binary === undefined) {
    const isWorthIt = vulkan === "on" || gpus.some(({ vram_mb }) => vram_mb >= worthMb)
    const isUnfit = (await whyUnfit(places, "vulkan", env, root)) !== undefined
    // where nothing works the card stays, so that whoever asks for it hears why
    return isWorthIt && !isUnfit ? { gpus: [], lacks: vulkanRuntime } : { gpus }
  }
  const found = await askLlama(binary.file, "vulkan", env)
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
