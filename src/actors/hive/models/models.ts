/**
 * The models of a hive: its catalog, checked against the disk at each use. What is known of a model beside its file is
 * noted beside the files too, for the day on which the catalog is lost.
 */
import * as Effect from "effect/Effect"
import type { CatalogError, Marks, ModelRow } from "../../../layers/hive-catalog/index.ts"
import type { ModelNote } from "../../../layers/models/index.ts"
import type { ModelFacts } from "../../../machines/formats/gguf/gguf.ts"
import type { ModelView } from "../../../machines/vocabulary/model.ts"
import type { Ports } from "../common/ports.ts"
import type { ModelRef } from "../../../machines/vocabulary/ids.ts"

export const rowOf = (note: ModelNote, facts: ModelFacts): ModelRow => ({
  ...note,
  bytes: facts.fileBytes,
  architecture: facts.architecture,
  parameters: facts.parameters,
  context: facts.trainedContext,
  tokenBytes: facts.tokenBytes,
  quantization: facts.quantization,
  purpose: facts.measures?.purpose,
  template: facts.template,
  templateHash: undefined
})

const noteOf = (row: ModelRow): ModelNote => {
  const { addedAt, file, lastUsedAt, names, owned, pinned, ref, sha256, why } = row
  return { ref, file, sha256, owned, pinned, why, addedAt, lastUsedAt, ...(names === undefined ? {} : { names }) }
}

interface Circumstances {
  /** a worker of it does not unload */
  readonly pinned: boolean
  readonly inUse: boolean
  readonly quarantined: ModelView["quarantined"]
}

export const viewOf = (row: ModelRow, worker: Circumstances): ModelView => ({
  model_ref: row.ref,
  ...(row.names === undefined ? {} : { names: row.names }),
  file: row.file,
  bytes: row.bytes,
  ...(row.sha256 === undefined ? {} : { sha256: row.sha256 }),
  ...(row.architecture === undefined ? {} : { architecture: row.architecture }),
  ...(row.parameters === undefined ? {} : { parameters: row.parameters }),
  ...(row.context === undefined ? {} : { context: row.context }),
  ...(row.tokenBytes === undefined ? {} : { token_bytes: row.tokenBytes }),
  ...(row.quantization === undefined ? {} : { quantization: row.quantization }),
  purpose: row.purpose ?? "chat",
  template: row.template,
  added_at: row.addedAt,
  ...(row.lastUsedAt === undefined ? {} : { last_used_at: row.lastUsedAt }),
  ...(row.why === undefined ? {} : { why: row.why }),
  pinned: row.pinned || worker.pinned,
  owned: row.owned,
  in_use: worker.inUse,
  ...(worker.quarantined === undefined ? {} : { quarantined: worker.quarantined })
})

/** The model of this canonical reference; a row whose file is gone or has another size is forgotten. */
export const findModel = (ports: Ports, ref: ModelRef): Effect.Effect<ModelRow | undefined, CatalogError> =>
  Effect.gen(function* () {
    const row = (yield* ports.catalog.models.all).find((each) => each.ref === ref)
    if (row === undefined) return undefined
    if (yield* ports.models.isThere(row.file, row.bytes)) return row
    yield* forget(ports, ref)
    return undefined
  })

export const keepModel = (ports: Ports, row: ModelRow): Effect.Effect<void, CatalogError> =>
  Effect.zipRight(ports.catalog.models.put(row), ports.models.note(noteOf(row)))

export const markModel = (ports: Ports, ref: ModelRef, marks: Marks): Effect.Effect<void, CatalogError> =>
  Effect.gen(function* () {
    yield* ports.catalog.models.mark(ref, marks)
    const row = (yield* ports.catalog.models.all).find((each) => each.ref === ref)
    if (row !== undefined) yield* ports.models.note(noteOf(row))
  })

const forget = (ports: Ports, ref: ModelRef): Effect.Effect<void, CatalogError> =>
  Effect.zipRight(ports.catalog.models.remove(ref), ports.models.forget(ref))

/** Forgets the model, and deletes the file if it was ours; a file that has another name here too is left to that one. */
export const removeModel = (ports: Ports, row: ModelRow): Effect.Effect<void, CatalogError> =>
  Effect.gen(function* () {
    yield* forget(ports, row.ref)
    if (!row.owned) return
    const heir = (yield* ports.catalog.models.all).find((each) => each.file === row.file)
    yield* heir === undefined ? ports.models.remove(row.file) : markModel(ports, heir.ref, { owned: true })
  })

/** Fills an empty catalog from the files that are there; what is no longer a model stays out of it. */
export const rebuild = (ports: Ports): Effect.Effect<number, CatalogError> =>
  Effect.gen(function* () {
    let count = 0
    for (const note of yield* ports.models.notes) {
      const facts = yield* Effect.option(ports.models.inspect(note.file))
      if (facts._tag === "None") continue
      yield* ports.catalog.models.put(rowOf(note, facts.value))
      count++
    }
    return count
  })
