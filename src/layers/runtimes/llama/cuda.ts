/**
 * CUDA's own libraries, which llama.cpp's builds for it need and do not bring: a driver comes without them. They are
 * looked for as the loader does, and where NVIDIA's installer and Arch put them, which a loader may not know.
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { type Env, toolEnvironment } from "../../process/environment.ts"

export type { Env }

const loaderPath = "LD_LIBRARY_PATH"
const installed = ["usr/local/cuda/lib64", "opt/cuda/lib64"]
/** of llama.cpp's two builds */
const versions = ["13", "12"]
const names = ["libcudart", "libcublas"]

const libraries = (version: string): ReadonlyArray<string> => names.map((name) => `${name}.so.${version}`)

/** The versions that these files make whole. */
const whole = (isThere: (file: string) => boolean): ReadonlyArray<string> =>
  versions.filter((version) => libraries(version).every(isThere))

const versionsIn = (folder: string): ReadonlyArray<string> => whole((file) => existsSync(join(folder, file)))

const foldersOf = (env: Env): ReadonlyArray<string> =>
  (env[loaderPath] ?? "").split(delimiter).filter((folder) => folder !== "")

/** `env`, in which the loader finds what an installer put beside its path. `root`: of the file system. */
export const withCuda = (env: Env, root = "/"): Env => {
  const known = foldersOf(env)
  const more = installed
    .map((folder) => join(root, folder))
    .filter((folder) => !known.includes(folder) && versionsIn(folder).length > 0)
  return more.length === 0 ? env : { ...env, [loaderPath]: [...known, ...more].join(delimiter) }
}

/** What the loader's cache lists and is there; nothing where there is no such tool. */
const cached = (root: string): Promise<ReadonlySet<string>> =>
  new Promise((resolve) => {
    execFile(
      join(root, "sbin/ldconfig"),
      ["-p"],
      { timeout: 5000, killSignal: "SIGKILL", env: toolEnvironment() },
      (_error, stdout) => {
        const lines = [...stdout.matchAll(/^\s*(\S+) \(.*\) => (.+)$/gm)]
        resolve(new Set(lines.flatMap(([, name = "", file = ""]) => (existsSync(file) ? [name] : []))))
      }
    )
  })

/** The versions that a process with this environment would find. */
export const cudaVersions = async (env: Env, root = "/"): Promise<ReadonlyArray<string>> => {
  if (process.platform !== "linux") return []
  const listed = await cached(root)
  const found = new Set([...foldersOf(env).flatMap(versionsIn), ...whole((file) => listed.has(file))])
  return versions.filter((version) => found.has(version))
}

/** Elsewhere than on Linux nobody has looked yet. */
export const hasCuda = async (env: Env, root = "/"): Promise<boolean> =>
  process.platform !== "linux" || (await cudaVersions(env, root)).length > 0
