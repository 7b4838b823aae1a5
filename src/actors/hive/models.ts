/** The models of a hive: its catalog, checked against the disk at each use. */
import * as Effect from "effect/Effect"
import type { CatalogError, ModelRow } from "../../layers/hive-catalog/index.ts"
import type { PublishedModel, ResolvedModel } from "../../layers/models/index.ts"
import type { ModelView } from "../../machines/vocabulary/model.ts"
import type { Ports } from "./ports.ts"

export const rowOf = (model: ResolvedModel, { file, sha256, facts }: PublishedModel, addedAt: number): ModelRow => ({
  ref: model.ref,
  file,
  bytes: facts.fileBytes,
  sha256,
  architecture: facts.architecture,
  parameters: facts.parameters,
  context: facts.trainedContext,
  quantization: facts.quantization,
  owned: model.inPlace === undefined,
  addedAt,
  lastUsedAt: undefined
})

export const viewOf = (row: ModelRow, pinned: boolean): ModelView => ({
  model_ref: row.ref,
  file: row.file,
  bytes: row.bytes,
  ...(row.sha256 === undefined ? {} : { sha256: row.sha256 }),
  ...(row.architecture === undefined ? {} : { architecture: row.architecture }),
  ...(row.parameters === undefined ? {} : { parameters: row.parameters }),
  ...(row.context === undefined ? {} : { context: row.context }),
  ...(row.quantization === undefined ? {} : { quantization: row.quantization }),
  ...(row.lastUsedAt === undefined ? {} : { last_used_at: row.lastUsedAt }),
  pinned
})

/** The model of this canonical reference; a row whose file is gone or has another size is forgotten. */
export const findModel = (ports: Ports, ref: string): Effect.Effect<ModelRow | undefined, CatalogError> =>
  Effect.gen(function* () {
    const row = (yield* ports.catalog.models.all).find((each) => each.ref === ref)
    if (row === undefined) return undefined
    if (yield* ports.models.isThere(row.file, row.bytes)) return row
    yield* ports.catalog.models.remove(ref)
    return undefined
  })

/** Fills an empty catalog from the files that are there; what is no longer a model stays out of it. */
export const rebuild = (ports: Ports, now: number): Effect.Effect<number, CatalogError> =>
  Effect.gen(function* () {
    let count = 0
    for (const { ref, file } of yield* ports.models.published) {
      const facts = yield* Effect.option(ports.models.inspect(file))
      if (facts._tag === "None") continue
      const model: ResolvedModel = { ref, name: "", bytes: 0, sha256: undefined, inPlace: undefined, partial: 0 }
      yield* ports.catalog.models.put(rowOf(model, { file, sha256: undefined, facts: facts.value }, now))
      count++
    }
    return count
  })
