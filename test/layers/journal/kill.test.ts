/** The journal file when its process is killed in the middle of writing: what was acknowledged is there, and whole. */
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { build } from "esbuild"
import { afterAll, beforeAll, describe } from "vitest"
import { Journal } from "../../../src/layers/journal/index.ts"
import { layerSqlite } from "../../../src/layers/journal/sqlite.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { JOBS, LONG } from "./kill-writer.ts"

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

/** Runs the writer, kills it once it has acknowledged `turns` commits, and gives its last line. */
const lastWordsAfter = (file: string, turns: number, kind = ""): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, file, kind], { stdio: ["ignore", "pipe", "inherit"] })
    let last = ""
    createInterface({ input: child.stdout })
      .on("line", (line) => {
        last = line
        if (Number.parseInt(line, 10) >= turns) child.kill("SIGKILL")
      })
      .on("close", () => resolve(last))
    child.on("error", reject)
  })
const killedAfter = (file: string, turns: number): Promise<number> => lastWordsAfter(file, turns).then(Number)

describe("a journal whose process is killed", () => {
  it.effect("has every acknowledged turn, and no torn one", () =>
    Effect.gen(function* () {
      for (const turns of [0, 3, 40, 300]) {
        const file = join(data, `${turns}.sqlite`)
        const acknowledged = yield* Effect.promise(() => killedAfter(file, turns))
        expect(acknowledged).toBeGreaterThanOrEqual(turns)
        yield* Effect.provide(
          Effect.gen(function* () {
            const journal = yield* Journal
            expect((yield* journal.unfinished).map(({ id }) => id)).toEqual(JOBS)
            const lengths: Array<number> = []
            for (const job of JOBS) {
              const { texts, tokenIds } = yield* journal.tokens(job)
              expect(tokenIds).toEqual(texts.map((_, k) => k))
              expect(texts).toEqual(texts.map((_, k) => `${job} ${k}`))
              const ids = (yield* journal.replay(job, 0, 1_000_000)).flatMap((entry) =>
                entry._tag === "Event" ? [entry.id] : entry.texts.map((_, k) => entry.firstId + k)
              )
              expect(ids).toEqual(Array.from({ length: yield* journal.lastId(job) }, (_, k) => k + 1))
              lengths.push(texts.length)
            }
            // a turn is in all jobs or in none, and nothing acknowledged is missing
            expect(new Set(lengths).size).toBe(1)
            expect(lengths[0]).toBeGreaterThanOrEqual((acknowledged + 1) * 2)
          }),
          Layer.provide(layerSqlite(file), layerNode)
        )
      }
    })
  )

  it.effect("has every acknowledged long request whole, and nothing of one that was being written", () =>
    Effect.gen(function* () {
      for (const steps of [1, 9, 50]) {
        const file = join(data, `long-${steps}`, "journal.sqlite")
        const [, whole] = (yield* Effect.promise(() => lastWordsAfter(file, steps, "long"))).split(" ")
        yield* Effect.provide(
          Effect.gen(function* () {
            const jobs = yield* (yield* Journal).unfinished
            expect(jobs.length).toBeGreaterThanOrEqual(Number(whole))
            for (const { request } of jobs) expect(request).toEqual({ model: "m", prompt: LONG })
            expect(readdirSync(join(data, `long-${steps}`, "requests"))).toHaveLength(jobs.length)
          }),
          Layer.provide(layerSqlite(file), layerNode)
        )
      }
    })
  )
})
