/**
 * The store's binary, packed as its makers publish it, where npm's script looks first: nothing is compiled, as for most
 * people.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

export const versionIn = (folder: string): string =>
  (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { readonly version: string }).version

/** `folder`: where it is packed; gives what npm is told by. */
export const withBuiltStore = (folder: string): Record<string, string> => {
  const store = join(root, "node_modules/better-sqlite3")
  const { modules } = process.versions
  const name = `better-sqlite3-v${versionIn(store)}-node-v${modules}-${process.platform}-${process.arch}.tar.gz`
  execFileSync("tar", ["-czf", join(folder, name), "-C", store, "build/Release/better_sqlite3.node"])
  return { npm_config_better_sqlite3_local_prebuilds: folder }
}
