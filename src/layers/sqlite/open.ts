/**
 * Opens one SQLite file for one owner: WAL, migrations, and a file that turns out to be no database is moved aside
 * instead of stopping the daemon. Every store of the cluster (catalogs, journal) opens through this file.
 *
 * How to use it: a port's implementation writes its migrations as data and builds on the layer.
 *
 *   const migrations: Migrations = [{ name: "first", statements: ["CREATE TABLE jobs (id TEXT PRIMARY KEY) STRICT"] }]
 *   export const layerSqlite = (file: string) =>
 *     Layer.provide(Layer.scoped(JobStore, make), openDatabase({ file, migrations, durability: "full" }))
 *
 * - Each file has one writing process (docs/design.md#what-is-kept-where): calls are synchronous, and a lock held elsewhere would freeze the
 *   event loop. So the busy timeout is short, and a busy file is an error, not a wait.
 * - "full" fsyncs each commit (catalogs). "normal" survives any process crash but not a power cut, and keeps fsync out
 *   of the token path (journal).
 * - Migrations are only ever appended: their number is their version, and each has rows in
 *   `test/layers/sqlite/migrations.test.ts`. A file of a newer rbee is refused untouched.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs"
import { dirname } from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import { make as makeClient } from "@effect/sql-sqlite-node/SqliteClient"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { rbeeError } from "../../machines/errors.ts"
import { cannotOpen, causes, CheckFailed, isCorruption, isOpenError, type OpenError } from "./why.ts"

/** In order; the first is version 1. */
export type Migrations = ReadonlyArray<{ readonly name: string; readonly statements: ReadonlyArray<string> }>

export interface DatabaseOptions {
  readonly file: string
  readonly migrations: Migrations
  readonly durability: "full" | "normal"
  /**
   * How much of the file is looked at before it is trusted: every page ("whole", the default), or what opening and
   * migrating touch ("opening"), for files whose size would make themselves felt at start.
   */
  readonly check?: "whole" | "opening"
}

/** What happened while opening. */
export class Database extends Context.Tag("rbee/Database")<
  Database,
  {
    readonly file: string
    /** where the unusable file went that was here before; the store starts empty and its owner rebuilds it */
    readonly movedAside: string | undefined
  }
>() {}

export const openDatabase = (options: DatabaseOptions): Layer.Layer<SqlClient.SqlClient | Database, OpenError> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      mkdirSync(dirname(options.file), { recursive: true, mode: 0o700 })
      keepToOurselves(options.file)
      yield* refuseNewerAsItLies(options)
      const first = yield* attempt(options)
      if (first._tag === "Opened") return services(options.file, first.sql, undefined)
      const aside = moveAside(options.file)
      const second = yield* attempt(options)
      if (second._tag === "Opened") return services(options.file, second.sql, aside)
      return yield* Effect.fail(rbeeError("INTERNAL", `cannot create the store ${options.file}`, "Check its folder"))
    }).pipe(
      // mkdir and rename of a folder that is not ours to write
      Effect.catchAllDefect((defect) => Effect.fail(cannotOpen(options.file, defect)))
    )
  )

/**
 * Prompts and answers stand in there: nobody else reads them, whatever the umask is and whoever made the files before.
 * SQLite gives its companions the mode of the file.
 */
const keepToOurselves = (file: string): void => {
  closeSync(openSync(file, "a", 0o600))
  tighten(dirname(file), 0o700)
  for (const suffix of ["", "-wal", "-shm", ".corrupt"]) tighten(`${file}${suffix}`, 0o600)
}

const tighten = (path: string, mode: number): void => {
  try {
    if ((statSync(path).mode & 0o777 & ~mode) !== 0) chmodSync(path, mode)
  } catch {
    // it is not there, or another user's: then that one says who may read it
  }
}

const services = (file: string, sql: SqlClient.SqlClient, movedAside: string | undefined) =>
  Context.make(SqlClient.SqlClient, sql).pipe(Context.add(Database, { file, movedAside }))

type Attempt = { readonly _tag: "Opened"; readonly sql: SqlClient.SqlClient } | { readonly _tag: "Corrupt" }

/**
 * After a crash what came last stands beside the file, and closing it would move that in: a newer store is to stay as it
 * lies. Anything else that is wrong is found when it is opened.
 */
const refuseNewerAsItLies = (options: DatabaseOptions): Effect.Effect<void, OpenError> =>
  existsSync(`${options.file}-wal`)
    ? makeClient({ filename: options.file, readonly: true, disableWAL: true }).pipe(
        Effect.flatMap((sql) => refuseNewer(sql, options)),
        Effect.scoped,
        Effect.provide(Reactivity.layer),
        Effect.catchAllCause((cause) => {
          const newer = causes(cause).find(isOpenError)
          return newer === undefined ? Effect.void : Effect.fail(newer)
        })
      )
    : Effect.void

/** Opens, checks and migrates in a scope of its own, so that a file that fails is closed before it is moved. */
const attempt = (options: DatabaseOptions): Effect.Effect<Attempt, OpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
    const exit = yield* Effect.exit(Scope.extend(open(options), scope))
    if (Exit.isSuccess(exit)) return { _tag: "Opened", sql: exit.value } as const
    yield* Scope.close(scope, exit)
    if (causes(exit.cause).some(isCorruption)) return { _tag: "Corrupt" } as const
    const typed = causes(exit.cause).find(isOpenError)
    return yield* Effect.fail(typed ?? cannotOpen(options.file, Cause.squash(exit.cause)))
  })

const open = (options: DatabaseOptions) =>
  Effect.gen(function* () {
    const sql: SqlClient.SqlClient = yield* makeClient({ filename: options.file }).pipe(
      Effect.provide(Reactivity.layer)
    )
    yield* sql.unsafe("PRAGMA busy_timeout = 50")
    yield* sql.unsafe(`PRAGMA synchronous = ${options.durability === "full" ? "FULL" : "NORMAL"}`)
    if (options.check !== "opening") {
      const rows = yield* sql.unsafe<{ quick_check: string }>("PRAGMA quick_check(1)")
      if (rows[0]?.quick_check !== "ok") return yield* Effect.fail(new CheckFailed())
    }
    yield* refuseNewer(sql, options)
    const steps = options.migrations.map(
      ({ name, statements }, i) =>
        [
          i + 1,
          name,
          // A loader gives the migration, which is itself an Effect.
          Effect.succeed(Effect.forEach(statements, (text) => sql.unsafe(text), { discard: true }))
        ] as const
    )
    yield* Migrator.make({})({ loader: Effect.succeed(steps) }).pipe(Effect.provideService(SqlClient.SqlClient, sql))
    return sql
  })

const refuseNewer = (sql: SqlClient.SqlClient, options: DatabaseOptions) =>
  Effect.gen(function* () {
    const tables = yield* sql.unsafe("SELECT 1 FROM sqlite_master WHERE name = 'effect_sql_migrations'")
    if (tables.length === 0) return
    const rows = yield* sql.unsafe<{ version: number | null }>(
      "SELECT max(migration_id) AS version FROM effect_sql_migrations"
    )
    const version = rows[0]?.version ?? 0
    if (version <= options.migrations.length) return
    return yield* Effect.fail(
      rbeeError(
        "VERSION_MISMATCH",
        `${options.file} was written by a newer rbee (store version ${version}, this one knows ${options.migrations.length})`,
        "Start the newer rbee, or move the file away"
      )
    )
  })

/** `catalog.sqlite` → `catalog.sqlite.corrupt`, replacing an earlier one: the last is kept, no more. */
const moveAside = (file: string): string => {
  const aside = `${file}.corrupt`
  for (const suffix of ["", "-wal", "-shm"]) {
    rmSync(`${aside}${suffix}`, { force: true })
    if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${aside}${suffix}`)
  }
  return aside
}
