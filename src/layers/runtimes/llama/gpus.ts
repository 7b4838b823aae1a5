/**
 * GPUs that have no tool of their own but llama.cpp (Vulkan, Metal). It is asked in a child: a driver that crashes or
 * hangs takes nobody with it.
 */
import { execFile } from "node:child_process"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../../machines/formats/json/decode.ts"
import { confine } from "../../process/confine.ts"
import { type Env, nativeEnvironment } from "../../process/environment.ts"
import { llama, visibleVulkan } from "../../../machines/kinds/llama/llama.ts"
import type { GpuTeller } from "../../devices/index.ts"
import { hasCuda } from "./cuda.ts"
import { findBinary, type Places } from "./places.ts"
import { whyUnfit } from "./unfit.ts"
import type { Gpu } from "../../../machines/vocabulary/device.ts"
import { gpuDevice } from "../../../machines/vocabulary/ids.ts"

const timeoutMs = 5000
/** of one machine; more are not asked for */
const devicesMax = 16

/** Prints what the addon in argv[1] says of the GPUs that it would use as backend argv[2]. */
const program = `
const addon = require(process.argv[1])
addon.markLoaded()
addon.setLogger(() => {})
addon.loadBackends()
if (addon.getGpuType() !== process.argv[2]) addon.loadBackends(require("node:path").dirname(process.argv[1]))
const isThere = addon.getGpuType() === process.argv[2]
const names = isThere ? addon.getGpuDeviceInfo().deviceNames : []
const { total, used } = isThere ? addon.getGpuVramInfo() : { total: 0, used: 0 }
process.stdout.write("\\n" + JSON.stringify({ names, total, used }) + "\\n")
`

const Told = Schema.Struct({
  names: Schema.Array(Schema.String),
  /** bytes of all of them together */
  total: Schema.NonNegative,
  used: Schema.NonNegative
})
type Told = typeof Told.Type
const decode = decoder(Schema.parseJson(Told))

type Asked = "vulkan" | "metal"

/** Undefined where the child failed: no GPU, as far as we can tell. */
const tell = (addon: string, backend: Asked, env: Env): Promise<Told | undefined> =>
  new Promise((resolve) => {
    const options = {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      env: nativeEnvironment(env),
      windowsHide: true
    } as const
    const [command, ...args] = confine({ command: process.execPath, args: ["-e", program, addon, backend] })
    execFile(command, args, options, (error, stdout) => {
      // llama.cpp's own words may stand around it
      const line = error === null ? stdout.split("\n").find((each) => each.startsWith("{")) : undefined
      const told = line === undefined ? undefined : decode(line)
      resolve(told === undefined || Either.isLeft(told) ? undefined : told.right)
    })
  })

const gpu = (index: number, name: string, backend: Asked, { total, used }: Told, uuid?: string): Gpu => ({
  id: gpuDevice(index),
  name: name.replace(/ \(.*\)$/, "").slice(0, 64),
  backend,
  ...(uuid === undefined ? {} : { uuid }),
  vram_mb: Math.floor(total / 1e6),
  vram_free_mb: Math.floor(Math.max(0, total - used) / 1e6)
})

/**
 * The GPUs that llama.cpp would use by itself. A single one needs no binding; several are told apart by their number
 * among all of Vulkan's devices, which is what a worker is bound by.
 */
export const askLlama = async (addon: string, backend: Asked, env: Env): Promise<ReadonlyArray<Gpu>> => {
  const all = await tell(addon, backend, env)
  if (all === undefined || all.total === 0) return []
  const [first] = all.names
  if (first !== undefined && all.names.length === 1) return [gpu(0, first, backend, all)]
  const wanted = [...all.names]
  const found: Array<Gpu> = []
  const numbers = env[visibleVulkan]?.split(",") ?? Array.from({ length: devicesMax }, (_, i) => String(i))
  for (const number of numbers) {
    if (wanted.length === 0) break
    // in turn: each has a driver's start-up of its own
    const one = await tell(addon, backend, { ...env, [visibleVulkan]: number })
    const [name] = one?.names ?? []
    if (one === undefined || name === undefined) break
    // what llama.cpp would not use by itself, such as a CPU that plays a GPU
    if (!wanted.includes(name)) continue
    wanted.splice(wanted.indexOf(name), 1)
    found.push(gpu(found.length, name, backend, one, number))
  }
  return found
}

/** `root`: of the file system, where drivers and libraries are looked for; absent: `/`. */
export const llamaGpus = (places: Places, env: Env, root?: string): GpuTeller => ({
  kind: llama.id,
  ask: (backend) => {
    const binary = findBinary(places, backend)
    return binary === undefined ? undefined : askLlama(binary.file, backend, env)
  },
  areNamed: (backend) => {
    const visible = llama.backends[backend]?.visible
    return visible !== undefined && env[visible] !== undefined
  },
  isFit: async (backend) => {
    if (backend === "cuda" && !(await hasCuda(env, root))) return false
    return (await whyUnfit(places, backend, env, root)) === undefined
  }
})
