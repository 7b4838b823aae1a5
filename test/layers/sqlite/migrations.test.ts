/**
 * Every schema that a store has had: made by its migrations up to there, filled as that version filled it, opened by
 * today's program and read through its port. And of a newer version: refused, and as it was.
 */
import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import Sqlite from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe, expect, it } from "vitest"
import { HiveCatalog } from "../../../src/layers/hive-catalog/index.ts"
import {
  layerSqlite as layerHiveCatalog,
  migrations as hiveMigrations
} from "../../../src/layers/hive-catalog/sqlite.ts"
import { layerRandom } from "../../../src/layers/ids/random.ts"
import { Journal } from "../../../src/layers/journal/index.ts"
import { migrations as journalMigrations } from "../../../src/layers/journal/migrations.ts"
import { layerSqlite as layerJournal } from "../../../src/layers/journal/sqlite.ts"
import { QueenCatalog } from "../../../src/layers/queen-catalog/index.ts"
import {
  layerSqlite as layerQueenCatalog,
  migrations as queenMigrations
} from "../../../src/layers/queen-catalog/sqlite.ts"
import { type Migrations, openDatabase } from "../../../src/layers/sqlite/open.ts"
import { layerNode as layerTurns } from "../../../src/layers/turns/node.ts"
import { DeviceId, JobId, localHive, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const folder = mkdtempSync(join(tmpdir(), "rbee-migrations-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

interface Store {
  readonly migrations: Migrations
  /** what each version added to a store of the one before */
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  /** files beside it, by version */
  readonly beside?: (version: number) => Readonly<Record<string, string>>
  /** all that is in it, through its port */
  readonly read: (file: string) => Promise<unknown>
  readonly expected: (version: number) => unknown
}

const json = (value: unknown): string => `'${JSON.stringify(value).replaceAll("'", "''")}'`

const place = { host: "gpu-box", hive_port: 8600 }
const joined = { secret: "s".repeat(40), queen: "http://10.0.0.1:8500" }
const devices = { cpu: { cores: 8, ram_mb: 16_000, ram_free_mb: 9000 }, gpus: [], models: 2, workers: 0 }
const key = {
  name: "ada",
  digest: "d".repeat(64),
  scopes: ["infer"],
  weight: 2,
  created_at: 5,
  created_by: "token"
}
const deed = { at: 6, who: "token", what: "makeKey", about: "ada", outcome: "ok" }

const power = { mac: "aa:bb:cc:dd:ee:ff", sleep_after_s: 1800 }
const sleep = { since: 8, woke_ms: [41_000, 43_000] }

const queen: Store = {
  migrations: queenMigrations,
  rows: [
    [
      "INSERT INTO queen (one, id, epoch) VALUES (1, 'queen-of-old', 7)",
      `INSERT INTO hives (id, url, instance, addedAt) VALUES (${json(localHive)}, ${json("http://127.0.0.1:8600")}, ${json("hive-1")}, '4')`,
      `INSERT INTO capabilities (hive, instance, driver, version, devices, askedAt)
       VALUES (${json(localHive)}, ${json("hive-1")}, ${json("550.1")}, ${json("0.1.0")}, ${json(devices)}, '9')`,
      `INSERT INTO settings (name, value) VALUES (${json("boot")}, ${json("b-1")})`
    ],
    [`INSERT INTO hives (id, addedAt, ssh) VALUES (${json("gpu-box")}, '5', ${json(place)})`],
    [`INSERT INTO hives (id, addedAt, joined) VALUES (${json("lab")}, '6', ${json(joined)})`],
    [
      `INSERT INTO keys (name, digest, scopes, weight, created_at, created_by)
       VALUES (${json(key.name)}, ${json(key.digest)}, ${json(key.scopes)}, '2', '5', ${json(key.created_by)})`,
      "INSERT INTO audit (at, who, what, about, outcome) VALUES (6, 'token', 'makeKey', 'ada', 'ok')"
    ],
    [
      `INSERT INTO hives (id, addedAt, ssh, power, sleep)
       VALUES (${json("old-pc")}, '7', ${json(place)}, ${json(power)}, ${json(sleep)})`
    ]
  ],
  read: (file) =>
    Effect.gen(function* () {
      const { audit, capabilities, hives, identity, keys, settings } = yield* QueenCatalog
      return {
        identity,
        hives: yield* hives.all,
        capabilities: yield* capabilities.all,
        settings: yield* settings.all,
        keys: yield* keys.all,
        audit: yield* audit.newest(10)
      }
    }).pipe(Effect.provide(Layer.provide(layerQueenCatalog(file), layerRandom)), Effect.runPromise),
  expected: (version) => ({
    // she has the name that she had, and this is her next start
    identity: { id: "queen-of-old", epoch: 8 },
    hives: [
      { id: localHive, url: "http://127.0.0.1:8600", instance: "hive-1", addedAt: 4 },
      ...(version < 2 ? [] : [{ id: "gpu-box", addedAt: 5, ssh: place }]),
      ...(version < 3 ? [] : [{ id: "lab", addedAt: 6, joined }]),
      ...(version < 5 ? [] : [{ id: "old-pc", addedAt: 7, ssh: place, power, sleep }])
    ],
    capabilities: [{ hive: localHive, instance: "hive-1", driver: "550.1", version: "0.1.0", devices, askedAt: 9 }],
    settings: [{ name: "boot", value: "b-1" }],
    keys: version < 4 ? [] : [key],
    audit: version < 4 ? [] : [{ id: 1, ...deed }]
  })
}

const ref = ModelRef.make("HF:author/repo:Q4_K_M")
const gpu = DeviceId.make("gpu0")

const hive: Store = {
  migrations: hiveMigrations,
  rows: [
    [
      `INSERT INTO models VALUES ('${ref}', '/m/a.gguf', 100, 'abc', 'llama', 7000, 4096, 'Q4_K_M', 1, 10, 11)`,
      "INSERT INTO runtimes VALUES ('cpu', 'b1', '/r')",
      "INSERT INTO leases VALUES ('l-1', 'gpu0', 'w-1', 5000)",
      "INSERT INTO workers VALUES ('w-1', 77, '1@boot', 8601)",
      "INSERT INTO pins VALUES ('gpu0', '/m/a.gguf')",
      "INSERT INTO measured VALUES ('shape', 4000)",
      "INSERT INTO owner VALUES (1, 'queen-of-old', 'hers', 7, 'http://127.0.0.1:8500')"
    ],
    ["UPDATE models SET template = 1, pinned = 1, why = 'the largest that fits'"],
    ["INSERT INTO quarantine VALUES ('abc', 'b1', 'gpu0', '/m/b.gguf', 'it ended its workers', 'bad magic', 12)"],
    ["UPDATE models SET tokenBytes = 64"],
    [
      "INSERT INTO exact (hash, engine, device, setup, file, exact, bits) VALUES ('abc', 'b1', 'cpu', 's', '/m/a.gguf', 1, 'f32')"
    ],
    ["UPDATE exact SET threads = 4"],
    ["UPDATE models SET templateHash = 't-1'"],
    ["UPDATE models SET purpose = 'embed'"],
    [`UPDATE models SET names = ${json(["ollama:a:latest"])}`]
  ],
  read: (file) =>
    Effect.gen(function* () {
      const { exact, leases, measured, models, movedAside, owner, pins, quarantine, runtimes, workers } =
        yield* HiveCatalog
      return {
        movedAside,
        models: yield* models.all,
        runtimes: yield* runtimes.all,
        leases: yield* leases.all,
        workers: yield* workers.all,
        pins: yield* pins.all,
        measured: yield* measured.all,
        quarantine: yield* quarantine.all,
        exact: yield* exact.all,
        owner: yield* owner
      }
    }).pipe(Effect.provide(layerHiveCatalog(file)), Effect.runPromise),
  expected: (version) => ({
    movedAside: undefined,
    models: [
      {
        ref,
        file: "/m/a.gguf",
        bytes: 100,
        sha256: "abc",
        architecture: "llama",
        parameters: 7000,
        context: 4096,
        quantization: "Q4_K_M",
        owned: true,
        addedAt: 10,
        lastUsedAt: 11,
        template: version >= 2,
        pinned: version >= 2,
        ...(version < 2 ? {} : { why: "the largest that fits" }),
        ...(version < 4 ? {} : { tokenBytes: 64 }),
        ...(version < 7 ? {} : { templateHash: "t-1" }),
        ...(version < 8 ? {} : { purpose: "embed" }),
        ...(version < 9 ? {} : { names: ["ollama:a:latest"] })
      }
    ],
    runtimes: [{ kind: "cpu", version: "b1", folder: "/r" }],
    leases: [{ id: "l-1", device: gpu, owner: "w-1", bytes: 5000 }],
    workers: [{ worker: "w-1", pid: 77, start: "1@boot", port: 8601 }],
    pins: [{ device: gpu, file: "/m/a.gguf" }],
    measured: [{ key: "shape", bytes: 4000 }],
    quarantine:
      version < 3
        ? []
        : [
            {
              hash: "abc",
              engine: "b1",
              device: gpu,
              file: "/m/b.gguf",
              reason: "it ended its workers",
              words: "bad magic",
              at: 12
            }
          ],
    exact:
      version < 5
        ? []
        : [
            {
              hash: "abc",
              engine: "b1",
              device: "cpu",
              setup: "s",
              file: "/m/a.gguf",
              exact: true,
              bits: "f32",
              ...(version < 6 ? {} : { threads: 4 })
            }
          ],
    owner: { id: "queen-of-old", name: "hers", epoch: 7, url: "http://127.0.0.1:8500" }
  })
}

const request = (prompt: string) => ({ model: "minillama", prompt })
const long = request("long ".repeat(5000))
const facts = { state: "streaming", epoch: 2, failovers: 1, timings: {} }
const job = (id: string, asked: object, more = "NULL") =>
  `INSERT INTO jobs (id, request, key, created_at, ended_at, facts, first_run, runs)
   VALUES ('${id}', ${json(asked)}, 'key-${id}', 3, ${more}, ${json(facts)}, 1, ${more === "NULL" ? "NULL" : "'[2,1]'"})`
/** named by what it is of */
const longFile = `requests/${createHash("sha256").update("job-file").digest("hex")}.json`
const used = { jobs: 1, prompt_tokens: 10, cached_tokens: 4, completion_tokens: 20, device_s: 1.5 }

const journal: Store = {
  migrations: journalMigrations,
  rows: [
    [
      job("job-ended", request("hello"), "9"),
      job("job-open", request("a story")),
      `INSERT INTO events VALUES (1, 1, 'narration', '{"n":1}'), (1, 4, 'done', '{}'), (2, 1, 'narration', '{"n":2}')`,
      "INSERT INTO runs VALUES (1, 1, 2, 0, '[\"Hel\",\"lo\"]', '[5,6]'), (2, 2, 2, 0, '[\"Once\"]', '[7]')"
    ],
    [job("job-long", { model: "minillama" }), `INSERT INTO requests VALUES (3, ${json(long)})`],
    [job("job-file", { model: "minillama" })],
    ["INSERT INTO usage VALUES ('ada', '2026-11-30', 1, 10, 4, 20, 1.5)"],
    ["INSERT INTO leftovers VALUES (1, '[77,78]')"]
  ],
  beside: (version) => (version < 3 ? {} : { [longFile]: JSON.stringify(long) }),
  read: (file) =>
    Effect.gen(function* () {
      const { jobs, replay, tokens, unfinished, usage } = yield* Journal
      const sequences = ["job-ended", "job-open"].map((id) => JobId.make(id))
      return {
        jobs: (yield* jobs(10)).map(({ id }) => id),
        unfinished: (yield* unfinished).map(({ facts: known, id, key: name, request: asked }) => [
          id,
          name,
          asked,
          known
        ]),
        sequences: yield* Effect.forEach(sequences, (id) => replay(id, 0, 10)),
        tokens: yield* Effect.forEach(sequences, tokens),
        usage: yield* usage("2026-01-01")
      }
    }).pipe(Effect.provide(Layer.provide(layerJournal(file), layerTurns)), Effect.runPromise),
  expected: (version) => ({
    jobs: [...(version < 3 ? [] : ["job-file"]), ...(version < 2 ? [] : ["job-long"]), "job-open", "job-ended"],
    unfinished: [
      ["job-open", "key-job-open", request("a story"), facts],
      // of the third version on it is a file's
      ...(version < 2 ? [] : [["job-long", "key-job-long", long, facts]]),
      ...(version < 3 ? [] : [["job-file", "key-job-file", long, facts]])
    ],
    sequences: [
      [
        { _tag: "Event", id: 1, event: "narration", data: '{"n":1}' },
        { _tag: "Tokens", firstId: 2, firstIndex: 0, texts: ["Hel", "lo"] },
        { _tag: "Event", id: 4, event: "done", data: "{}" }
      ],
      [
        { _tag: "Event", id: 1, event: "narration", data: '{"n":2}' },
        { _tag: "Tokens", firstId: 2, firstIndex: 0, texts: ["Once"] }
      ]
    ],
    tokens: [
      { texts: ["Hel", "lo"], tokenIds: [5, 6] },
      { texts: ["Once"], tokenIds: [7] }
    ],
    usage: version < 4 ? [] : [{ key: "ada", day: "2026-11-30", ...used }]
  })
}

const stores = { "queen's catalog": queen, "hive's catalog": hive, journal }

/** Migrations and rows in turn: what a later version makes of a row is its own business. */
const written = async ({ beside, migrations, rows }: Store, version: number): Promise<string> => {
  const file = join(folder, String(++files), "store.sqlite")
  for (let at = 1; at <= version; at++) {
    const open = openDatabase({ file, migrations: migrations.slice(0, at), durability: "full" })
    await Effect.runPromise(Effect.provide(Effect.void, open))
    const db = new Sqlite(file)
    for (const text of rows[at - 1] ?? []) db.exec(text)
    db.close()
  }
  for (const [name, text] of Object.entries(beside?.(version) ?? {})) {
    await mkdir(dirname(join(dirname(file), name)), { recursive: true })
    writeFileSync(join(dirname(file), name), text)
  }
  return file
}

/** The bytes of all files of a store; what SQLite itself makes to look at them is no one's. */
const bytesOf = (file: string) =>
  Object.fromEntries(
    readdirSync(dirname(file), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith("-shm"))
      .map((entry) => {
        const path = join(entry.parentPath, entry.name)
        return [entry.name, createHash("sha256").update(readFileSync(path)).digest("hex")]
      })
  )

describe.each(Object.entries(stores))("a %s", (_, store) => {
  const { expected, migrations, read, rows } = store

  it("is filled here as each of its versions did", () => {
    expect(rows).toHaveLength(migrations.length)
  })

  it.each(migrations.map(({ name }, at) => [at + 1, name] as const))(
    "of version %i (%s) is read by today's program",
    async (version) => {
      const file = await written(store, version)
      expect(await read(file)).toEqual(expected(version))
      // and it is today's from now on
      const db = new Sqlite(file, { readonly: true })
      expect(db.prepare("SELECT max(migration_id) FROM effect_sql_migrations").pluck().get()).toBe(migrations.length)
      db.close()
    }
  )

  it.each([false, true])(
    "of a newer version is refused, byte for byte as it was (after a crash: %s)",
    async (crashed) => {
      const today = await written(store, migrations.length)
      const newer = [...migrations, { name: "of tomorrow", statements: ["CREATE TABLE tomorrow (a TEXT) STRICT"] }]
      await Effect.runPromise(
        Effect.provide(Effect.void, openDatabase({ file: today, migrations: newer, durability: "full" }))
      )
      let file = today
      if (crashed) {
        // as it lies where its writer was killed: what came last stands beside it
        const db = new Sqlite(today)
        db.exec("INSERT INTO tomorrow VALUES (NULL)")
        file = join(folder, String(++files), "store.sqlite")
        await mkdir(dirname(file))
        for (const suffix of ["", "-wal"]) writeFileSync(`${file}${suffix}`, readFileSync(`${today}${suffix}`))
        db.close()
      }
      const before = bytesOf(file)
      const error: unknown = await read(file).then(
        () => undefined,
        (cause: unknown) => cause
      )
      expect(String(error)).toContain(
        `${file} was written by a newer rbee (store version ${newer.length}, this one knows ${migrations.length})`
      )
      expect(bytesOf(file)).toEqual(before)
    }
  )
})
