/** Finds the models that are on this machine already; each once, however many names and files it has. */
import { stat } from "node:fs/promises"
import type { ModelFacts } from "../../../machines/formats/gguf/gguf.ts"
import { partsOf } from "../../../machines/formats/gguf/split.ts"
import type { FoundModel, Scan, ScannedFolder } from "../index.ts"
import { type Candidate, entryAt, Findings, notLookedAt, problemOf, type Skipped } from "./finding.ts"
import { type Folder, knownFolders } from "./folders.ts"
import { identityOf, isSame } from "./same.ts"
import { Walk } from "./walk.ts"

/** Names of one file, or of files with the same contents. */
interface Group {
  readonly candidates: Array<Candidate>
  /** of its first file */
  readonly bytes: number
}

/** What may be asked for on any machine comes first, then what Ollama calls it, best without a tag, then paths. */
const rank = (ref: string): number => {
  if (ref.startsWith("HF:")) return 0
  return ref.startsWith("ollama:") ? ref.split(":").length - 1 : 9
}
const byRank = (a: Candidate, b: Candidate): number =>
  rank(a.ref) - rank(b.ref) || a.ref.length - b.ref.length || (a.ref < b.ref ? -1 : 1)

/** By device and number of the file, and by its hash where its store names it so. */
const grouped = async (candidates: ReadonlyArray<Candidate>): Promise<ReadonlyArray<Group>> => {
  const byKey = new Map<string, Group>()
  const groups: Array<Group> = []
  for (const candidate of candidates) {
    const { file, sha256 } = candidate
    const { bytes = 0, id = file } = (await identityOf(file)) ?? {}
    // parts of a split model beside it make it another one
    const keys = [id, ...(sha256 === undefined ? [] : [sha256])].map((key) => `${key} ${partsOf(file).length}`)
    const group = keys.map((key) => byKey.get(key)).find((known) => known !== undefined) ?? { candidates: [], bytes }
    if (group.candidates.length === 0) groups.push(group)
    group.candidates.push(candidate)
    for (const key of keys) byKey.set(key, group)
  }
  return groups
}

/** A file that was named in a folder's place, and gave nothing. */
const otherFile = async (path: string): Promise<string | undefined> =>
  (await entryAt(path, path)).kind === "file" ? "it is a file, and no GGUF" : undefined

const lookThrough = async (
  { kind, path }: Folder,
  isNamed: boolean,
  over: AbortSignal
): Promise<(Findings & { folder: ScannedFolder }) | undefined> => {
  const found = new Findings()
  const trouble = await new Walk(found, over).begin(path).then(() => undefined, problemOf)
  const isEmpty = found.candidates.length === 0 && found.skipped.length === 0
  const problem = isNamed && trouble === undefined && isEmpty ? await otherFile(path) : trouble
  if (problem === "it is not there" && !isNamed) return undefined
  const folder = { path, kind, models: 0, ...(problem === undefined ? {} : { problem }) }
  return Object.assign(found, { folder })
}

const modelOf = (group: Group, facts: ModelFacts): FoundModel => {
  const candidates = group.candidates.toSorted(byRank)
  const [first, ...others] = candidates
  if (first === undefined) throw new Error("a group has a candidate")
  const names = new Set(candidates.flatMap(({ names: own, ref }) => [ref, ...own]))
  names.delete(first.ref)
  const copies = new Set(others.map(({ file }) => file))
  copies.delete(first.file)
  const of = <A>(value: (candidate: Candidate) => A | undefined) =>
    candidates.map(value).find((each) => each !== undefined)
  return {
    ref: first.ref,
    file: first.file,
    names: [...names],
    copies: [...copies],
    sha256: of(({ sha256 }) => sha256),
    remark: of(({ remark }) => remark),
    facts
  }
}

/** Files that are the same without anybody saying so: of one size, with the same facts and the same contents. */
const joined = async (
  models: ReadonlyArray<{ readonly group: Group; readonly facts: ModelFacts }>,
  signal: AbortSignal
): Promise<ReadonlyArray<{ readonly group: Group; readonly facts: ModelFacts }>> => {
  const kept: Array<{ readonly group: Group; readonly facts: ModelFacts }> = []
  for (const model of models) {
    const [own] = model.group.candidates
    let known: Group | undefined
    for (const { facts, group } of kept) {
      const [other] = group.candidates
      if (own === undefined || other === undefined || group.bytes !== model.group.bytes) continue
      if (facts.fileBytes !== model.facts.fileBytes || facts.architecture !== model.facts.architecture) continue
      const isOne = await isSame(own.file, other.file, signal).catch(() => false)
      signal.throwIfAborted()
      if (isOne) known = group
    }
    if (known === undefined) kept.push(model)
    else known.candidates.push(...model.group.candidates)
  }
  return kept
}

/**
 * `named`: folders besides the known ones. `inspect`: the facts of a file, or why it is no model. What it has not come
 * to when it is `over` is said by name; what it has found counts.
 */
export const scan = async (
  known: ReadonlyArray<Folder>,
  named: ReadonlyArray<string>,
  inspect: (file: string) => Promise<ModelFacts | { readonly reason: string }>,
  signal: AbortSignal,
  over: AbortSignal
): Promise<Scan> => {
  const found: Array<Findings & { folder: ScannedFolder }> = []
  const been = new Set<string>()
  const look = async (folder: Folder, isNamed: boolean) => {
    signal.throwIfAborted()
    const at = await stat(folder.path, { bigint: true }).catch(() => undefined)
    const id = at === undefined ? folder.path : `${at.dev}:${at.ino}`
    if (been.has(id)) return
    been.add(id)
    const result = await lookThrough(folder, isNamed, over)
    if (result !== undefined) found.push(result)
  }
  for (const folder of known) await look(folder, false)
  for (const path of named) await look({ path, kind: "folder" }, true)

  const whole: Array<{ readonly group: Group; readonly facts: ModelFacts }> = []
  const skipped: Array<Skipped> = found.flatMap((each) => each.skipped)
  for (const group of await grouped(found.flatMap(({ candidates }) => candidates))) {
    signal.throwIfAborted()
    const [first] = group.candidates.toSorted(byRank)
    if (first === undefined) continue
    const facts = over.aborted ? { reason: notLookedAt } : await inspect(first.file)
    if ("reason" in facts) skipped.push({ name: first.ref.replace(/^file:/, ""), reason: facts.reason })
    else whole.push({ group, facts })
  }
  const models = (await joined(whole, signal)).map(({ facts, group }) => modelOf(group, facts))
  const good = new Set(whole.flatMap(({ group }) => group.candidates))
  return {
    folders: found.map(({ candidates, folder }) => ({
      ...folder,
      models: candidates.filter((each) => good.has(each)).length
    })),
    models,
    skipped: [...new Map(skipped.map((each) => [`${each.name} ${each.reason}`, each])).values()]
  }
}

/** With the folders that this machine's environment knows. */
export const scanAll = (
  home: string,
  named: ReadonlyArray<string>,
  inspect: Parameters<typeof scan>[2],
  signal: AbortSignal,
  over: AbortSignal
): Promise<Scan> => scan(knownFolders(process.env, home), named, inspect, signal, over)
