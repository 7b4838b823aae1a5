import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SqlClient from "@effect/sql/SqlClient"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Database, type Migrations, openDatabase } from "../../../src/layers/sqlite/open.ts"
import { cannotOpen } from "../../../src/layers/sqlite/why.ts"

const first: Migrations = [
  { name: "first", statements: ["CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT) STRICT"] }
]
const second: Migrations = [...first, { name: "second", statements: ["ALTER TABLE notes ADD COLUMN tag TEXT"] }]

const inFolder = <A, E>(use: (file: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-sqlite-"))),
    (folder) => use(join(folder, "deep", "store.sqlite")),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

const run = <A, E>(
  file: string,
  migrations: Migrations,
  work: Effect.Effect<A, E, SqlClient.SqlClient | Database>,
  durability: "full" | "normal" = "full"
) => Effect.provide(work, openDatabase({ file, migrations, durability }))

const sql = <T extends object>(text: string) => Effect.flatMap(SqlClient.SqlClient, (client) => client.unsafe<T>(text))

it.effect("A store keeps its rows over a restart and migrates them forward", () =>
  inFolder((file) =>
    Effect.gen(function* () {
      yield* run(file, first, sql("INSERT INTO notes (text) VALUES ('kept')"))
      const rows = yield* run(file, second, sql<{ text: string; tag: string | null }>("SELECT text, tag FROM notes"))
      expect(rows).toEqual([{ text: "kept", tag: null }])
    })
  )
)

it.effect("It writes ahead, and syncs as its durability says", () =>
  inFolder((file) =>
    Effect.gen(function* () {
      const modes = Effect.all([
        sql<{ journal_mode: string }>("PRAGMA journal_mode"),
        sql<{ synchronous: number }>("PRAGMA synchronous")
      ])
      expect(yield* run(file, first, modes)).toEqual([[{ journal_mode: "wal" }], [{ synchronous: 2 }]])
      expect(yield* run(file, first, modes, "normal")).toEqual([[{ journal_mode: "wal" }], [{ synchronous: 1 }]])
    })
  )
)

it.effect("A file that is no database is moved aside, and the store starts empty", () =>
  inFolder((file) =>
    Effect.gen(function* () {
      yield* run(file, first, sql("INSERT INTO notes (text) VALUES ('lost')"))
      writeFileSync(file, "this is no database, and longer than a header of one: ".repeat(40))
      const [facts, rows] = yield* run(file, first, Effect.all([Database, sql("SELECT * FROM notes")]))
      expect(facts.movedAside).toBe(`${file}.corrupt`)
      expect(rows).toEqual([])
      expect(readFileSync(`${file}.corrupt`, "utf8")).toContain("no database")
    })
  )
)

it.effect("A damaged page in the middle is found at the start, not at first use", () =>
  inFolder((file) =>
    Effect.gen(function* () {
      const fill =
        "INSERT INTO notes (text) WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT 'row ' || i || hex(zeroblob(50)) FROM n"
      yield* run(file, first, sql(fill))
      truncateSync(file, Math.floor(statSync(file).size / 2))
      const facts = yield* run(file, first, Database)
      expect(facts.movedAside).toBe(`${file}.corrupt`)
    })
  )
)

it.effect("A store of a newer rbee is refused and left as it is", () =>
  inFolder((file) =>
    Effect.gen(function* () {
      yield* run(file, second, sql("INSERT INTO notes (text) VALUES ('new')"))
      const error = yield* Effect.flip(run(file, first, sql("SELECT 1")))
      expect(error).toMatchObject({ code: "VERSION_MISMATCH" })
      expect(existsSync(`${file}.corrupt`)).toBe(false)
      expect(yield* run(file, second, sql<{ text: string }>("SELECT text FROM notes"))).toEqual([{ text: "new" }])
    })
  )
)

it.effect("A migration that fails changes nothing and says which store", () =>
  inFolder((file) =>
    Effect.gen(function* () {
      yield* run(file, first, sql("INSERT INTO notes (text) VALUES ('kept')"))
      const broken = [...first, { name: "broken", statements: ["ALTER TABLE notes ADD COLUMN a TEXT", "NONSENSE"] }]
      expect(yield* Effect.flip(run(file, broken, sql("SELECT 1")))).toMatchObject({ code: "INTERNAL" })
      expect(yield* run(file, first, sql("SELECT * FROM notes"))).toEqual([{ id: 1, text: "kept" }])
    })
  )
)

it("says that another Node runs than the one that rbee was installed with, and what helps", () => {
  // in Node's own words, which only another Node would say here
  const reason = new Error(
    "The module 'better_sqlite3.node' was compiled against a different Node.js version using NODE_MODULE_VERSION 108."
  )
  const error = cannotOpen("/x/catalog.sqlite", reason)
  expect(error.code).toBe("VERSION_MISMATCH")
  expect(error.message).toContain("npm rebuild better-sqlite3")
})

it.effect("Nobody else reads it or its companions, whatever the modes were before", () =>
  inFolder((file) =>
    Effect.gen(function* () {
      const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
      const modes = Effect.sync(() => [file, `${file}-wal`, `${file}-shm`, join(file, "..")].map(modeOf))
      const before = process.umask(0)
      yield* Effect.addFinalizer(() => Effect.sync(() => void process.umask(before)))
      yield* run(file, first, sql("INSERT INTO notes (text) VALUES ('kept')"))
      chmodSync(file, 0o666)
      chmodSync(join(file, ".."), 0o755)
      const written = Effect.zipRight(sql("INSERT INTO notes (text) VALUES ('more')"), modes)
      expect(yield* run(file, first, written)).toEqual(["600", "600", "600", "700"])
    }).pipe(Effect.scoped)
  )
)
