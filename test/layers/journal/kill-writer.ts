/** Writes turn after turn for several jobs until it is killed, and prints the number of each one that is committed. */
import { writeSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Journal } from "../../../src/layers/journal/index.ts"
import { layerSqlite } from "../../../src/layers/journal/sqlite.ts"
import { Turns } from "../../../src/layers/turns/index.ts"
import { JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { commit } from "../../support/journals.ts"

export const JOBS: ReadonlyArray<JobId> = ["job-a", "job-b", "job-c"].map((id) => JobId.make(id))
/** about 16 pieces */
export const LONG = "so much to say. ".repeat(65_536)

const write = Effect.gen(function* () {
  const journal = yield* Journal
  for (const id of JOBS)
    yield* journal.create({
      id,
      request: { model: ModelRef.make("m"), prompt: "p" },
      createdAt: 0,
      facts: { state: "streaming", epoch: 1, failovers: 0, timings: {} }
    })
  for (let turn = 0; ; turn++) {
    const [a, b] = [turn * 2, turn * 2 + 1]
    yield* commit(
      journal,
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

/** Long requests, one after the other; a line says how many turns are done, in all, and how many of them are whole. */
const progress = { turns: 0, whole: 0 }
const tell = () => writeSync(1, `${++progress.turns} ${progress.whole}\n`)
const writeLong = Effect.gen(function* () {
  const journal = yield* Journal
  for (;;) {
    yield* journal.create({
      id: JobId.make(`job-${progress.whole}`),
      request: { model: ModelRef.make("m"), prompt: LONG },
      createdAt: 0,
      facts: { state: "streaming" as const, epoch: 1, failovers: 0, timings: {} }
    })
    progress.whole++
    tell()
  }
})
const layerTold = Layer.succeed(Turns, {
  atEndOfTurn: (work) => {
    tell()
    setImmediate(work)
  }
})

const [, , file, kind] = process.argv
if (file !== undefined && import.meta.url.endsWith("writer.mjs"))
  Effect.runFork(Effect.provide(kind === "long" ? writeLong : write, Layer.provide(layerSqlite(file), layerTold)))
