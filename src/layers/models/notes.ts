/**
 * What is known of each model beside its file, in one small JSON file each: so that a lost catalog can be rebuilt with
 * what people wanted of their models, and nothing that others brought is taken for ours.
 */
import { createHash } from "node:crypto"
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../machines/formats/json/decode.ts"
import type { ModelNote } from "./index.ts"
import type { Copy } from "../../machines/policy/model-gc.ts"
import { type HiveId, ModelRef } from "../../machines/vocabulary/ids.ts"

const Note = Schema.parseJson(
  Schema.Struct({
    ref: ModelRef,
    file: Schema.String,
    sha256: Schema.optional(Schema.String),
    owned: Schema.Boolean,
    pinned: Schema.Boolean,
    why: Schema.optional(Schema.String),
    names: Schema.optional(Schema.Array(ModelRef)),
    addedAt: Schema.Number,
    lastUsedAt: Schema.optional(Schema.Number)
  })
)
const decode = decoder(Note)

const readNote = async (file: string): Promise<ModelNote | undefined> => {
  const note = decode(await readFile(file, "utf8").catch(() => ""))
  const isThere = Either.isRight(note) && (await stat(note.right.file).catch(() => undefined))?.isFile() === true
  return isThere ? { sha256: undefined, why: undefined, lastUsedAt: undefined, ...note.right } : undefined
}

/** Beside the models, in the hive's folder. */
export const notesFolder = (hive: string): string => join(hive, "notes")

/** Of the models of a hive of this machine, by its folder, for those who are not that hive: nothing is changed. */
export const notesIn = async (hive: string): Promise<ReadonlyArray<ModelNote>> => {
  const folder = notesFolder(hive)
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json"))
  return (await Promise.all(names.map((name) => readNote(join(folder, name))))).flatMap((note) => note ?? [])
}

/** The same as the hive would list them, whose models no worker has loaded. */
export const copiesOnDisk = async (folder: string, hive: HiveId): Promise<ReadonlyArray<Copy>> =>
  Promise.all(
    (await notesIn(folder)).map(async ({ addedAt, file, lastUsedAt, names, owned, pinned, ref, sha256, why }) => ({
      model_ref: ref,
      hive,
      file,
      bytes: (await stat(file).catch(() => undefined))?.size ?? 0,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(why === undefined ? {} : { why }),
      ...(names === undefined ? {} : { names }),
      added_at: addedAt,
      ...(lastUsedAt === undefined ? {} : { last_used_at: lastUsedAt }),
      pinned,
      owned,
      in_use: false
    }))
  )

export const modelNotes = (folder: string) => {
  let written = 0
  const fileOf = (ref: ModelRef) => join(folder, `${createHash("sha256").update(ref).digest("hex").slice(0, 32)}.json`)
  return {
    put: async (note: ModelNote): Promise<void> => {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const beside = `${fileOf(note.ref)}.${written++}.new`
      await writeFile(beside, JSON.stringify(note), { mode: 0o600 })
      await rename(beside, fileOf(note.ref))
    },
    remove: (ref: ModelRef): Promise<void> => rm(fileOf(ref), { force: true }),
    /** Those whose files are still there; the others are forgotten. */
    all: async (): Promise<ReadonlyArray<ModelNote>> => {
      const found: Array<ModelNote> = []
      for (const name of await readdir(folder).catch(() => [])) {
        const note = await readNote(join(folder, name))
        if (note !== undefined) found.push(note)
        else await rm(join(folder, name), { force: true })
      }
      return found
    }
  }
}
