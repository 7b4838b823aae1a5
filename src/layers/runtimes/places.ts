/** Where native runtimes lie: with rbee itself, or in the hive's folder where it installed them. */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Backend, workerKind } from "../../machines/vocabulary/device.ts"
import { packagesOf } from "../engine/llama/runtime.ts"

/** The lock file pins the same one; a test compares. */
export const runtimeVersion = "3.21.1"

export interface Places {
  /** the hive's folder; runtimes go to `runtimes` in it */
  readonly folder: string
  /** where the search for the runtime that came with rbee starts; absent: this very file */
  readonly from?: string
}

export interface Binary {
  /** the addon */
  readonly file: string
  /** folder that holds node_modules; undefined: the runtime that rbee itself was installed with */
  readonly folder: string | undefined
}

export const packages = (backend: Backend): ReadonlyArray<string> => packagesOf(backend, process.platform, process.arch)

/** The folder of one runtime of ours. */
export const placeOf = ({ folder }: Places, backend: Backend): string =>
  join(folder, "runtimes", `${workerKind(backend)}-${runtimeVersion}`)

/** The addon of a package that is installed at `root`. */
export const binaryIn = (root: string, name: string): string | undefined => {
  try {
    const entry = createRequire(join(root, "package.json")).resolve(name)
    const file = join(dirname(entry), "..", "bins", name.slice(name.indexOf("/") + 1), "llama-addon.node")
    return existsSync(file) ? file : undefined
  } catch {
    return undefined
  }
}

/** The runtime of a backend, if there is one. */
export const findBinary = (places: Places, backend: Backend): Binary | undefined => {
  const [name] = packages(backend)
  if (name === undefined) return undefined
  const own = binaryIn(places.from ?? dirname(fileURLToPath(import.meta.url)), name)
  if (own !== undefined) return { file: own, folder: undefined }
  const folder = placeOf(places, backend)
  const file = existsSync(folder) ? binaryIn(folder, name) : undefined
  return file === undefined ? undefined : { file, folder }
}
