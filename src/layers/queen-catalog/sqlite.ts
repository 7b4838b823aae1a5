/** The queen's catalog in `queen/catalog.sqlite`, through `@effect/sql`: WAL, synced at each commit. */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ParseError } from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { decoder } from "../../machines/formats/json/decode.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { Ids } from "../ids/index.ts"
import { Database, type Migrations, openDatabase } from "../sqlite/open.ts"
import { type CatalogError, CapabilitiesRow, HiveRow, KeyRow, QueenCatalog, SettingRow } from "./index.ts"
import { auditTable } from "./audit.ts"

// A column holds a field as JSON: lists, objects, booleans and absent fields need no encoding of their own.
export const migrations: Migrations = [
  {
    name: "queen, hives, capabilities, settings",
    statements: [
      "CREATE TABLE queen (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, epoch INTEGER NOT NULL) STRICT",
      "CREATE TABLE hives (id TEXT PRIMARY KEY, url TEXT, instance TEXT, addedAt TEXT NOT NULL) STRICT",
      `CREATE TABLE capabilities (hive TEXT PRIMARY KEY REFERENCES hives ON DELETE CASCADE, instance TEXT NOT NULL,
         driver TEXT, version TEXT NOT NULL, devices TEXT NOT NULL, askedAt TEXT NOT NULL) STRICT`,
      "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"
    ]
  },
  { name: "hives on other machines", statements: ["ALTER TABLE hives ADD COLUMN ssh TEXT"] },
  { name: "hives by invitation", statements: ["ALTER TABLE hives ADD COLUMN joined TEXT"] },
  {
    name: "keys of people, and what operators did",
    statements: [
      `CREATE TABLE keys (name TEXT PRIMARY KEY, digest TEXT NOT NULL, scopes TEXT NOT NULL, weight TEXT NOT NULL,
         models TEXT, tokens_per_day TEXT, concurrent TEXT, expires_at TEXT, created_at TEXT NOT NULL,
         created_by TEXT NOT NULL, revoked_at TEXT) STRICT`,
      `CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
         about TEXT, outcome TEXT NOT NULL) STRICT`,
      // of what was done there is no undoing, whichever version writes here
      `CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'audit is only added to'); END`,
      `CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'audit is only added to'); END`
    ]
  },
  {
    name: "hives whose machines sleep",
    statements: ["ALTER TABLE hives ADD COLUMN power TEXT", "ALTER TABLE hives ADD COLUMN sleep TEXT"]
  }
]

type Cells = Readonly<Record<string, string | null>>

const toCells = (columns: ReadonlyArray<string>, row: object): Record<string, string | null> => {
  const values = new Map(Object.entries(row))
  return Object.fromEntries(
    columns.map((column) => {
      const value: unknown = values.get(column)
      return [column, value === undefined ? null : JSON.stringify(value)]
    })
  )
}
const fromCells = (cells: Cells): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(cells).flatMap(([column, cell]): ReadonlyArray<[string, unknown]> =>
      cell === null ? [] : [[column, JSON.parse(cell)]]
    )
  )

/** A cell is no JSON: the file was damaged where SQLite does not look. */
class DamagedCell {
  readonly _tag = "DamagedCell"
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
}

const failed = (error: SqlError | ParseError | DamagedCell): CatalogError => {
  const { cause } = error
  const code =
    error._tag !== "SqlError"
      ? "unknown row"
      : typeof cause === "object" && cause !== null && "code" in cause
        ? String(cause.code)
        : "unknown"
  return code === "SQLITE_FULL"
    ? rbeeError("DISK_FULL", "the disk of the queen's catalog is full", "Free some space on it")
    : rbeeError("INTERNAL", `the queen's catalog failed (${code})`, "See the queen's log", { code })
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const { movedAside } = yield* Database
  if (movedAside !== undefined)
    yield* Effect.logWarning("the queen's catalog was unusable and was moved aside; hives register again", {
      file: movedAside
    })
  const fresh = yield* Effect.flatMap(Ids, (ids) => ids.make("queen"))

  // one statement, so that two starts can never read the same epoch
  const [identity] = yield* sql<{ readonly id: string; readonly epoch: number }>`
    INSERT INTO queen (one, id, epoch) VALUES (1, ${fresh}, 1)
    ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING id, epoch`
  if (identity === undefined) return yield* Effect.dieMessage("the catalog gave the queen no identity")

  const table = <Row extends object, I>(name: string, key: string, schema: Schema.Schema<Row, I> & Fields) => {
    const columns = Object.keys(schema.fields)
    const decode = decoder(Schema.Array(schema))
    const encode = Schema.encode(schema)
    const rowsOf = (cells: ReadonlyArray<Cells>) =>
      Effect.flatMap(
        Effect.try({ try: () => cells.map(fromCells), catch: (cause) => new DamagedCell(cause) }),
        (rows) => decode(rows)
      )
    return {
      all: sql<Cells>`SELECT * FROM ${sql(name)} ORDER BY rowid`.pipe(Effect.flatMap(rowsOf), Effect.mapError(failed)),
      get: (id: string) =>
        sql<Cells>`SELECT * FROM ${sql(name)} WHERE ${sql(key)} = ${JSON.stringify(id)}`.pipe(
          Effect.flatMap(rowsOf),
          Effect.map(([row]) => row),
          Effect.mapError(failed)
        ),
      put: (row: Row) =>
        encode(row).pipe(
          // encoding a struct gives an object
          Effect.map((encoded) => toCells(columns, encoded as object)),
          Effect.flatMap(
            (cells) =>
              sql`INSERT INTO ${sql(name)} ${sql.insert(cells)} ON CONFLICT DO UPDATE SET ${sql.update(cells, [key])}`
          ),
          Effect.mapError(failed),
          Effect.asVoid
        ),
      remove: (id: string) =>
        sql`DELETE FROM ${sql(name)} WHERE ${sql(key)} = ${JSON.stringify(id)}`.pipe(
          Effect.mapError(failed),
          Effect.asVoid
        )
    }
  }

  return QueenCatalog.of({
    identity,
    hives: table("hives", "id", HiveRow),
    capabilities: table("capabilities", "hive", CapabilitiesRow),
    settings: table("settings", "name", SettingRow),
    keys: table("keys", "name", KeyRow),
    audit: auditTable(sql, failed)
  })
}).pipe(Effect.catchTag("SqlError", (error) => Effect.fail(failed(error))))

interface Fields {
  readonly fields: Readonly<Record<string, unknown>>
}

/** `file` is made if missing; one that is no database is moved aside. */
export const layerSqlite = (file: string): Layer.Layer<QueenCatalog, RbeeError, Ids> =>
  Layer.provide(Layer.effect(QueenCatalog, make), openDatabase({ file, migrations, durability: "full" }))
