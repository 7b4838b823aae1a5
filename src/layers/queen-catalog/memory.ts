/**
 * The queen's catalog in memory. The store outlives the layer: given again it is what the next start of the same queen
 * finds. Every write is durable at once, as the synced one on disk is.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Ids } from "../ids/index.ts"
import type { AuditEntry } from "../../machines/vocabulary/people/usage.ts"
import { type CapabilitiesRow, type HiveRow, type KeyRow, QueenCatalog, type SettingRow } from "./index.ts"

export class MemoryCatalog {
  id: string | undefined
  epoch = 0
  readonly hives = new Map<string, HiveRow>()
  readonly capabilities = new Map<string, CapabilitiesRow>()
  readonly settings = new Map<string, SettingRow>()
  readonly keys = new Map<string, KeyRow>()
  readonly audit: Array<AuditEntry> = []

  /** It cannot be read any more: the next start moves it aside and has an empty one. */
  lose(): void {
    for (const rows of [this.hives, this.capabilities, this.settings, this.keys]) rows.clear()
    this.audit.length = 0
    this.id = undefined
    this.epoch = 0
  }
}

const table = <Row>(rows: Map<string, Row>, keyOf: (row: Row) => string, removed?: (key: string) => void) => ({
  all: Effect.sync(() => [...rows.values()]),
  get: (key: string) => Effect.sync(() => rows.get(key)),
  put: (row: Row) => Effect.sync(() => void rows.set(keyOf(row), row)),
  remove: (key: string) =>
    Effect.sync(() => {
      rows.delete(key)
      removed?.(key)
    })
})

/** Counts a start of the queen each time it is built. */
export const layerMemory = (store: MemoryCatalog): Layer.Layer<QueenCatalog, never, Ids> =>
  Layer.effect(
    QueenCatalog,
    Effect.gen(function* () {
      const ids = yield* Ids
      store.id ??= yield* ids.make("queen")
      return {
        identity: { id: store.id, epoch: ++store.epoch },
        hives: table(
          store.hives,
          ({ id }) => id,
          (id) => store.capabilities.delete(id)
        ),
        capabilities: table(store.capabilities, ({ hive }) => hive),
        settings: table(store.settings, ({ name }) => name),
        keys: table(store.keys, ({ name }) => name),
        audit: {
          add: (entry) => Effect.sync(() => void store.audit.push({ id: store.audit.length + 1, ...entry })),
          newest: (limit) => Effect.sync(() => store.audit.toReversed().slice(0, limit))
        }
      }
    })
  )
