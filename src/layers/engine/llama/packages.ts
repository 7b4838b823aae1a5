/** The npm packages that bring llama.cpp's binaries, and where these lie in them. */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import type { Backend } from "../../../machines/vocabulary/device.ts"

/** The platform package that holds the binary of `backend`, and the one beside it with the CUDA fallback libraries. */
export const packagesOf = (backend: Backend, platform: string, arch: string): ReadonlyArray<string> => {
  const scope = "@node-llama-cpp"
  if (platform === "darwin") {
    if (arch === "arm64") return backend === "cpu" || backend === "metal" ? [`${scope}/mac-arm64-metal`] : []
    return backend === "cpu" && arch === "x64" ? [`${scope}/mac-x64`] : []
  }
  const system = platform === "win32" ? "win" : platform
  if (system !== "linux" && system !== "win") return []
  if (backend === "cpu") return [`${scope}/${system}-${system === "linux" && arch === "arm" ? "armv7l" : arch}`]
  if (arch !== "x64" || backend === "metal") return []
  const name = `${scope}/${system}-x64-${backend}`
  return backend === "cuda" ? [name, `${name}-ext`] : [name]
}

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

/**
 * Where llama.cpp's backends lie, best first, in node-llama-cpp's order: beside the addon, and for CUDA the build of the
 * second package, for CUDA 12 and older cards.
 */
export const backendFolders = (
  backend: Backend,
  from: ReadonlyArray<string>
): readonly [beside: string, ...others: ReadonlyArray<string>] | undefined => {
  const [name, extension] = packagesOf(backend, process.platform, process.arch)
  if (name === undefined) return undefined
  const platform = name.slice(name.indexOf("/") + 1)
  const beside = binaries(name, platform, from)
  if (beside === undefined) return undefined
  const fallback = extension === undefined ? undefined : binaries(extension, platform, from)
  return fallback === undefined ? [beside] : [beside, join(fallback, "fallback")]
}

/** The addon in the first of these folders. */
export const addonOf = (folder: string): string => join(folder, "llama-addon.node")

/** The file that makes the addon use a backend; the CPU's is linked in. */
export const libraryOf = (backend: Backend): string => `libggml-${backend}.so`
