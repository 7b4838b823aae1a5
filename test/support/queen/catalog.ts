/** A queen's catalog in memory; given the same store again it is the next start of the same queen. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  type CapabilitiesRow,
  type HiveRow,
  QueenCatalog,
  type SessionRow,
  type SettingRow
} from "../../../src/layers/queen-catalog/index.ts"

export class CatalogStore {
  epoch = 0
  readonly hives = new Map<string, HiveRow>()
  readonly capabilities = new Map<string, CapabilitiesRow>()
  readonly sessions = new Map<string, SessionRow>()
  readonly settings = new Map<string, SettingRow>()
}

const table = <Row>(rows: Map<string, Row>, keyOf: (row: Row) => string) => ({
  all: Effect.sync(() => [...rows.values()]),
  get: (key: string) => Effect.sync(() => rows.get(key)),
  put: (row: Row) => Effect.sync(() => void rows.set(keyOf(row), row)),
  remove: (key: string) => Effect.sync(() => void rows.delete(key))
})

export const layerCatalog = (store: CatalogStore): Layer.Layer<QueenCatalog> =>
  Layer.sync(QueenCatalog, () => ({
    identity: { id: "queen-test", epoch: ++store.epoch },
    movedAside: undefined,
    hives: table(store.hives, ({ id }) => id),
    capabilities: table(store.capabilities, ({ hive }) => hive),
    sessions: table(store.sessions, ({ id }) => id),
    settings: table(store.settings, ({ name }) => name)
  }))
