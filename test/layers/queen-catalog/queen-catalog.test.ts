import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe } from "vitest"
import Sqlite from "better-sqlite3"
import { layerRandom } from "../../../src/layers/ids/random.ts"
import { type CapabilitiesRow, type HiveRow, QueenCatalog } from "../../../src/layers/queen-catalog/index.ts"
import { layerSqlite } from "../../../src/layers/queen-catalog/sqlite.ts"
import { HiveId, localHive, DeviceId } from "../../../src/machines/vocabulary/ids.ts"

const folder = mkdtempSync(join(tmpdir(), "rbee-queen-catalog-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = () => join(folder, String(++files), "catalog.sqlite")

const start = <A, E>(file: string, body: (catalog: QueenCatalog["Type"]) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(QueenCatalog, body), Layer.fresh(Layer.provide(layerSqlite(file), layerRandom)))

const hive: HiveRow = {
  id: localHive,
  url: "http://127.0.0.1:8600",
  instance: "hive-1",
  addedAt: 1_700_000_000_000.5
}
const capabilities: CapabilitiesRow = {
  hive: localHive,
  instance: "hive-1",
  version: "0.1.0",
  devices: {
    cpu: { cores: 2, ram_mb: 4000.5, ram_free_mb: 100 },
    gpus: [{ id: DeviceId.make("gpu0"), name: 'RTX "3060"', backend: "cuda", vram_mb: 12_000, vram_free_mb: 11_000 }],
    models: 1,
    workers: 0
  },
  askedAt: 5
}
describe("the queen's catalog", () => {
  it.effect("gives every start the same id and the next epoch", () =>
    Effect.gen(function* () {
      const file = newFile()
      const identities = yield* Effect.forEach([1, 2, 3], () => start(file, ({ identity }) => Effect.succeed(identity)))
      expect(identities.map(({ epoch }) => epoch)).toEqual([1, 2, 3])
      expect(new Set(identities.map(({ id }) => id)).size).toBe(1)
      expect(identities[0]?.id).toMatch(/^queen-[0-9a-f]{16}$/)
    })
  )

  it.effect("fails with a type where a cell was damaged that SQLite does not look at", () =>
    Effect.gen(function* () {
      const file = newFile()
      yield* start(file, (catalog) => catalog.hives.put(hive))
      const damaged = new Sqlite(file)
      damaged.prepare("UPDATE hives SET url = '{\"x'").run()
      damaged.close()
      const error = yield* Effect.flip(start(file, (catalog) => catalog.hives.all))
      expect(error).toMatchObject({ code: "INTERNAL", details: { code: "unknown row" } })
    })
  )

  it.effect("keeps hives, capabilities and settings as they were put", () =>
    Effect.gen(function* () {
      const file = newFile()
      yield* start(file, (catalog) =>
        Effect.gen(function* () {
          yield* catalog.hives.put({ id: HiveId.make("bare"), addedAt: 3 })
          yield* catalog.hives.put({ ...hive, url: "http://old" })
          yield* catalog.capabilities.put(capabilities)
          // replacing the hive keeps what is known of it
          yield* catalog.hives.put(hive)
          yield* catalog.settings.put({ name: "n", value: "true" })
        })
      )
      yield* start(file, (catalog) =>
        Effect.gen(function* () {
          expect(yield* catalog.hives.all).toEqual([{ id: "bare", addedAt: 3 }, hive])
          expect(yield* catalog.capabilities.get("localhost")).toEqual(capabilities)
          expect(yield* catalog.settings.get("n")).toEqual({ name: "n", value: "true" })
          expect(yield* catalog.settings.get("other")).toBeUndefined()
          // a field that is no longer known is gone
          yield* catalog.hives.put({ id: localHive, addedAt: 1 })
          expect(yield* catalog.hives.get("localhost")).toEqual({ id: "localhost", addedAt: 1 })
        })
      )
    })
  )

  it.effect("forgets a hive together with its capabilities, and takes none for an unknown hive", () =>
    start(newFile(), (catalog) =>
      Effect.gen(function* () {
        expect((yield* Effect.flip(catalog.capabilities.put(capabilities))).code).toBe("INTERNAL")
        yield* catalog.hives.put(hive)
        yield* catalog.capabilities.put(capabilities)
        yield* catalog.hives.remove("localhost")
        yield* catalog.hives.remove("localhost")
        expect(yield* catalog.capabilities.all).toEqual([])
      })
    )
  )

  it.effect("starts anew from a file that is no database, which it keeps", () =>
    Effect.gen(function* () {
      const file = newFile()
      yield* start(file, (catalog) => catalog.hives.put(hive))
      writeFileSync(file, "garbage".repeat(2000))
      yield* start(file, (catalog) =>
        Effect.gen(function* () {
          expect(readFileSync(`${file}.corrupt`, "utf8")).toContain("garbage")
          expect(catalog.identity.epoch).toBe(1)
          expect(yield* catalog.hives.all).toEqual([])
        })
      )
    })
  )
})
