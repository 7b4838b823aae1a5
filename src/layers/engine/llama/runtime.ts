/** Finds and loads the native runtime, once a process and backend. */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import { type Addon, isAddon, LOG_WARNINGS, missingFrom } from "./addon.ts"

export type Gpu = "cpu" | "cuda" | "vulkan" | "metal"

export interface RuntimeOptions {
  /** absolute folder that contains `node_modules/@node-llama-cpp/…`; absent: where rbee itself is installed */
  readonly runtime?: string
  readonly gpu: Gpu
}

export interface Runtime {
  readonly addon: Addon
  /** "CPU", "CUDA", "VULKAN", "METAL" */
  readonly backend: string
  /**
   * A place in llama.cpp's log of warnings and errors; the function gives the lines since. A load that fails says why
   * there and nowhere else.
   */
  readonly mark: () => () => ReadonlyArray<string>
}

/** The platform package that holds the binary of `gpu`, and the one beside it with the CUDA fallback libraries. */
export const packagesOf = (gpu: Gpu, platform: string, arch: string): ReadonlyArray<string> => {
  const scope = "@node-llama-cpp"
  if (platform === "darwin") {
    if (arch === "arm64") return gpu === "cpu" || gpu === "metal" ? [`${scope}/mac-arm64-metal`] : []
    return gpu === "cpu" && arch === "x64" ? [`${scope}/mac-x64`] : []
  }
  const system = platform === "win32" ? "win" : platform
  if (system !== "linux" && system !== "win") return []
  if (gpu === "cpu") return [`${scope}/${system}-${system === "linux" && arch === "arm" ? "armv7l" : arch}`]
  if (arch !== "x64" || gpu === "metal") return []
  const name = `${scope}/${system}-x64-${gpu}`
  return gpu === "cuda" ? [name, `${name}-ext`] : [name]
}

const unavailable = (gpu: Gpu, reason: string): RbeeError<"BACKEND_UNAVAILABLE"> =>
  rbeeError(
    "BACKEND_UNAVAILABLE",
    `the llama.cpp runtime for ${gpu.toUpperCase()} cannot be used (${reason})`,
    "Reinstall rbee with its optional dependencies, or choose another device",
    { backend: gpu }
  )

/** The folder `bins/{folder}` of an installed platform package; it is named like the package that has the binary. */
const binaries = (name: string, folder: string, from: ReadonlyArray<string>): string | undefined => {
  for (const root of from) {
    try {
      const entry = createRequire(join(root, "package.json")).resolve(name)
      const found = join(dirname(entry), "..", "bins", folder)
      if (existsSync(found)) return found
    } catch {
      // not installed here: the next root
    }
  }
  return undefined
}

const roots = (runtime: string | undefined): ReadonlyArray<string> => {
  const place = runtime ?? dirname(fileURLToPath(import.meta.url))
  try {
    // an installer that does not hoist puts the platform package beside node-llama-cpp only
    const entry = createRequire(join(place, "package.json")).resolve("node-llama-cpp")
    return [place, dirname(dirname(entry))]
  } catch {
    return [place]
  }
}

/** the last lines, few enough to keep for the life of a process */
const makeLog = () => {
  const lines: Array<string> = []
  let total = 0
  return {
    add: (text: string): void => {
      lines.push(text.trimEnd())
      total++
      if (lines.length > 100) lines.shift()
    },
    mark: () => {
      const from = total
      return (): ReadonlyArray<string> => (total > from ? lines.slice(from - total) : [])
    }
  }
}

const load = async (options: RuntimeOptions): Promise<Runtime> => {
  const [name, extension] = packagesOf(options.gpu, process.platform, process.arch)
  if (name === undefined) throw unavailable(options.gpu, `no build for ${process.platform} ${process.arch}`)
  const from = roots(options.runtime)
  const platform = name.slice(name.indexOf("/") + 1)
  const folder = binaries(name, platform, from)
  if (folder === undefined) throw unavailable(options.gpu, `${name} is not installed`)
  const loaded: unknown = createRequire(import.meta.url)(join(folder, "llama-addon.node"))
  if (!isAddon(loaded)) throw unavailable(options.gpu, `${name} is another version: it lacks ${missingFrom(loaded)}`)
  const log = makeLog()
  loaded.markLoaded()
  loaded.setLogger((_level, text) => log.add(text))
  loaded.setLoggerLogLevel(LOG_WARNINGS)
  const wanted = options.gpu === "cpu" ? false : options.gpu
  // The same three steps as node-llama-cpp: what is linked in, what lies beside the binary, the CUDA fallback.
  const wrong = (): boolean => {
    const found = loaded.getGpuType()
    return found === undefined || (wanted !== false && found !== wanted)
  }
  loaded.loadBackends()
  if (wrong()) loaded.loadBackends(folder)
  if (wrong()) {
    const beside = extension === undefined ? undefined : binaries(extension, platform, from)
    loaded.loadBackends(join(beside ?? folder, "fallback"))
  }
  if (wrong()) throw unavailable(options.gpu, "no such device answers")
  await loaded.init()
  return { addon: loaded, backend: options.gpu.toUpperCase(), mark: log.mark }
}

const loaded = new Map<string, Promise<Runtime>>()

/**
 * The runtime of these options; loading it takes about 20 ms here. Rejects with RbeeError BACKEND_UNAVAILABLE. A
 * failure is not remembered: the package may be installed later.
 */
export const loadRuntime = (options: RuntimeOptions): Promise<Runtime> => {
  const key = `${options.gpu} ${options.runtime ?? ""}`
  const known = loaded.get(key)
  if (known !== undefined) return known
  const loading = load(options).catch((cause: unknown) => {
    loaded.delete(key)
    if (cause instanceof RbeeError) throw cause
    const [reason = ""] = (cause instanceof Error ? cause.message : String(cause)).split("\n", 1)
    // the loader's messages name files by their full path, which is nobody's business
    throw unavailable(options.gpu, reason.replace(/\S*[/\\]/g, ""))
  })
  loaded.set(key, loading)
  return loading
}
