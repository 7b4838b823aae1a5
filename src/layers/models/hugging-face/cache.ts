/**
 * The cache that all tools of Hugging Face share: `models--author--repo/{blobs/SHA, snapshots/COMMIT/PATH, refs/REV}`.
 * A snapshot is made of relative links into the blobs, so a file is held once, whoever fetched it.
 */
import { lstat, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises"
import { dirname, join, relative, sep } from "node:path"
import type { HubFile } from "../../../machines/formats/hub-files.ts"
import { isSafePath } from "../../../machines/formats/hub-names.ts"
import type { HubRef } from "./api.ts"

/** ours; other tools name theirs in other ways and do not resume them */
export const partSuffix = ".rbee.incomplete"

export interface RepoCache {
  readonly part: (sha256: string) => string
  readonly blob: (sha256: string) => string
  readonly lock: (sha256: string) => string
  readonly snapshot: (commit: string, path: string) => string
  /** Makes a blob known as this file of this commit; gives the path that programs open. */
  readonly link: (sha256: string, commit: string, path: string) => Promise<string>
  /** The file, if it is whole. */
  readonly find: (sha256: string, bytes: number, commit: string, path: string) => Promise<string | undefined>
  /** What is there without asking anybody: the commit that the revision last meant, and its GGUF files. */
  readonly offline: () => Promise<{ readonly commit: string; readonly files: ReadonlyArray<HubFile> } | undefined>
}

const sizeOf = (file: string): Promise<number | undefined> =>
  stat(file).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined
  )

/** Written beside and renamed: a reader sees the old one or the new one. */
const replace = async (file: string, write: (beside: string) => Promise<void>): Promise<void> => {
  await mkdir(dirname(file), { recursive: true })
  const beside = `${file}.rbee.${process.pid}`
  await rm(beside, { force: true })
  await write(beside)
  await rename(beside, file)
}

export const repoCache = (cache: string, ref: HubRef): RepoCache => {
  const name = `models--${ref.author}--${ref.repo}`
  const folder = join(cache, name)
  const revision = ref.revision ?? "main"
  const blob = (sha256: string) => join(folder, "blobs", sha256)
  const snapshot = (commit: string, path: string) => join(folder, "snapshots", commit, ...path.split("/"))

  const link = async (sha256: string, commit: string, path: string) => {
    const file = snapshot(commit, path)
    const target = relative(dirname(file), blob(sha256))
    await replace(file, (beside) => symlink(target, beside))
    if (revision !== commit) await replace(join(folder, "refs", revision), (beside) => writeFile(beside, commit))
    return file
  }

  return {
    part: (sha256) => `${blob(sha256)}${partSuffix}`,
    blob,
    lock: (sha256) => join(cache, ".locks", name, `${sha256}.rbee.lock`),
    snapshot,
    link,
    find: async (sha256, bytes, commit, path) => {
      const file = snapshot(commit, path)
      // Where links are not possible, tools put the file itself there.
      const own = await lstat(file).catch(() => undefined)
      if (own?.isFile() === true && own.size === bytes) return file
      if ((await sizeOf(blob(sha256))) !== bytes) return undefined
      return (await sizeOf(file)) === bytes ? file : link(sha256, commit, path)
    },
    offline: async () => {
      const commit = /^[0-9a-f]{40}$/.test(revision)
        ? revision
        : (await readFile(join(folder, "refs", revision), "utf8").catch(() => "")).trim()
      if (!/^[0-9a-f]{40}$/.test(commit)) return undefined
      const root = join(folder, "snapshots", commit)
      const files: Array<HubFile> = []
      for (const path of await readdir(root, { recursive: true }).catch(() => [])) {
        const bytes = await sizeOf(join(root, path))
        const inRepo = path.split(sep).join("/")
        if (bytes !== undefined && isSafePath(inRepo)) files.push({ path: inRepo, bytes, sha256: undefined })
      }
      return files.length === 0 ? undefined : { commit, files }
    }
  }
}

/** Partial files of ours in the whole cache. */
export const partialsIn = async (cache: string): Promise<ReadonlyArray<string>> => {
  const found: Array<string> = []
  for (const repo of await readdir(cache).catch(() => [])) {
    if (!repo.startsWith("models--")) continue
    const blobs = join(cache, repo, "blobs")
    for (const name of await readdir(blobs).catch(() => []))
      if (name.endsWith(partSuffix)) found.push(join(blobs, name))
  }
  return found
}
