/** The calls of the hive's interface that are about models (docs/api.md#hive). */
import * as Effect from "effect/Effect"
import type { HiveCalls } from "../../protocol/hive.ts"
import type { ModelRow } from "../../layers/hive-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { type ModelRef, parseModelRef } from "../../machines/formats/model-ref.ts"
import type { ModelView } from "../../machines/vocabulary/model.ts"
import { findModel, markModel, removeModel, viewOf } from "./models/models.ts"
import { type Parts, restarting } from "./parts.ts"
import type { Ports } from "./common/ports.ts"

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

type Calls = Pick<HiveCalls, "listModels" | "getModel" | "pinModel" | "removeModel" | "retryModel">

export const modelCalls = (ports: Ports, parts: Parts): Calls => {
  const viewing = Effect.gen(function* () {
    const { workers } = parts
    const pinned = new Set((yield* ports.catalog.pins.all).map(({ file }) => file))
    const quarantined = workers === undefined ? undefined : yield* workers.quarantine.views
    return (row: ModelRow): Effect.Effect<ModelView> =>
      Effect.map(quarantined?.(row) ?? Effect.succeed(undefined), (found) =>
        viewOf(row, { pinned: pinned.has(row.file), inUse: workers?.usesFile(row.file) === true, quarantined: found })
      )
  })
  const awake = Effect.suspend(() => (parts.workers === undefined ? restarting() : Effect.succeed(parts.workers)))

  return {
    listModels: () =>
      Effect.gen(function* () {
        const view = yield* viewing
        return yield* Effect.forEach(yield* ports.catalog.models.all, view)
      }),
    getModel: ({ ref }) =>
      Effect.gen(function* () {
        const row = yield* present(ports, ref)
        return yield* (yield* viewing)(row)
      }),
    retryModel: ({ ref }) =>
      Effect.gen(function* () {
        const row = yield* present(ports, ref)
        yield* (yield* awake).quarantine.release(row)
      }),
    pinModel: ({ pinned, ref }) =>
      Effect.gen(function* () {
        const row = yield* present(ports, ref)
        yield* markModel(ports, row.ref, { pinned })
      }),
    removeModel: ({ ref }) =>
      Effect.gen(function* () {
        const row = yield* present(ports, ref)
        const workers = yield* awake
        yield* workers.unlessUsed(row, removeModel(ports, row))
      })
  }
}
