/** The folder of parked files: what is in it, and what goes where it would hold too much. */
import { mkdir, readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { isDraft, readName } from "./names.ts"

export interface Found {
  readonly path: string
  /** undefined: it is being written */
  readonly scope: string | undefined
  readonly identity: string | undefined
  readonly bytes: number
  /** milliseconds since 1970 */
  readonly usedAt: number
}

/** A draft that nobody has written to for so long was left by a process that is gone. */
export const draftMs = 10 * 60_000

/** Oldest first. What is no parked file is let be. */
export const filesIn = async (folder: string): Promise<ReadonlyArray<Found>> => {
  const names = await readdir(folder).catch(() => [])
  const found = await Promise.all(
    names.map(async (name): Promise<Found | undefined> => {
      const named = readName(name)
      if (named === undefined && !isDraft(name)) return undefined
      const path = join(folder, name)
      // gone meanwhile: another worker's doing
      const about = await stat(path).catch(() => undefined)
      if (about === undefined) return undefined
      return { path, scope: named?.scope, identity: named?.identity, bytes: about.size, usedAt: about.mtimeMs }
    })
  )
  return found.filter((one) => one !== undefined).toSorted((a, b) => a.usedAt - b.usedAt)
}

export const remove = (path: string): Promise<void> => rm(path, { force: true })

/** Makes room for so many bytes more; the oldest go. False: there is none, whatever went. */
export const makeRoom = async (folder: string, bytes: number, maxBytes: number, now: number): Promise<boolean> => {
  if (bytes > maxBytes) return false
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const files = await filesIn(folder)
  let held = files.reduce((sum, one) => sum + one.bytes, bytes)
  for (const file of files) {
    const isDraftInUse = file.scope === undefined && now - file.usedAt < draftMs
    const isLeft = file.scope === undefined && !isDraftInUse
    if (isDraftInUse || (!isLeft && held <= maxBytes)) continue
    await remove(file.path)
    held -= file.bytes
  }
  return held <= maxBytes
}
