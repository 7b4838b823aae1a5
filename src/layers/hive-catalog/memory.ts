/**
 * A hive's catalog in memory. The store outlives the layer: given again it is what the next start of the same hive
 * finds. Every write is durable at once, as the synced one on disk is.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  type DialectRow,
  type ExactKey,
  type ExactRow,
  HiveCatalog,
  type LeaseRow,
  type ModelRow,
  type OwnerRow,
  type QuarantineKey,
  type QuarantineRow,
  type RuntimeRow,
  type WorkerRow
} from "./index.ts"
import type { DeviceId } from "../../machines/vocabulary/ids.ts"

type Pin = { readonly device: DeviceId; readonly file: string }

export class MemoryCatalog {
  readonly models = new Map<string, ModelRow>()
  readonly runtimes = new Map<string, RuntimeRow>()
  readonly leases: Map<string, LeaseRow>
  readonly workers = new Map<string, WorkerRow>()
  readonly pins = new Map<string, Pin>()
  readonly measured = new Map<string, { readonly key: string; readonly bytes: number }>()
  readonly quarantine = new Map<string, QuarantineRow>()
  readonly exact = new Map<string, ExactRow>()
  readonly dialects = new Map<string, DialectRow>()
  owner: OwnerRow | undefined
  /** where an unreadable catalog was put, told once to the next start */
  movedAside: string | undefined

  /** `leases`: a map that somebody watches */
  constructor(leases = new Map<string, LeaseRow>()) {
    this.leases = leases
  }

  /** It cannot be read any more: the next start moves it aside and has an empty one. */
  lose(): void {
    for (const rows of [
      this.models,
      this.runtimes,
      this.leases,
      this.workers,
      this.pins,
      this.measured,
      this.quarantine,
      this.exact,
      this.dialects
    ])
      rows.clear()
    this.owner = undefined
    this.movedAside = "catalog.sqlite.corrupt"
  }
}

const table = <Row, Key = string>(
  rows: Map<string, Row>,
  keyOf: (row: Row) => string,
  nameOf: (key: Key) => string
) => ({
  all: Effect.sync(() => [...rows.values()]),
  put: (row: Row) => Effect.sync(() => void rows.set(keyOf(row), row)),
  remove: (key: Key) => Effect.sync(() => void rows.delete(nameOf(key)))
})
const same = (key: string): string => key
const pinKey = ({ device, file }: Pin): string => `${device} ${file}`

const quarantineKey = ({ device, engine, hash }: QuarantineKey): string => [hash, engine, device].join("\n")
const exactKey = (key: ExactKey): string => `${quarantineKey(key)}\n${key.setup}`

export const layerMemory = (store: MemoryCatalog): Layer.Layer<HiveCatalog> =>
  Layer.sync(HiveCatalog, () => ({
    movedAside: store.movedAside,
    models: {
      ...table(store.models, ({ ref }) => ref, same),
      count: Effect.sync(() => store.models.size),
      mark: (ref, marks) =>
        Effect.sync(() => {
          const row = store.models.get(ref)
          if (row !== undefined) store.models.set(ref, { ...row, ...marks })
        })
    },
    runtimes: table(store.runtimes, ({ kind }) => kind, same),
    leases: table(store.leases, ({ id }) => id, same),
    workers: table(store.workers, ({ worker }) => worker, same),
    pins: table<Pin, Pin>(store.pins, pinKey, pinKey),
    measured: table(store.measured, ({ key }) => key, same),
    quarantine: table<QuarantineRow, QuarantineKey>(store.quarantine, quarantineKey, quarantineKey),
    exact: table<ExactRow, ExactKey>(store.exact, exactKey, exactKey),
    dialects: table(store.dialects, ({ template }) => template, same),
    owner: Effect.sync(() => store.owner),
    setOwner: (owner) => Effect.sync(() => void (store.owner = owner))
  }))
