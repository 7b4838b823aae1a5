/** Where native runtimes lie: with rbee itself, or in the hive's folder where it installed them. */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { runtimeName } from "../../../machines/kinds/kind.ts"
import { llama } from "../../../machines/kinds/llama/llama.ts"
import type { Backend } from "../../../machines/vocabulary/device.ts"
import { addonOf, backendFolders, packagesOf } from "../../engine/llama/packages.ts"

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
  join(folder, "runtimes", `${runtimeName(llama, backend)}-${runtimeVersion}`)

/** Where the runtime of a backend that is installed at `root` has its addon (the first), and what it loads. */
export const foldersIn = (root: string, backend: Backend): ReadonlyArray<string> =>
  backendFolders(backend, [root]) ?? []

/** The runtime of a backend, if there is one. */
export const findBinary = (places: Places, backend: Backend): Binary | undefined => {
  const [own] = foldersIn(places.from ?? dirname(fileURLToPath(import.meta.url)), backend)
  if (own !== undefined) return { file: addonOf(own), folder: undefined }
  const folder = placeOf(places, backend)
  const [installed] = existsSync(folder) ? foldersIn(folder, backend) : []
  return installed === undefined ? undefined : { file: addonOf(installed), folder }
}
