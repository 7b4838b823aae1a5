/** NVIDIA GPUs, by nvidia-smi. Where no driver is to be found nothing is started: the cold path does not pay for it. */
import { execFile } from "node:child_process"
import { accessSync, constants, existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { nativeEnvironment } from "../process/environment.ts"
import type { Gpu } from "../../machines/vocabulary/device.ts"
import { gpuDevice } from "../../machines/vocabulary/ids.ts"

const timeoutMs = 5000
const mebibyte = 1024 * 1024

const query = ["index", "uuid", "name", "memory.total", "memory.free", "driver_version"]

/** The tool, if there is a driver or at least the tool itself. */
export const findTool = (path: string): string | undefined =>
  path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, process.platform === "win32" ? "nvidia-smi.exe" : "nvidia-smi"))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })

export const hasDriver = (): boolean => existsSync("/proc/driver/nvidia") || existsSync("/dev/nvidiactl")

export interface Found {
  readonly gpus: ReadonlyArray<Gpu>
  readonly driver: string | undefined
}

/** One GPU a line, fields separated by ", "; amounts are MiB; what a card does not tell is "[N/A]". */
export const parse = (text: string): Found => {
  const gpus: Array<Gpu> = []
  let driver: string | undefined
  for (const line of text.split("\n")) {
    const fields = line.split(",").map((field) => field.trim())
    const [index, uuid, name, total, free, version] = fields
    if (fields.length < query.length || index === undefined || !/^\d{1,3}$/.test(index)) continue
    const totalMb = megabytes(total)
    // a card without memory of its own to tell cannot be booked
    if (totalMb === undefined) continue
    gpus.push({
      id: gpuDevice(Number(index)),
      name: (name ?? "").replace(/^NVIDIA (GeForce )?/, "") || "NVIDIA GPU",
      backend: "cuda",
      ...(uuid === undefined || !uuid.startsWith("GPU-") ? {} : { uuid }),
      vram_mb: totalMb,
      vram_free_mb: megabytes(free) ?? totalMb
    })
    if (version !== undefined && /^[\d.]+$/.test(version)) driver = version
  }
  return { gpus, driver }
}

const megabytes = (mebibytes: string | undefined): number | undefined => {
  const value = mebibytes === undefined || !/^\d+$/.test(mebibytes) ? undefined : Number(mebibytes)
  return value === undefined ? undefined : Math.floor((value * mebibyte) / 1e6)
}

/** Never fails: a tool that is broken or hangs means no GPUs, as far as we can tell. */
export const ask = (tool: string): Promise<Found> =>
  new Promise((resolve) => {
    const args = [`--query-gpu=${query.join(",")}`, "--format=csv,noheader,nounits"]
    const options = {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      windowsHide: true,
      env: nativeEnvironment(process.env)
    } as const
    execFile(tool, args, options, (error, stdout) =>
      resolve(error === null ? parse(stdout) : { gpus: [], driver: undefined })
    )
  })
