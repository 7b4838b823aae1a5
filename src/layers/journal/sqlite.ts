/**
 * The journal in SQLite, with better-sqlite3's prepared statements directly: `@effect/sql` would cost a fiber for each
 * turn of the token path. Opening, checking and migrating go through the common door.
 *
 * What makes a commit cost about 6 µs (measured, one row, against 12 µs with the defaults): the exclusive lock (the
 * queen is the only process that opens it, and no shared memory or file lock is touched at each commit), pages of
 * 1 KiB, and no checkpoint until 8 MiB of log or a quiet moment: to move 64 MiB into the file held everybody up for 25 ms
 * and the disk. NORMAL: survives any process crash.
 */
import { existsSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import Sqlite from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { Database, openDatabase } from "../sqlite/open.ts"
import { Turns } from "../turns/index.ts"
import { inProcess } from "./in-process.ts"
import { Journal } from "./index.ts"
import { LongRequests } from "./long-requests.ts"
import { migrations } from "./migrations.ts"
import { sqliteStore } from "./statements.ts"

const PAGE = 1024
const CHECKPOINT_PAGES = (8 * 1024 * 1024) / PAGE
/** Each commit looks through the whole table of cached pages: of SQLite's usual 16 000 that is a fifth of a job's time. */
const CACHED_PAGES = 1000

/** `file` is made if missing; one that is no database is moved aside with a warning and the journal starts empty. */
export const layerSqlite = (
  file: string
): Layer.Layer<Journal, RbeeError<"CONFLICT" | "INTERNAL" | "VERSION_MISMATCH" | "DISK_FULL">, Turns> =>
  Layer.scoped(
    Journal,
    Effect.gen(function* () {
      const db = yield* Effect.acquireRelease(open(file), (db) => Effect.sync(() => db.close()))
      const store = yield* Effect.try({
        try: () => sqliteStore(db, new LongRequests(join(dirname(file), "requests"))),
        catch: (reason) => cannotOpen(file, reason)
      })
      return inProcess(store, yield* Turns)
    })
  )

const open = (file: string) =>
  Effect.gen(function* () {
    yield* Effect.try({ try: () => prepare(file), catch: (reason) => cannotOpen(file, reason) })
    const movedAside = yield* Effect.map(Database, (opened) => opened.movedAside).pipe(
      // closed again before ours opens: the lock is exclusive
      Effect.provide(openDatabase({ file, migrations, durability: "normal", check: "opening" }))
    )
    if (movedAside !== undefined)
      yield* Effect.logWarning("the journal was unusable and was moved aside", { file: movedAside })
    return yield* Effect.try({ try: () => connect(file), catch: (reason) => cannotOpen(file, reason) })
  }).pipe(
    // a queen that is just ending still holds the file for a moment
    Effect.retry({
      schedule: Schedule.spaced(100),
      times: 20,
      while: isBusy
    }),
    Effect.mapError((error) =>
      isBusy(error)
        ? rbeeError(
            "CONFLICT",
            `another queen has the journal ${file}`,
            "End her, or give this one a home of its own (RBEE_HOME)"
          )
        : error
    )
  )

const isBusy = ({ code, what }: RbeeError): boolean => code === "INTERNAL" && what.includes("SQLITE_BUSY")

/** The page size is fixed when the file gets its first table. One that another queen has is said at once. */
const prepare = (file: string): void => {
  if (existsSync(file)) return existsSync(`${file}-wal`) ? mustBeFree(file) : undefined
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const db = new Sqlite(file)
  db.pragma(`page_size = ${PAGE}`)
  db.pragma("journal_mode = WAL")
  db.close()
}

/** One who has it has its log beside it. The common door would wait for it, and everybody with it. */
const mustBeFree = (file: string): void => {
  const db = new Sqlite(file, { timeout: 0, readonly: true })
  try {
    db.pragma("schema_version")
  } catch (reason) {
    // anything else is the common door's to judge
    if (reason instanceof Sqlite.SqliteError && reason.code === "SQLITE_BUSY") throw reason
  } finally {
    db.close()
  }
}

const connect = (file: string): Sqlite.Database => {
  const db = new Sqlite(file, { timeout: 0 })
  try {
    db.pragma("locking_mode = EXCLUSIVE")
    db.pragma("synchronous = NORMAL")
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    db.pragma(`cache_size = ${CACHED_PAGES}`)
    // takes the lock now, so that a second queen learns it here and not at its first job
    db.exec("BEGIN IMMEDIATE; COMMIT")
    return db
  } catch (reason) {
    db.close()
    throw reason
  }
}

const cannotOpen = (file: string, reason: unknown): RbeeError<"INTERNAL"> => {
  const code = reason instanceof Sqlite.SqliteError ? reason.code : String(reason)
  return rbeeError("INTERNAL", `cannot open the journal ${file} (${code})`, "Check that no other queen uses it")
}
