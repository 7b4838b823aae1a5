/** What a look through a folder comes upon, before anything is read of it. */
import { lstat, readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import type { ModelRef } from "../../../machines/vocabulary/ids.ts"

/** A file that may be a model. */
export interface Candidate {
  readonly ref: ModelRef
  /** other references that mean it beyond doubt */
  readonly names: ReadonlyArray<ModelRef>
  /** of a split model the first */
  readonly file: string
  /** lower-case hex, by the store that names its files so */
  readonly sha256: string | undefined
  /** what its owner would do with it that is not done here */
  readonly remark: string | undefined
}

/** What is no model, or not yet, or none that can be used. */
export interface Skipped {
  /** how people know it: a name, or a path */
  readonly name: string
  /** a clause that begins with "it" */
  readonly reason: string
}

export class Findings {
  readonly candidates: Array<Candidate> = []
  readonly skipped: Array<Skipped> = []

  skip(name: string, reason: string): void {
    this.skipped.push({ name, reason })
  }
}

/** Of what a scan has not come to. */
export const notLookedAt = "it was not looked at, the scan took too long: scan it alone"

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown"

/** Why a folder or a file gives nothing, for people. */
export const problemOf = (error: unknown): string => {
  const code = codeOf(error)
  if (code === "ENOENT") return "it is not there"
  if (code === "EACCES" || code === "EPERM") return "it may not be read by the hive's user"
  if (code === "ELOOP") return "its links lead in a circle"
  if (code === "ENOTDIR") return "it is no folder"
  return `it cannot be read (${code})`
}

export interface Entry {
  readonly path: string
  readonly name: string
  readonly kind: "file" | "folder" | "broken link" | "other"
}

/** What a link leads to is what counts. */
export const entryAt = async (path: string, name: string): Promise<Entry> => {
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile() === true) return { path, name, kind: "file" }
  if (found?.isDirectory() === true) return { path, name, kind: "folder" }
  const link = found === undefined ? await lstat(path).catch(() => undefined) : undefined
  return { path, name, kind: link?.isSymbolicLink() === true ? "broken link" : "other" }
}

/** In the order of their names; rejects where the folder cannot be read. */
export const entriesOf = async (folder: string): Promise<ReadonlyArray<Entry>> => {
  const found = (await readdir(folder, { withFileTypes: true })).toSorted((a, b) =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : 0
  )
  const entries: Array<Entry> = []
  for (const one of found) {
    const path = join(folder, one.name)
    // what its folder says of it spares a look at each of many files
    if (one.isFile()) entries.push({ path, name: one.name, kind: "file" })
    else if (one.isDirectory()) entries.push({ path, name: one.name, kind: "folder" })
    else entries.push(await entryAt(path, one.name))
  }
  return entries
}
