/** What lies in the cache that all tools of Hugging Face share: each file under the name that the hub has it by. */
import { readFile, realpath } from "node:fs/promises"
import { join } from "node:path"
import * as Either from "effect/Either"
import { partsOf } from "../../../machines/formats/gguf/split.ts"
import { quantOf, variantsOf } from "../../../machines/formats/hub-names.ts"
import { parseModelRef } from "../../../machines/formats/model-ref.ts"
import type { ModelRef } from "../../../machines/vocabulary/ids.ts"
import { type Entry, entriesOf, type Findings, problemOf } from "./finding.ts"

/** `models--author--repo` */
const repoFolder = /^models--([^/]+?)--([^/]+)$/
export const isRepo = (name: string): boolean => repoFolder.test(name)

const refOf = (text: string): ReadonlyArray<ModelRef> => {
  const parsed = parseModelRef(text)
  return Either.isRight(parsed) && parsed.right._tag === "Hub" ? [parsed.right.ref] : []
}

interface Snapshot {
  readonly repo: string
  /** "" for what the repository's main branch last was, else `@COMMIT` */
  readonly at: string
  readonly folder: string
}

/** All files of a snapshot, by their path in the repository. */
const filesOf = async (
  folder: string,
  found: Findings,
  above = ""
): Promise<ReadonlyArray<Entry & { readonly inRepo: string }>> => {
  const entries = await entriesOf(folder).catch((error: unknown) => {
    found.skip(folder, problemOf(error))
    return []
  })
  const deep = entries.map(async (entry) => {
    const inRepo = `${above}${entry.name}`
    return entry.kind === "folder" ? filesOf(entry.path, found, `${inRepo}/`) : [{ ...entry, inRepo }]
  })
  return (await Promise.all(deep)).flat()
}

const findInSnapshot = async ({ at, folder, repo }: Snapshot, found: Findings): Promise<number> => {
  const files = (await filesOf(folder, found)).filter(({ inRepo }) => /\.gguf$/i.test(inRepo))
  const whole = files.filter(({ inRepo, kind }) => kind === "file" && partsOf(inRepo)[0] === inRepo)
  for (const { inRepo, kind, path } of files) {
    const name = `HF:${repo}:${inRepo}${at}`
    if (kind === "broken link") found.skip(name, "its link leads nowhere: it was removed, or is half downloaded")
    const [ref] = refOf(name)
    if (ref === undefined || !whole.some((each) => each.inRepo === inRepo)) continue
    const quant = quantOf(inRepo)
    const isOnly = variantsOf(inRepo).size === 0 && whole.filter((each) => quantOf(each.inRepo) === quant).length === 1
    const blob = (await realpath(path).catch(() => "")).split(/[/\\]/).at(-1) ?? ""
    found.candidates.push({
      ref,
      names: quant !== undefined && isOnly ? refOf(`HF:${repo}:${quant}${at}`) : [],
      file: path,
      sha256: /^[0-9a-f]{64}$/.test(blob) ? blob : undefined,
      remark: undefined
    })
  }
  return files.length
}

/** Looks through one folder of the cache. */
export const findInRepo = async ({ name, path }: Entry, found: Findings): Promise<void> => {
  const [, author = "", repository = ""] = repoFolder.exec(name) ?? []
  const repo = `${author}/${repository}`
  const main = (await readFile(join(path, "refs", "main"), "utf8").catch(() => "")).trim()
  const quietly = (folder: string) => entriesOf(folder).catch(() => [])
  const before = found.skipped.length
  for (const blob of await quietly(join(path, "blobs")))
    if (blob.name.endsWith(".incomplete")) found.skip(`${blob.path}`, "it is half downloaded")
  let count = 0
  const snapshots = await entriesOf(join(path, "snapshots")).catch((error: unknown) => {
    if (problemOf(error) !== "it is not there") found.skip(join(path, "snapshots"), problemOf(error))
    return []
  })
  for (const { kind, name: commit, path: folder } of snapshots)
    if (kind === "folder")
      count += await findInSnapshot({ repo, at: commit === main ? "" : `@${commit}`, folder }, found)
  if (count === 0 && found.skipped.length === before) found.skip(`HF:${repo}`, "it has no GGUF file in the cache")
}
