/** The journal file when its process is killed in the middle of writing: what was acknowledged is there, and whole. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { build } from "esbuild"
import { afterAll, beforeAll, describe } from "vitest"
import { Journal } from "../../../src/layers/journal/index.ts"
import { layerSqlite } from "../../../src/layers/journal/sqlite.ts"
import { JOBS } from "./kill-writer.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
// inside the tree, so that the bundle finds the packages it leaves out
const folder = mkdtempSync(join(root, "node_modules", ".rbee-journal-kill-"))
const data = mkdtempSync(join(tmpdir(), "rbee-journal-kill-"))
const writer = join(folder, "writer.mjs")
beforeAll(() =>
  build({
    entryPoints: [fileURLToPath(new URL("./kill-writer.ts", import.meta.url))],
    outfile: writer,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    logLevel: "error"
  })
)
afterAll(() => {
  for (const each of [folder, data]) rmSync(each, { recursive: true, force: true })
})

/** Runs the writer, kills it once it has acknowledged `turns` commits, and gives the last one it acknowledged. */
const killedAfter = (file: string, turns: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, file], { stdio: ["ignore", "pipe", "inherit"] })
    let last = -1
    createInterface({ input: child.stdout })
      .on("line", (line) => {
        last = Number(line)
        if (last >= turns) child.kill("SIGKILL")
      })
      .on("close", () => resolve(last))
    child.on("error", reject)
  })

describe("a journal whose process is killed", () => {
  it.effect("has every acknowledged turn, and no torn one", () =>
    Effect.gen(function* () {
      for (const turns of [0, 3, 40, 300]) {
        const file = join(data, `${turns}.sqlite`)
        const acknowledged = yield* Effect.promise(() => killedAfter(file, turns))
        expect(acknowledged).toBeGreaterThanOrEqual(turns)
        yield* Effect.provide(
          Effect.map(Journal, (journal) => {
            expect(journal.unfinished().map(({ id }) => id)).toEqual(JOBS)
            const lengths = JOBS.map((job) => {
              const { texts, tokenIds } = journal.tokens(job)
              expect(tokenIds).toEqual(texts.map((_, k) => k))
              expect(texts).toEqual(texts.map((_, k) => `${job} ${k}`))
              const ids = journal
                .replay(job, 0, 1_000_000)
                .flatMap((entry) =>
                  entry._tag === "Event" ? [entry.id] : entry.texts.map((_, k) => entry.firstId + k)
                )
              expect(ids).toEqual(Array.from({ length: journal.lastId(job) }, (_, k) => k + 1))
              return texts.length
            })
            // a turn is in all jobs or in none, and nothing acknowledged is missing
            expect(new Set(lengths).size).toBe(1)
            expect(lengths[0]).toBeGreaterThanOrEqual((acknowledged + 1) * 2)
          }),
          layerSqlite(file)
        )
      }
    })
  )
})
