/** The hive's catalog in SQLite: `hive-ID/catalog.sqlite`, WAL, synced at each commit. */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { optionDecoder } from "../../machines/formats/json/decode.ts"
import { Dialect } from "../../machines/dialect/dialect.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { Database, type Migrations, openDatabase } from "../sqlite/open.ts"
import {
  type CatalogError,
  type DialectRow,
  type ExactKey,
  type ExactRow,
  HiveCatalog,
  type ModelRow,
  type OwnerRow,
  type QuarantineKey
} from "./index.ts"
import { type DeviceId, ModelRef } from "../../machines/vocabulary/ids.ts"

export const migrations: Migrations = [
  {
    name: "models, runtimes, leases, workers, pins, measures, owner",
    statements: [
      `CREATE TABLE models (ref TEXT PRIMARY KEY, file TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT,
         architecture TEXT, parameters INTEGER, context INTEGER, quantization TEXT, owned INTEGER NOT NULL,
         addedAt INTEGER NOT NULL, lastUsedAt INTEGER) STRICT`,
      "CREATE TABLE runtimes (kind TEXT PRIMARY KEY, version TEXT NOT NULL, folder TEXT NOT NULL) STRICT",
      `CREATE TABLE leases (id TEXT PRIMARY KEY, device TEXT NOT NULL, owner TEXT NOT NULL, bytes INTEGER NOT NULL)
         STRICT`,
      "CREATE TABLE workers (worker TEXT PRIMARY KEY, pid INTEGER NOT NULL, start TEXT NOT NULL, port INTEGER) STRICT",
      "CREATE TABLE pins (device TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY (device, file)) STRICT",
      "CREATE TABLE measured (key TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT",
      `CREATE TABLE owner (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, name TEXT NOT NULL,
         epoch INTEGER NOT NULL, url TEXT NOT NULL) STRICT`
    ]
  },
  {
    name: "what people want of a model",
    statements: [
      "ALTER TABLE models ADD COLUMN template INTEGER NOT NULL DEFAULT 0",
      "ALTER TABLE models ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0",
      "ALTER TABLE models ADD COLUMN why TEXT"
    ]
  },
  {
    name: "files that are not tried on a device any more",
    statements: [
      `CREATE TABLE quarantine (hash TEXT NOT NULL, engine TEXT NOT NULL, device TEXT NOT NULL, file TEXT NOT NULL,
         reason TEXT NOT NULL, words TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (hash, engine, device)) STRICT`
    ]
  },
  {
    name: "what a token of a model stands for at most",
    statements: ["ALTER TABLE models ADD COLUMN tokenBytes INTEGER"]
  },
  {
    name: "what self-tests found",
    statements: [
      `CREATE TABLE exact (hash TEXT NOT NULL, engine TEXT NOT NULL, device TEXT NOT NULL, setup TEXT NOT NULL,
         file TEXT NOT NULL, exact INTEGER NOT NULL, bits TEXT, PRIMARY KEY (hash, engine, device, setup)) STRICT`
    ]
  },
  {
    name: "the threads that a self-test ran with",
    statements: ["ALTER TABLE exact ADD COLUMN threads INTEGER"]
  },
  {
    name: "how models write",
    statements: [
      "ALTER TABLE models ADD COLUMN templateHash TEXT",
      "CREATE TABLE dialects (template TEXT PRIMARY KEY, version TEXT NOT NULL, dialect TEXT NOT NULL) STRICT"
    ]
  },
  {
    name: "what models are for",
    statements: ["ALTER TABLE models ADD COLUMN purpose TEXT"]
  },
  {
    name: "what else models are called",
    statements: ["ALTER TABLE models ADD COLUMN names TEXT"]
  }
]

/** One of another form is none. */
const decodeNames = optionDecoder(Schema.parseJson(Schema.Array(ModelRef)))

const decodeDialect = optionDecoder(Schema.parseJson(Dialect))

/** SQLite has no booleans. */
type Flag = "template" | "owned" | "pinned"
type StoredModel = Omit<ModelRow, Flag | "names"> & { readonly [K in Flag]: number | boolean } & {
  readonly names?: string | undefined
}

type Cell = string | number | null
type Cells = Readonly<Record<string, Cell>>

/** Undefined and booleans as SQLite has them. */
const toCells = (row: object): Record<string, Cell> =>
  Object.fromEntries(
    Object.entries(row).map(([key, value]): [string, Cell] => [
      key,
      value === undefined ? null : typeof value === "boolean" ? Number(value) : (value as Cell)
    ])
  )

/** The columns of the schema above are the fields of the rows, so a row read back is one, but for its nulls. */
const fromCells = <Row>(cells: Cells): Row =>
  Object.fromEntries(Object.entries(cells).map(([key, value]) => [key, value ?? undefined])) as Row

const failed = (error: SqlError): CatalogError => {
  const { cause } = error
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "unknown"
  return code === "SQLITE_FULL"
    ? rbeeError("DISK_FULL", "the disk of the hive's catalog is full", "Free some space on it")
    : rbeeError("INTERNAL", `the hive's catalog failed (${code})`, "See the hive's log", { code })
}

// long: a statement and a call for each table, side by side
const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { movedAside } = yield* Database

  const table = <Row extends object, Key>(name: string, keys: ReadonlyArray<string>, keyOf: (key: Key) => object) => ({
    all: Effect.map(Effect.mapError(sql<Cells>`SELECT * FROM ${sql(name)} ORDER BY rowid`, failed), (rows) =>
      rows.map((row) => fromCells<Row>(row))
    ),
    put: (row: Row) =>
      Effect.asVoid(
        Effect.mapError(
          sql`INSERT INTO ${sql(name)} ${sql.insert(toCells(row))} ON CONFLICT DO UPDATE SET ${sql.update(toCells(row), [...keys])}`,
          failed
        )
      ),
    remove: (key: Key) =>
      Effect.asVoid(
        Effect.mapError(
          sql`DELETE FROM ${sql(name)} WHERE ${sql.and(
            Object.entries(toCells(keyOf(key))).map(([column, value]) => sql`${sql(column)} = ${value}`)
          )}`,
          failed
        )
      )
  })

  const models = table<StoredModel, string>("models", ["ref"], (ref) => ({ ref }))
  const exact = table<Omit<ExactRow, "exact"> & { readonly exact: number | boolean }, ExactKey>(
    "exact",
    ["hash", "engine", "device", "setup"],
    ({ device, engine, hash, setup }) => ({ hash, engine, device, setup })
  )
  const dialects = table<Omit<DialectRow, "dialect"> & { readonly dialect: string }, string>(
    "dialects",
    ["template"],
    (template) => ({ template })
  )
  return HiveCatalog.of({
    movedAside,
    models: {
      ...models,
      all: Effect.map(models.all, (rows) =>
        rows.map((row) => ({
          ...row,
          template: Boolean(row.template),
          owned: Boolean(row.owned),
          pinned: Boolean(row.pinned),
          names: Option.getOrUndefined(decodeNames(row.names))
        }))
      ),
      put: ({ names, ...row }) =>
        models.put({ ...row, names: names === undefined ? undefined : JSON.stringify(names) }),
      count: Effect.map(
        Effect.mapError(sql<{ readonly count: number }>`SELECT count(*) AS count FROM models`, failed),
        ([row]) => row?.count ?? 0
      ),
      mark: (ref, marks) =>
        Effect.asVoid(Effect.mapError(sql`UPDATE models SET ${sql.update(toCells(marks))} WHERE ref = ${ref}`, failed))
    },
    runtimes: table("runtimes", ["kind"], (kind) => ({ kind })),
    leases: table("leases", ["id"], (id) => ({ id })),
    workers: table("workers", ["worker"], (worker) => ({ worker })),
    pins: {
      ...table<
        { readonly device: DeviceId; readonly file: string },
        { readonly device: DeviceId; readonly file: string }
      >("pins", [], ({ device, file }) => ({ device, file })),
      put: ({ device, file }) =>
        Effect.asVoid(
          Effect.mapError(sql`INSERT OR IGNORE INTO pins (device, file) VALUES (${device}, ${file})`, failed)
        )
    },
    measured: table("measured", ["key"], (key) => ({ key })),
    quarantine: table("quarantine", ["hash", "engine", "device"], ({ device, engine, hash }: QuarantineKey) => ({
      hash,
      engine,
      device
    })),
    exact: {
      ...exact,
      all: Effect.map(exact.all, (rows) => rows.map((row) => ({ ...row, exact: Boolean(row.exact) })))
    },
    dialects: {
      ...dialects,
      // one of another form is learned anew
      all: Effect.map(dialects.all, (rows) =>
        rows.flatMap((row) =>
          Option.match(decodeDialect(row.dialect), {
            onNone: () => [],
            onSome: (dialect) => [{ ...row, dialect }]
          })
        )
      ),
      put: (row) => dialects.put({ ...row, dialect: JSON.stringify(row.dialect) })
    },
    owner: Effect.map(Effect.mapError(sql<Cells>`SELECT id, name, epoch, url FROM owner`, failed), ([row]) =>
      row === undefined ? undefined : fromCells<OwnerRow>(row)
    ),
    setOwner: ({ id, name, epoch, url }) =>
      Effect.asVoid(
        Effect.mapError(
          sql`INSERT OR REPLACE INTO owner (one, id, name, epoch, url) VALUES (1, ${id}, ${name}, ${epoch}, ${url})`,
          failed
        )
      )
  })
})

export const layerSqlite = (
  file: string
): Layer.Layer<HiveCatalog, RbeeError<"INTERNAL" | "VERSION_MISMATCH" | "DISK_FULL">> =>
  Layer.provide(Layer.effect(HiveCatalog, make), openDatabase({ file, migrations, durability: "full" }))
