/** What is in a hub's folder. */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { isModelFile, type WorkerKinds } from "../../machines/kinds/kind.ts"
import type { HubEntry, HubRepo } from "./index.ts"

const depthMax = 6

/** A name that a reference can have; anything else becomes `-`. */
const nameOf = (text: string): string => text.replace(/[^A-Za-z0-9_.-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "models"

const walk = async (
  folder: string,
  path: ReadonlyArray<string>,
  kinds: WorkerKinds
): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
  if (path.length > depthMax) return []
  const found: Array<ReadonlyArray<string>> = []
  for (const entry of await readdir(join(folder, ...path), { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue
    if (entry.isDirectory()) found.push(...(await walk(folder, [...path, entry.name], kinds)))
    // a link to a file is one: stat decides later
    else if (isModelFile(kinds, entry.name)) found.push([...path, entry.name])
  }
  return found
}

/** Looked at anew for each listing, so that a file that is added is served. Rejects where the folder cannot be read. */
export const reposIn = async (folder: string, kinds: WorkerKinds): Promise<ReadonlyArray<HubRepo>> => {
  const repos = new Map<string, { author: string; repo: string; files: Array<HubEntry> }>()
  for (const parts of await walk(folder, [], kinds)) {
    const file = join(folder, ...parts)
    const found = await stat(file).catch(() => undefined)
    if (found?.isFile() !== true) continue
    const [first = "", second = ""] = parts
    const [author, repo, rest] =
      parts.length === 1
        ? ["local", basename(folder), parts]
        : parts.length === 2
          ? ["local", first, parts.slice(1)]
          : [first, second, parts.slice(2)]
    const id = `${nameOf(author)}/${nameOf(repo)}`
    const entry = repos.get(id) ?? { author: nameOf(author), repo: nameOf(repo), files: [] }
    entry.files.push({ path: rest.join("/"), file, bytes: found.size })
    repos.set(id, entry)
  }
  return [...repos.values()]
}

const digests = new Map<string, Promise<string>>()

/** SHA-256 of a file, in lower-case hex; read once as long as its size and time stay. */
export const digestOf = async (file: string): Promise<string> => {
  const { mtimeMs, size } = await stat(file)
  const key = `${file}\0${size}\0${mtimeMs}`
  const known = digests.get(key)
  if (known !== undefined) return known
  const reading = (async () => {
    const hash = createHash("sha256")
    for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Uint8Array)
    return hash.digest("hex")
  })()
  digests.set(key, reading)
  reading.catch(() => digests.delete(key))
  return reading
}

export const sha256Of = ({ file, sha256 }: HubEntry): Promise<string> =>
  sha256 === undefined ? digestOf(file) : Promise.resolve(sha256)

/** A commit is named by what it contains: a repository that changes has another one. */
const commitOf = async ({ author, files, repo }: HubRepo): Promise<string> => {
  const hash = createHash("sha256").update(`${author}/${repo}\n`)
  for (const { file, path } of files) hash.update(`${path} ${await digestOf(file)}\n`)
  return hash.digest("hex").slice(0, 40)
}

/** What a repository has at a revision, each file with its commit. */
export const filesAt = async (
  repo: HubRepo,
  revision = "main"
): Promise<ReadonlyArray<HubEntry & { readonly commit: string }>> => {
  const made = repo.files.some(({ at }) => at === undefined) ? await commitOf(repo) : ""
  return repo.files.flatMap((entry) => {
    const { commit, revision: name } = entry.at ?? { commit: made, revision: "main" }
    return revision === name || revision === commit ? [Object.assign({}, entry, { commit })] : []
  })
}
