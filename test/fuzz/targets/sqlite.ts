/** Journal and catalogs with bytes that no SQLite wrote: opened, or moved aside, or refused; read without a defect. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { layerSqlite as layerHive } from "../../../src/layers/hive-catalog/sqlite.ts"
import { HiveCatalog } from "../../../src/layers/hive-catalog/index.ts"
import { layerRandom } from "../../../src/layers/ids/random.ts"
import { Journal } from "../../../src/layers/journal/index.ts"
import { layerSqlite as layerJournal } from "../../../src/layers/journal/sqlite.ts"
import { QueenCatalog } from "../../../src/layers/queen-catalog/index.ts"
import { layerSqlite as layerQueen } from "../../../src/layers/queen-catalog/sqlite.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { makeMachine } from "../../support/machine.ts"
import { mutatedBytes } from "../mutate.ts"
import { Finding, ownPeakMb, type Target } from "../target.ts"

const readJournal = (file: string) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    for (const { id } of [...(yield* journal.jobs(100)), ...(yield* journal.unfinished)]) {
      yield* journal.replay(id, 0, 1000)
      yield* journal.tokens(id)
    }
  }).pipe(Effect.provide(Layer.provide(layerJournal(file), layerNode)), Effect.scoped)

const readHive = (file: string) =>
  Effect.gen(function* () {
    const catalog = yield* HiveCatalog
    yield* Effect.all([catalog.models.all, catalog.leases.all, catalog.workers.all, catalog.pins.all, catalog.owner])
  }).pipe(Effect.provide(layerHive(file)), Effect.scoped)

const readQueen = (file: string) =>
  Effect.gen(function* () {
    const catalog = yield* QueenCatalog
    yield* Effect.all([catalog.hives.all, catalog.capabilities.all, catalog.settings.all])
  }).pipe(Effect.provide(Layer.provide(layerQueen(file), layerRandom)), Effect.scoped)

const stores = [
  { name: "journal.sqlite", folder: "queen", read: readJournal },
  { name: "catalog.sqlite", folder: "queen", read: readQueen },
  { name: "catalog.sqlite", folder: "hive-localhost", read: readHive }
] as const

/** The files of a real run that ended in good order. */
const filesOfARun = async (folder: string): Promise<ReadonlyArray<string>> => {
  const machine = await makeMachine()
  try {
    for (const args of [["infer", "--quiet", "hello"], ["down"]]) {
      const { code, stderr } = await machine.rbee(args)
      if (code !== 0) throw new Error(stderr)
    }
    return stores.map(({ folder: of, name }, i) => {
      const copy = join(folder, `${i}-${name}`)
      copyFileSync(join(machine.home, of, name), copy)
      return copy
    })
  } finally {
    await machine.dispose()
  }
}

/** What is moved aside is told in the log, which nobody reads here. */
const quiet = (work: Effect.Effect<void, unknown>) => Effect.provide(work, Logger.remove(Logger.defaultLogger))

/** A store that went bad while it was open throws: a fault of the disk, which ends its owner. Nothing else does. */
const isOfTheDisk = (error: unknown): boolean => /SQLITE_|Sqlite|malformed|disk image/.test(String(error))

export const sqlite: Target = {
  name: "sqlite",
  parallel: 1,
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), "rbee-fuzz-"))
    const files = (await filesOfARun(folder)).map((file) => readFileSync(file))
    let count = 0
    return {
      one: async (random) => {
        const which = random.int(0, stores.length - 1)
        const store = stores[which]
        const bytes = files[which]
        if (store === undefined || bytes === undefined) throw new Error("no such store")
        const file = join(folder, `try-${++count}.sqlite`)
        writeFileSync(file, mutatedBytes(bytes, random, random.pick([100, 4096, bytes.length])))
        const exit = await Effect.runPromiseExit(quiet(store.read(file)))
        for (const suffix of ["", "-wal", "-shm", ".corrupt", ".corrupt-wal", ".corrupt-shm"])
          if (existsSync(file + suffix)) rmSync(file + suffix)
        if (Exit.isFailure(exit) && Cause.isDie(exit.cause) && !isOfTheDisk(Cause.squash(exit.cause)))
          throw new Finding("untyped", `${store.folder}/${store.name}: ${Cause.pretty(exit.cause)}`)
        return 1
      },
      check: async () => undefined,
      peakMb: ownPeakMb,
      close: async () => rmSync(folder, { recursive: true, force: true })
    }
  }
}
