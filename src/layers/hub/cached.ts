/** What this machine's hive has of Hugging Face, as repositories: so that the hives of other machines get it from here. */
import { realpath, stat } from "node:fs/promises"
import { basename } from "node:path"
import * as Either from "effect/Either"
import { partsOf } from "../../machines/formats/gguf/split.ts"
import { parseModelRef } from "../../machines/formats/model-ref.ts"
import type { ModelNote } from "../models/index.ts"
import { notesIn } from "../models/notes.ts"
import type { HubEntry, HubRepo } from "./index.ts"

/** `…/models--author--repo/snapshots/COMMIT/path/in/repo.gguf` */
const snapshot = /[/\\]snapshots[/\\]([0-9a-f]{40})[/\\](.+)$/

const entryOf = async (file: string, revision: string): Promise<HubEntry | undefined> => {
  const [, commit, path] = snapshot.exec(file) ?? []
  const found = await stat(file).catch(() => undefined)
  if (commit === undefined || path === undefined || found === undefined) return undefined
  // a blob is named by its hash
  const blob = basename(await realpath(file).catch(() => ""))
  return {
    path: path.replaceAll("\\", "/"),
    file,
    bytes: found.size,
    at: { commit, revision },
    ...(/^[0-9a-f]{64}$/.test(blob) ? { sha256: blob } : {})
  }
}

const entriesOf = async ({ file, ref }: ModelNote): Promise<HubRepo | undefined> => {
  const parsed = Either.getOrUndefined(parseModelRef(ref))
  if (parsed?._tag !== "Hub") return undefined
  const { author, repo, revision = "main" } = parsed
  const files = await Promise.all(partsOf(file).map((part) => entryOf(part, revision)))
  return { author, repo, files: files.flatMap((entry) => entry ?? []) }
}

/** `folder`: of the hive. Looked at anew each time; it is the hive's, and nothing in it is changed. */
export const cachedRepos = async (folder: string): Promise<ReadonlyArray<HubRepo>> => {
  // where a revision has meant several commits, the later one is what it means
  const notes = (await notesIn(folder)).toSorted((a, b) => b.addedAt - a.addedAt)
  const repos = new Map<string, { author: string; repo: string; files: Array<HubEntry> }>()
  for (const found of await Promise.all(notes.map(entriesOf))) {
    if (found === undefined || found.files.length === 0) continue
    const { author, files, repo } = found
    const known = repos.get(`${author}/${repo}`) ?? { author, repo, files: [] }
    const isNew = ({ at, path }: HubEntry) =>
      !known.files.some((each) => each.path === path && each.at?.revision === at?.revision)
    known.files.push(...files.filter(isNew))
    repos.set(`${author}/${repo}`, known)
  }
  return [...repos.values()]
}
