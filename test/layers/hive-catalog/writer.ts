/** Writes one lease after another and says each number once it is in the catalog. Killed in the middle by its test. */
import { writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import { HiveCatalog } from "../../../src/layers/hive-catalog/index.ts"
import { layerSqlite } from "../../../src/layers/hive-catalog/sqlite.ts"
import { cpuDevice } from "../../../src/machines/vocabulary/ids.ts"

const file = process.argv[2] ?? ""

Effect.runFork(
  Effect.gen(function* () {
    const { leases } = yield* HiveCatalog
    for (let i = 1; ; i++) {
      yield* leases.put({ id: String(i), device: cpuDevice, owner: "w", bytes: i })
      writeSync(1, `${i}\n`)
    }
  }).pipe(Effect.provide(layerSqlite(file)))
)
