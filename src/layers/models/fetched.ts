/**
 * Which files of a shared cache this hive has fetched, by their references: one small file each, so that a lost catalog
 * can be rebuilt, and nothing that others brought is taken for ours.
 */
import { createHash } from "node:crypto"
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"

export interface Fetched {
  readonly ref: string
  /** absolute */
  readonly file: string
}

const read = (text: string): Fetched | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== "object" || value === null || !("ref" in value) || !("file" in value)) return undefined
    const { ref, file } = value
    return typeof ref === "string" && typeof file === "string" ? { ref, file } : undefined
  } catch {
    return undefined
  }
}

export const fetchedList = (folder: string) => {
  const fileOf = (ref: string) => join(folder, `${createHash("sha256").update(ref).digest("hex").slice(0, 32)}.json`)
  return {
    add: async (ref: string, file: string): Promise<void> => {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const beside = `${fileOf(ref)}.new`
      await writeFile(beside, JSON.stringify({ ref, file }), { mode: 0o600 })
      await rename(beside, fileOf(ref))
    },
    /** Those that are still there; the others are forgotten. */
    all: async (): Promise<ReadonlyArray<Fetched>> => {
      const found: Array<Fetched> = []
      for (const name of await readdir(folder).catch(() => [])) {
        const entry = read(await readFile(join(folder, name), "utf8").catch(() => ""))
        const isThere = entry !== undefined && (await stat(entry.file).catch(() => undefined))?.isFile() === true
        if (isThere) found.push(entry)
        else await rm(join(folder, name), { force: true })
      }
      return found
    }
  }
}
