/** An older rbee: this build under another version. */
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const manifest = readFileSync(join(root, "package.json"), "utf8")

export const { version } = JSON.parse(manifest) as { readonly version: string }
/** V8 knows code that it has compiled by its length: another one, so that nobody runs the other version's from a cache */
export const olderVersion = "0.0.99"
/** built programs of this version */
export const programs = process.env.RBEE_TEST_PROGRAMS ?? join(root, "dist")

/** Makes `folder` the package of the older one, and gives its programs. */
export const plantOlder = (folder: string): string => {
  const dist = join(folder, "dist")
  cpSync(programs, dist, { recursive: true })
  for (const name of ["node_modules", "models"]) symlinkSync(join(root, name), join(folder, name))
  writeFileSync(join(folder, "package.json"), manifest.replace(`"${version}"`, `"${olderVersion}"`))
  for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    if (!/\.(cjs|mjs|js)$/.test(name)) continue
    const text = readFileSync(join(dist, name), "utf8")
    writeFileSync(join(dist, name), text.replaceAll(`"${version}"`, `"${olderVersion}"`))
  }
  return dist
}

/** Puts this version's programs in their place, as an installation over the older one does. */
export const replaceOlder = (dist: string): void => {
  rmSync(dist, { recursive: true })
  cpSync(programs, dist, { recursive: true })
}
