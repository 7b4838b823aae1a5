import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { build } from "esbuild"
import * as Effect from "effect/Effect"
import { describe } from "vitest"
import { HiveCatalog, type ModelRow } from "../../../src/layers/hive-catalog/index.ts"
import { layerSqlite } from "../../../src/layers/hive-catalog/sqlite.ts"
import { WorkerId, DeviceId, cpuDevice, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const withFile = <A, E>(use: (file: string) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-catalog-"))),
    (folder) => use(join(folder, "catalog.sqlite")),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
const run = <A, E>(file: string, work: (catalog: HiveCatalog["Type"]) => Effect.Effect<A, E>) =>
  Effect.provide(Effect.flatMap(HiveCatalog, work), layerSqlite(file))

/** Inside the tree, so that it finds the packages that a bundle leaves out. */
const bundleWriter = async (): Promise<string> => {
  const root = fileURLToPath(new URL("../../..", import.meta.url))
  const outfile = join(root, "node_modules", ".cache", "rbee-test", `catalog-writer-${process.pid}.mjs`)
  await build({
    entryPoints: [fileURLToPath(new URL("./writer.ts", import.meta.url))],
    bundle: true,
    outfile,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["better-sqlite3"],
    logLevel: "warning"
  })
  return outfile
}

const model: ModelRow = {
  ref: ModelRef.make("minillama"),
  file: "/models/a.gguf",
  bytes: 3_297_568,
  sha256: "ab",
  architecture: "llama",
  parameters: 3_049_920,
  context: 512,
  tokenBytes: 16,
  purpose: "embeddings",
  quantization: "Q8_0",
  template: true,
  templateHash: undefined,
  owned: true,
  pinned: false,
  why: undefined,
  addedAt: 1_700_000_000_123,
  lastUsedAt: undefined
}
const inPlace: ModelRow = {
  ...model,
  ref: ModelRef.make("file:/x.gguf"),
  sha256: undefined,
  architecture: undefined,
  parameters: undefined,
  context: undefined,
  quantization: undefined,
  owned: false,
  lastUsedAt: 5
}

describe("The hive's catalog", () => {
  it.effect("gives every row back as it was, over a restart", () =>
    withFile((file) =>
      Effect.gen(function* () {
        yield* run(file, (catalog) =>
          Effect.all([
            catalog.models.put(model),
            catalog.models.put(inPlace),
            catalog.runtimes.put({ kind: "cuda-llm-worker-rbee", version: "3.21.1", folder: "/r" }),
            catalog.leases.put({ id: "l", device: DeviceId.make("gpu0"), owner: "w1", bytes: 12_345_678_901 }),
            catalog.workers.put({ worker: WorkerId.make("w1"), pid: 42, start: "99@boot", port: undefined }),
            catalog.pins.put({ device: DeviceId.make("cpu"), file: "/models/a.gguf" }),
            catalog.measured.put({ key: "k", bytes: 7 }),
            catalog.exact.put({
              hash: "h",
              engine: "1",
              device: DeviceId.make("cpu"),
              setup: "512x4",
              file: "/a",
              exact: true,
              bits: "b",
              threads: 1
            }),
            catalog.setOwner({ id: "q", name: "queen", epoch: 3, url: "http://127.0.0.1:8500" })
          ])
        )
        yield* run(file, (catalog) =>
          Effect.gen(function* () {
            expect(catalog.movedAside).toBeUndefined()
            expect(yield* catalog.models.all).toEqual([model, inPlace])
            expect(yield* catalog.runtimes.all).toEqual([
              { kind: "cuda-llm-worker-rbee", version: "3.21.1", folder: "/r" }
            ])
            expect(yield* catalog.exact.all).toEqual([
              {
                hash: "h",
                engine: "1",
                device: cpuDevice,
                setup: "512x4",
                file: "/a",
                exact: true,
                bits: "b",
                threads: 1
              }
            ])
            expect(yield* catalog.leases.all).toEqual([
              { id: "l", device: DeviceId.make("gpu0"), owner: "w1", bytes: 12_345_678_901 }
            ])
            expect(yield* catalog.workers.all).toEqual([{ worker: "w1", pid: 42, start: "99@boot", port: undefined }])
            expect(yield* catalog.pins.all).toEqual([{ device: cpuDevice, file: "/models/a.gguf" }])
            expect(yield* catalog.measured.all).toEqual([{ key: "k", bytes: 7 }])
            expect(yield* catalog.owner).toEqual({ id: "q", name: "queen", epoch: 3, url: "http://127.0.0.1:8500" })
          })
        )
      })
    )
  )

  it.effect("replaces a row that is put again, and forgets one that is removed", () =>
    withFile((file) =>
      run(file, (catalog) =>
        Effect.gen(function* () {
          yield* catalog.models.put(model)
          yield* catalog.models.put({ ...model, lastUsedAt: 9 })
          expect(yield* catalog.models.all).toEqual([{ ...model, lastUsedAt: 9 }])
          yield* catalog.models.remove("nobody")
          yield* catalog.models.remove("minillama")
          expect(yield* catalog.models.all).toEqual([])
          yield* catalog.pins.put({ device: DeviceId.make("cpu"), file: "a" })
          yield* catalog.pins.put({ device: DeviceId.make("cpu"), file: "a" })
          yield* catalog.pins.put({ device: DeviceId.make("cpu"), file: "b" })
          yield* catalog.pins.remove({ device: DeviceId.make("cpu"), file: "a" })
          expect(yield* catalog.pins.all).toEqual([{ device: cpuDevice, file: "b" }])
          yield* catalog.setOwner({ id: "q", name: "queen", epoch: 1, url: "u" })
          yield* catalog.setOwner({ id: "r", name: "other", epoch: 2, url: "v" })
          expect(yield* catalog.owner).toEqual({ id: "r", name: "other", epoch: 2, url: "v" })
        })
      )
    )
  )

  it.effect("starts empty beside a damaged file, and says where that went", () =>
    withFile((file) =>
      Effect.gen(function* () {
        yield* run(file, (catalog) => catalog.models.put(model))
        writeFileSync(file, "garbage ".repeat(2000))
        yield* run(file, (catalog) =>
          Effect.gen(function* () {
            expect(catalog.movedAside).toBe(`${file}.corrupt`)
            expect(yield* catalog.models.all).toEqual([])
          })
        )
      })
    )
  )

  it.effect("loses no row that was acknowledged when its process is killed with -9", () =>
    withFile((file) =>
      Effect.gen(function* () {
        const writer = yield* Effect.promise(bundleWriter)
        let acknowledged = 0
        yield* Effect.promise(
          () =>
            new Promise<void>((resolve, reject) => {
              const child = spawn(process.execPath, [writer, file], {
                stdio: ["ignore", "pipe", "inherit"]
              })
              child.once("error", reject)
              child.stdout.setEncoding("utf8").on("data", (text: string) => {
                acknowledged = Math.max(acknowledged, Number(text.trim().split("\n").at(-1)))
                if (acknowledged >= 200) child.kill("SIGKILL")
              })
              child.once("close", () => resolve())
            })
        )
        expect(acknowledged).toBeGreaterThanOrEqual(200)
        const rows = yield* run(file, (catalog) => catalog.leases.all)
        expect(rows.length).toBeGreaterThanOrEqual(acknowledged)
        expect(rows.map(({ id }) => Number(id))).toEqual(rows.map((_, i) => i + 1))
        rmSync(writer, { force: true })
      })
    )
  )
})
