/** Writes turn after turn for several jobs until it is killed, and prints the number of each one that is committed. */
import { writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import { Journal } from "../../../src/layers/journal/index.ts"
import { layerSqlite } from "../../../src/layers/journal/sqlite.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"

export const JOBS: ReadonlyArray<JobId> = ["job-a", "job-b", "job-c"].map((id) => JobId.make(id))
/** about 16 pieces */
export const LONG = "so much to say. ".repeat(65_536)

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

/** Long requests, one after the other; a line says how many steps are done, in all, and how many are whole. */
const writeLong = Effect.map(Journal, (journal) => {
  let steps = 0
  for (let made = 0; ; made++) {
    const job = {
      id: JobId.make(`job-${made}`),
      request: { model: "m", prompt: LONG },
      createdAt: 0,
      facts: { state: "streaming" as const, epoch: 1, failovers: 0, timings: {} }
    }
    for (const _ of journal.prepare(job)) writeSync(1, `${++steps} ${made}\n`)
    journal.create(job)
    writeSync(1, `${++steps} ${made + 1}\n`)
  }
})

const [, , file, kind] = process.argv
if (file !== undefined && import.meta.url.endsWith("writer.mjs"))
  Effect.runSync(Effect.provide(kind === "long" ? writeLong : write, layerSqlite(file)))
