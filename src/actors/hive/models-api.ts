/** The calls of the hive's interface that are about models (API.md, Hive). */
import * as Effect from "effect/Effect"
import type { HiveApi } from "../../layers/hive-api/index.ts"
import type { CatalogError, ModelRow } from "../../layers/hive-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { type ModelRef, parseModelRef } from "../../machines/model-ref.ts"
import type { ModelView } from "../../machines/vocabulary/model.ts"
import { findModel, markModel, removeModel, viewOf } from "./models.ts"
import { type Parts, restarting } from "./parts.ts"
import type { Ports } from "./ports.ts"

export const reference = (text: string): Effect.Effect<ModelRef, RbeeError> => Effect.suspend(() => parseModelRef(text))

/** The row of a model that must be here. */
export const present = (ports: Ports, text: string): Effect.Effect<ModelRow, RbeeError> =>
  Effect.gen(function* () {
    const { ref } = yield* reference(text)
    const row = yield* findModel(ports, ref)
    if (row !== undefined) return row
    return yield* rbeeError(
      "MODEL_NOT_FOUND",
      `model ${ref} is not on this hive`,
      `Fetch it: \`rbee models pull ${ref}\``
    )
  })

type Calls = Pick<HiveApi, "listModels" | "getModel" | "pinModel" | "removeModel">

export const modelCalls = (ports: Ports, parts: Parts): Calls => {
  const viewing: Effect.Effect<(row: ModelRow) => ModelView, CatalogError> = Effect.map(
    ports.catalog.pins.all,
    (pins) => {
      const pinned = new Set(pins.map(({ file }) => file))
      return (row) => viewOf(row, { pinned: pinned.has(row.file), inUse: parts.workers?.usesFile(row.file) === true })
    }
  )

  return {
    listModels: () => Effect.zipWith(ports.catalog.models.all, viewing, (rows, view) => rows.map(view)),
    getModel: ({ ref }) => Effect.zipWith(present(ports, ref), viewing, (row, view) => view(row)),
    pinModel: ({ pinned, ref }) =>
      Effect.gen(function* () {
        const row = yield* present(ports, ref)
        yield* markModel(ports, row.ref, { pinned })
      }),
    removeModel: ({ ref }) =>
      Effect.gen(function* () {
        const row = yield* present(ports, ref)
        const { workers } = parts
        if (workers === undefined) return yield* restarting()
        yield* workers.unlessUsed(row, removeModel(ports, row))
      })
  }
}
