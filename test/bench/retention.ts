/**
 * A journal of 100 000 ended jobs: how long the queen takes to start with it against an empty one, what a sweep takes
 * that finds nothing to forget, and one that forgets nearly all, with the longest time that it holds the event loop up.
 * `retention [JOBS] [PAIRS]`
 */
import { spawn } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Journal, type JobFacts, type JournalService, type Write } from "../../src/layers/journal/index.ts"
import { layerSqlite } from "../../src/layers/journal/sqlite.ts"
import { layerNode } from "../../src/layers/turns/node.ts"
import { JobId, ModelRef } from "../../src/machines/vocabulary/ids.ts"
import { commit } from "../support/journals.ts"
import { makeMachine } from "../support/machine.ts"
import { interleaved, median, ratio, report, timed } from "./support.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const facts: JobFacts = { state: "queued", epoch: 1, failovers: 0, timings: { placed_ms: 2, total_ms: 300 } }

const using = <A>(file: string, work: (journal: JournalService) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(
    Effect.provide(Effect.flatMap(Journal, work), Layer.provide(layerSqlite(file), layerNode)) as Effect.Effect<A>
  )

/** A chat of some hundred words, and an answer of 24 tokens that was written in eight turns. */
const writesOf = (job: JobId, endedAt: number): ReadonlyArray<Write> => {
  const event = (id: number): Write => ({ _tag: "Event", job, id, event: "state", data: '{"from":"a","to":"b"}' })
  const run = (at: number): Write => {
    const texts = [" some", " three", " tokens"]
    const tokenIds = JSON.stringify([at, at + 1, at + 2])
    return { _tag: "Tokens", job, firstId: 5 + at, firstIndex: at, count: 3, texts: JSON.stringify(texts), tokenIds }
  }
  const end: Write = { _tag: "Facts", job, facts: { ...facts, state: "done", tokens: 24 }, endedAt }
  return [1, 2, 3, 4].map(event).concat(
    Array.from({ length: 8 }, (_, k) => run(3 * k)),
    event(29),
    end
  )
}

const fill = (file: string, jobs: number): Promise<void> =>
  using(file, (journal) =>
    Effect.gen(function* () {
      const prompt = "What is written here stands for what somebody may have asked. ".repeat(12)
      const now = Date.now()
      for (let n = 0; n < jobs; n++) {
        const id = JobId.make(`job-${n}`)
        const request = { model: ModelRef.make("minillama"), prompt }
        yield* journal.create({ id, request, key: undefined, createdAt: now + n, facts })
        yield* commit(journal, writesOf(id, now + n))
      }
      yield* journal.checkpoint
    })
  )

/** Milliseconds until a queen of her own answers who finds this journal. */
const start = async (journal: string | undefined, jobs: number): Promise<number> => {
  const machine = await makeMachine({ programs: `${root}/dist`, env: { RBEE_QUEEN_RETENTION_JOBS: String(2 * jobs) } })
  try {
    const folder = join(machine.home, "queen")
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (journal !== undefined) copyFileSync(journal, join(folder, "journal.sqlite"))
    const { ms } = await timed(async () => {
      const queen = spawn(process.execPath, [`${root}/dist/queen.js`], { env: machine.env, stdio: "ignore" })
      for (;;) {
        const health = await fetch(`${machine.queenUrl}/health`).catch(() => undefined)
        if (health?.ok === true) return
        if (queen.exitCode !== null) throw new Error(`the queen ended with ${queen.exitCode}`)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    })
    return ms
  } finally {
    await machine.dispose()
  }
}

/**
 * Whole milliseconds, and the longest turn of the loop meanwhile: by the clock, where others that want the machine are
 * counted too, and by the CPU that it took.
 */
const watched = async (work: () => Promise<unknown>) => {
  const watch = { isOver: false }
  let longest = 0
  let longestCpu = 0
  const turns = (async () => {
    while (!watch.isOver) {
      const cpu = process.cpuUsage()
      const { ms } = await timed(() => new Promise((resolve) => setImmediate(resolve)))
      const { system, user } = process.cpuUsage(cpu)
      longest = Math.max(longest, ms)
      longestCpu = Math.max(longestCpu, (system + user) / 1000)
    }
  })()
  const { ms } = await timed(work)
  watch.isOver = true
  await turns
  return { ms, longest, longestCpu }
}

const sweep = (journal: JournalService, keep: number) =>
  Effect.gen(function* () {
    let forgotten = 0
    for (;;) {
      const ids = yield* journal.forget(0, keep)
      forgotten += ids.length
      if (ids.length === 0) return forgotten
    }
  })

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const jobs = Number(args[0] ?? 100_000)
  const pairs = Number(args[1] ?? 11)
  const folder = mkdtempSync(join(tmpdir(), "rbee-retention-"))
  try {
    const file = join(folder, "full", "journal.sqlite")
    process.stderr.write(`${jobs} jobs…\n`)
    await fill(file, jobs)
    if (existsSync(`${file}-wal`)) throw new Error("the journal was not closed")
    const starts = await interleaved({ full: () => start(file, jobs), empty: () => start(undefined, jobs) }, pairs)
    const started = ratio(starts.full, starts.empty)
    process.stderr.write("sweeps…\n")
    const idle = await using(file, (journal) =>
      Effect.promise(() => watched(() => Effect.runPromise(Effect.orDie(sweep(journal, jobs)))))
    )
    const nearlyAll = await using(file, (journal) =>
      Effect.promise(() => watched(() => Effect.runPromise(Effect.orDie(sweep(journal, 1000)))))
    )
    report(
      "retention",
      [
        { what: "start, empty journal", value: median(starts.empty), unit: "ms" },
        { what: `start, ${jobs} ended jobs`, value: median(starts.full), unit: "ms" },
        {
          what: "start ÷ start with an empty one",
          value: started.median,
          unit: "×",
          against: `p5 ${started.p5.toFixed(2)}, p95 ${started.p95.toFixed(2)}, ${started.pairs} pairs`,
          target: "≤ 1.1"
        },
        { what: "sweep that finds nothing", value: idle.ms, unit: "ms" },
        { what: "its longest turn, by the clock", value: idle.longest, unit: "ms", target: "≤ 10" },
        { what: "its longest turn, CPU", value: idle.longestCpu, unit: "ms" },
        { what: `sweep of ${jobs - 1000} jobs`, value: nearlyAll.ms / 1000, unit: "s" },
        { what: "its longest turn, by the clock", value: nearlyAll.longest, unit: "ms", target: "≤ 10" },
        { what: "its longest turn, CPU", value: nearlyAll.longestCpu, unit: "ms" }
      ],
      { starts, idle, nearlyAll }
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
