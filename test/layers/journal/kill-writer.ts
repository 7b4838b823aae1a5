/** Writes turn after turn for several jobs until it is killed, and prints the number of each one that is committed. */
import { writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import { Journal } from "../../../src/layers/journal/index.ts"
import { layerSqlite } from "../../../src/layers/journal/sqlite.ts"

export const JOBS: ReadonlyArray<string> = ["job-a", "job-b", "job-c"]

const write = Effect.map(Journal, (journal) => {
  for (const id of JOBS)
    journal.create({
      id,
      request: { model: "m", prompt: "p" },
      createdAt: 0,
      facts: { state: "streaming", epoch: 1, failovers: 0, timings: {} }
    })
  for (let turn = 0; ; turn++) {
    const [a, b] = [turn * 2, turn * 2 + 1]
    journal.commit(
      JOBS.map((job) => ({
        _tag: "Tokens",
        job,
        firstId: a + 1,
        firstIndex: a,
        count: 2,
        texts: JSON.stringify([`${job} ${a}`, `${job} ${b}`]),
        tokenIds: `[${a},${b}]`
      }))
    )
    writeSync(1, `${turn}\n`)
  }
})

const [, , file] = process.argv
if (file !== undefined && import.meta.url.endsWith("writer.mjs"))
  Effect.runSync(Effect.provide(write, layerSqlite(file)))
