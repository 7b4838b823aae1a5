/** Goes through a folder, whoever's it is: what lies in it decides how it is read. */
import { stat } from "node:fs/promises"
import { resolve } from "node:path"
import * as Either from "effect/Either"
import { partsOf } from "../../../machines/formats/gguf/split.ts"
import { parseModelRef } from "../../../machines/formats/model-ref.ts"
import { type Entry, entriesOf, entryAt, type Findings, notLookedAt, problemOf } from "./finding.ts"
import { findInRepo, isRepo } from "./hugging-face.ts"
import { findInOllama } from "./ollama.ts"

/** folders of one look; more is somebody's whole disk */
const foldersMax = 20_000
const depthMax = 24

const halfDownloads = /\.(part|partial|incomplete|crdownload|download|downloadinprogress|aria2|tmp|!qb)$|^downloading_/i

/** A look through one folder: links may lead to where it has been. */
export class Walk {
  private readonly found: Findings
  /** aborted once it has taken long enough: what was found counts */
  private readonly over: AbortSignal
  /** device and number of folders */
  private readonly been = new Set<string>()

  constructor(found: Findings, over: AbortSignal) {
    this.found = found
    this.over = over
  }

  /** Rejects where the folder itself cannot be read. */
  async begin(path: string): Promise<void> {
    const at = resolve(path)
    const entry = await entryAt(at, at.split(/[/\\]/).at(-1) ?? "")
    if (entry.kind === "file") return this.file(entry)
    await this.folder(at, 0)
  }

  private async folder(path: string, depth: number): Promise<void> {
    const { dev, ino } = await stat(path, { bigint: true })
    const id = `${dev}:${ino}`
    if (this.been.has(id)) return
    if (this.been.size >= foldersMax || depth > depthMax)
      return this.found.skip(path, "it was not looked at: the folder has too many within it")
    this.been.add(id)
    const entries = await entriesOf(path)
    const folders = new Set(entries.filter(({ kind }) => kind === "folder").map(({ name }) => name))
    if (folders.has("manifests") && folders.has("blobs")) return findInOllama(path, this.found)
    for (const entry of entries) {
      // the rest of it and of all above it is one line each
      if (this.over.aborted) return this.found.skip(path, notLookedAt)
      await this.entry(entry, depth)
    }
  }

  private async entry(entry: Entry, depth: number): Promise<void> {
    const { kind, name, path } = entry
    try {
      if (kind === "folder" && isRepo(name)) await findInRepo(entry, this.found)
      else if (kind === "folder") await this.folder(path, depth + 1)
      else if (kind === "broken link" && /\.gguf$/i.test(name)) this.found.skip(path, "its link leads nowhere")
      else if (kind === "file") await this.file(entry)
    } catch (error) {
      this.found.skip(path, problemOf(error))
    }
  }

  private async file({ name, path }: Entry): Promise<void> {
    if (halfDownloads.test(name)) {
      if (/gguf|^downloading_|^sha256-/i.test(name)) this.found.skip(path, "it is half downloaded")
      return
    }
    if (!/\.gguf$/i.test(name)) return
    const parts = partsOf(path)
    const [first] = parts
    if (path !== first) {
      // the first speaks for all, where it is there
      if ((await entryAt(first, "")).kind !== "file") this.found.skip(path, "its first part is missing")
      return
    }
    const missing: Array<string> = []
    for (const part of parts) if ((await entryAt(part, "")).kind !== "file") missing.push(part)
    if (missing.length > 0) return this.found.skip(path, `${missing.length} of its ${parts.length} parts are missing`)
    const parsed = parseModelRef(`file:${path}`)
    if (Either.isLeft(parsed)) return this.found.skip(path, `it cannot be asked for: ${parsed.left.what}`)
    const { ref } = parsed.right
    this.found.candidates.push({ ref, names: [], file: path, sha256: undefined, remark: undefined })
  }
}
