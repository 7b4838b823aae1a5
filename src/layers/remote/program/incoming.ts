/** Where archives arrive, each in a folder of its own: two queens never write one file. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import type { Answer, Asks } from "../questions.ts"
import { places } from "./places.ts"

/** an archive that arrived so long ago, milliseconds, and is still here, is nobody's */
const staleMs = 60 * 60_000

const isStale = (path: string): boolean => {
  try {
    return Date.now() - statSync(path).mtimeMs > staleMs
  } catch {
    return false // taken away meanwhile
  }
}

export const incoming = ({ name }: Asks["incoming"]): Answer<"incoming"> => {
  mkdirSync(places.incoming, { recursive: true, mode: 0o700 })
  for (const old of readdirSync(places.incoming).map((one) => join(places.incoming, one)))
    if (isStale(old)) rmSync(old, { recursive: true, force: true })
  return { path: join(mkdtempSync(join(places.incoming, "a-")), basename(name)) }
}

/** Takes an archive away that is needed no more; nothing but what `incoming` gave. */
export const discard = ({ archive }: Asks["discard"]): Answer<"discard"> => {
  const folder = dirname(archive)
  if (dirname(folder) === places.incoming && relative(places.incoming, folder).startsWith("a-"))
    rmSync(folder, { recursive: true, force: true })
  const isEmpty = existsSync(places.incoming) && readdirSync(places.incoming).length === 0
  if (isEmpty) rmSync(places.incoming, { recursive: true, force: true })
  return {}
}
