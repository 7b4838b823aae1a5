/** The installed versions: one folder each, never changed once it is there, and the link to the one in use. */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { codeCache } from "../../paths/user-home.ts"
import { identityOf, isAlive } from "../../process/identity.ts"
import type { Answer, Asks } from "../questions.ts"
import { livingHives } from "./hives.ts"
import { places } from "./places.ts"
import { refuse } from "./refuse.ts"

export const folderOf = ({ digest, version }: Asks["use"]): string => join(places.versions, `${version}-${digest}`)

export const currentFolder = (): string | undefined => {
  try {
    return readlinkSync(places.current)
  } catch {
    return undefined
  }
}

const unfinished = ".installing-"
const mark = (start: string): string => createHash("sha256").update(start).digest("hex").slice(0, 12)

/** Where this process builds a version; the name says whose it is. */
export const freshFolder = (): string => {
  const start = identityOf(process.pid)?.start ?? ""
  return join(places.versions, `${unfinished}${process.pid}-${mark(start)}`)
}

const isBeingBuilt = (name: string): boolean => {
  const [pid = "", marked = ""] = name.slice(unfinished.length).split("-")
  const owner = identityOf(Number(pid))
  return owner !== undefined && isAlive(owner) && mark(owner.start) === marked
}

const foldersThere = (): ReadonlyArray<string> => (existsSync(places.versions) ? readdirSync(places.versions) : [])

/** What an installation left that was killed: first of all, for its room may be needed. */
export const sweepUnfinished = (): void => {
  for (const name of foldersThere())
    if (name.startsWith(unfinished) && !isBeingBuilt(name))
      rmSync(join(places.versions, name), { recursive: true, force: true })
}

/** Versions that neither are nor were in use just now, and that no hive was started from. */
const sweepOld = async (keep: ReadonlyArray<string | undefined>): Promise<void> => {
  const living = await livingHives()
  const running = living.map(({ version }) => `${version}-`)
  for (const name of foldersThere()) {
    const isKept = keep.includes(join(places.versions, name)) || running.some((version) => name.startsWith(version))
    if (!name.startsWith(unfinished) && !isKept) rmSync(join(places.versions, name), { recursive: true, force: true })
  }
}

/**
 * Has `current` lead to a version that was built and tried. A question of its own, and the only one that changes what is
 * in use: an installation that nobody waits for any more can change nothing.
 */
export const use = async (ask: Asks["use"]): Promise<Answer<"use">> => {
  const folder = folderOf(ask)
  if (!existsSync(folder))
    return refuse("CONFLICT", `rbee ${ask.version} was removed by another installation`, "Install it again")
  const before = currentFolder()
  const link = `${places.current}.${process.pid}`
  rmSync(link, { force: true })
  symlinkSync(folder, link)
  renameSync(link, places.current)
  await sweepOld([folder, before])
  return { before: before === undefined ? "" : basename(before) }
}

export const uninstall = async (): Promise<Answer<"uninstall">> => {
  const [living] = await livingHives()
  if (living !== undefined)
    return refuse("CONFLICT", `hive ${living.id} runs there`, `Stop it first: rbee hives stop ${living.id}`)
  const removed = existsSync(places.root)
  // the link first: what is cut off in the middle is not installed
  rmSync(places.current, { recursive: true, force: true })
  rmSync(places.root, { recursive: true, force: true })
  const compiled = codeCache()
  if (compiled !== undefined) rmSync(compiled, { recursive: true, force: true })
  return { removed }
}

export const makeVersions = (): void => void mkdirSync(places.versions, { recursive: true, mode: 0o700 })
