/** Finds and loads the native runtime, once a process and backend. */
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Backend } from "../../../machines/vocabulary/device.ts"
import { type Addon, isAddon, LOG_ERRORS, LOG_WARNINGS, missingFrom } from "./addon.ts"
import { addonOf, backendFolders, packagesOf } from "./packages.ts"

export interface RuntimeOptions {
  /** hears llama.cpp's errors as they happen, with their line breaks: it may abort right after */
  readonly onError?: (text: string) => void
  /** absolute folder that contains `node_modules/@node-llama-cpp/…`; absent: where rbee itself is installed */
  readonly runtime?: string
  readonly gpu: Backend
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

const unavailable = (gpu: Backend, reason: string): RbeeError<"BACKEND_UNAVAILABLE"> =>
  rbeeError(
    "BACKEND_UNAVAILABLE",
    `the llama.cpp runtime for ${gpu.toUpperCase()} cannot be used (${reason})`,
    "Reinstall rbee with its optional dependencies, or choose another device",
    { backend: gpu }
  )

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
  const [name] = packagesOf(options.gpu, process.platform, process.arch)
  if (name === undefined) throw unavailable(options.gpu, `no build for ${process.platform} ${process.arch}`)
  const folders = backendFolders(options.gpu, roots(options.runtime))
  if (folders === undefined) throw unavailable(options.gpu, `${name} is not installed`)
  const loaded: unknown = createRequire(import.meta.url)(addonOf(folders[0]))
  if (!isAddon(loaded)) throw unavailable(options.gpu, `${name} is another version: it lacks ${missingFrom(loaded)}`)
  const log = makeLog()
  loaded.markLoaded()
  loaded.setLogger((level, text) => {
    log.add(text)
    if (level <= LOG_ERRORS) options.onError?.(text)
  })
  loaded.setLoggerLogLevel(LOG_WARNINGS)
  const wanted = options.gpu === "cpu" ? false : options.gpu
  const wrong = (): boolean => {
    const found = loaded.getGpuType()
    return found === undefined || (wanted !== false && found !== wanted)
  }
  // first what is linked in
  loaded.loadBackends()
  for (const folder of folders) if (wrong()) loaded.loadBackends(folder)
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
