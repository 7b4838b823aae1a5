/** The calls of the hive's interface that are about models (docs/api.md#hive). */
import * as Effect from "effect/Effect"
import type { Handlers, InputOf } from "../../protocol/endpoint.ts"
import type { hiveApi } from "../../protocol/hive.ts"
import type { CatalogError, ModelRow } from "../../layers/hive-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { type ParsedRef, parseModelRef } from "../../machines/formats/model-ref.ts"
import { kindFor } from "../../machines/kinds/kind.ts"
import type { ModelView } from "../../machines/vocabulary/model.ts"
import { learnedDialect } from "./models/dialects.ts"
import { scanModels } from "./models/scan.ts"
import { findModel, markModel, removeModel, viewOf } from "./models/models.ts"
import type { ActorSystem } from "../core/system.ts"
import { Parts } from "./common/parts.ts"
import { CurrentHive, HiveWorld, type Ports } from "./common/ports.ts"
import { CurrentDevices } from "./devices/devices.ts"
import { type Ending, open } from "./ending.ts"
import { CurrentDownloads } from "./models/downloads.ts"
import type { CurrentUsage } from "./usage.ts"
import { CurrentWorkers } from "./workers/workers.ts"

export const reference = (text: string): Effect.Effect<ParsedRef, RbeeError<"INVALID_REQUEST">> =>
  Effect.suspend(() => parseModelRef(text))

/** The row of a model that must be here. */
export const present = (
  ports: Ports,
  text: string
): Effect.Effect<ModelRow, RbeeError<"INVALID_REQUEST" | "MODEL_NOT_FOUND"> | CatalogError> =>
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

type Needs = ActorSystem | CurrentHive | CurrentUsage | Ending | HiveWorld | Parts
type Calls = Pick<
  Handlers<typeof hiveApi, Needs>,
  | "provisionModel"
  | "listDownloads"
  | "endDownload"
  | "listModels"
  | "getModel"
  | "readModel"
  | "scanModels"
  | "pinModel"
  | "removeModel"
  | "retryModel"
>

const viewing = Effect.gen(function* () {
  const { catalog } = yield* HiveWorld
  const workers = (yield* Parts).find(CurrentWorkers)
  const pinned = new Set((yield* catalog.pins.all).map(({ file }) => file))
  const quarantined = workers === undefined ? undefined : yield* workers.quarantine.views
  return (row: ModelRow): Effect.Effect<ModelView> =>
    Effect.map(quarantined?.(row) ?? Effect.succeed(undefined), (found) =>
      viewOf(row, { pinned: pinned.has(row.file), inUse: workers?.usesFile(row.file) === true, quarantined: found })
    )
})

const provision = ({
  context,
  device,
  engine,
  evict,
  kv_type,
  model_ref,
  slots
}: InputOf<typeof hiveApi.provisionModel>) =>
  Effect.gen(function* () {
    yield* open
    const parts = yield* Parts
    const ref = yield* reference(model_ref)
    const devices = yield* parts.get(CurrentDevices)
    const target = yield* device === undefined ? devices.strongest : devices.device(device)
    const workers = yield* parts.get(CurrentWorkers)
    const fits = workers.fits(ref, target, { context, slots, kv_type, engine }, new Set(evict))
    const id = yield* (yield* parts.get(CurrentDownloads)).provision(ref, fits)
    return { provision_id: id, events: `/models/provisions/${id}/events` }
  })

export const modelCalls: Calls = {
  provisionModel: provision,
  listDownloads: () => Effect.map(Parts, (parts) => parts.find(CurrentDownloads)?.views ?? []),
  endDownload: ({ id }) =>
    Effect.gen(function* () {
      yield* (yield* (yield* Parts).get(CurrentDownloads)).dismiss(id)
    }),
  listModels: () =>
    Effect.gen(function* () {
      const { catalog } = yield* HiveWorld
      const view = yield* viewing
      return yield* Effect.forEach(yield* catalog.models.all, view)
    }),
  getModel: ({ learn, ref }) =>
    Effect.gen(function* () {
      const ports = yield* HiveWorld
      const row = yield* present(ports, ref)
      const view = yield* (yield* viewing)(row)
      const dialect = learn === true && row.purpose === undefined ? yield* learnedDialect(ports, row) : undefined
      return dialect === undefined ? view : { ...view, dialect }
    }),
  readModel: ({ question, ref }) =>
    Effect.gen(function* () {
      const ports = yield* HiveWorld
      const row = yield* present(ports, ref)
      const found = yield* ports.runtimes.read(kindFor(ports.kinds, row.ref).id, row.file, question)
      if (found !== undefined) return found
      return yield* rbeeError("INVALID_REQUEST", `model ${row.ref} has no vocabulary to be asked`, "", {
        field: "model"
      })
    }),
  scanModels: ({ folders = [] }) =>
    Effect.gen(function* () {
      yield* open
      const { id: hive } = yield* CurrentHive
      const { models, scan } = yield* scanModels(yield* HiveWorld, folders)
      const view = yield* viewing
      const shown = yield* Effect.forEach(models, ({ found: { copies, remark }, isNew, row }) =>
        Effect.map(view(row), (model) => ({
          ...model,
          hive,
          copies,
          is_new: isNew,
          ...(remark === undefined ? {} : { remark })
        }))
      )
      return { hive, folders: scan.folders, models: shown, skipped: scan.skipped }
    }),
  retryModel: ({ ref }) =>
    Effect.gen(function* () {
      const row = yield* present(yield* HiveWorld, ref)
      yield* (yield* (yield* Parts).get(CurrentWorkers)).quarantine.release(row)
    }),
  pinModel: ({ pinned, ref }) =>
    Effect.gen(function* () {
      const ports = yield* HiveWorld
      const row = yield* present(ports, ref)
      yield* markModel(ports, row.ref, { pinned })
    }),
  removeModel: ({ ref }) =>
    Effect.gen(function* () {
      const ports = yield* HiveWorld
      const row = yield* present(ports, ref)
      const workers = yield* (yield* Parts).get(CurrentWorkers)
      yield* workers.unlessUsed(row, removeModel(ports, row))
    })
}
