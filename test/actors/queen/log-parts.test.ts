/** What a job's log is put together from: the newest frames, the run of tokens of a turn, the book of who lives. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { framesOf } from "../../../src/actors/queen/log/frames.ts"
import { JobLogs } from "../../../src/actors/queen/log/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { LiveJobs } from "../../../src/actors/queen/log/live-jobs.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics/metrics.ts"
import { layerMemory } from "../../../src/layers/journal/memory.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { RecentFrames } from "../../../src/actors/queen/log/recent-frames.ts"
import { TokenRun } from "../../../src/actors/queen/log/token-run.ts"
import type { Write } from "../../../src/layers/journal/index.ts"
import { HiveId, JobId, ModelRef, cpuDevice } from "../../../src/machines/vocabulary/ids.ts"

const frameOf = (id: number, length = 0) => `id: ${id}\ndata: ${"x".repeat(length)}\n\n`

describe("The newest frames of a job", () => {
  it("are read on from any id that is kept, up to the newest", () => {
    const recent = new RecentFrames()
    recent.add(1, 2, frameOf(1) + frameOf(2))
    recent.add(3, 3, frameOf(3))
    assert.deepStrictEqual(recent.after(0), { frames: frameOf(1) + frameOf(2) + frameOf(3), last: 3 })
    assert.deepStrictEqual(recent.after(1), { frames: frameOf(2) + frameOf(3), last: 3 })
    assert.deepStrictEqual(recent.after(2), { frames: frameOf(3), last: 3 })
  })

  it("hold nothing after the newest, and nothing where nothing was said", () => {
    const recent = new RecentFrames()
    assert.isUndefined(recent.after(0))
    recent.add(1, 1, frameOf(1))
    assert.isUndefined(recent.after(1))
  })

  it("are no answer to who has not seen what came before them", () => {
    const recent = new RecentFrames()
    recent.add(5, 6, frameOf(5) + frameOf(6))
    assert.isUndefined(recent.after(3))
    assert.deepStrictEqual(recent.after(4), { frames: frameOf(5) + frameOf(6), last: 6 })
  })

  it("are bounded: the oldest go, the newest stay, over all blocks in their order", () => {
    const recent = new RecentFrames()
    const count = 100
    for (let id = 1; id <= count; id++) recent.add(id, id, frameOf(id, 4096))
    assert.isUndefined(recent.after(0))
    const kept = Array.from({ length: count }, (_, id) => recent.after(id)).findIndex((found) => found !== undefined)
    const all = recent.after(kept)
    const expected = Array.from({ length: count - kept }, (_, at) => frameOf(kept + 1 + at, 4096)).join("")
    assert.deepStrictEqual(all, { frames: expected, last: count })
    assert.isAtMost(expected.length, 128 * 1024)
    assert.isAbove(expected.length, 100 * 1024)
  })

  it("keep the newest however long it is", () => {
    const recent = new RecentFrames()
    recent.add(1, 1, frameOf(1, 10_000))
    recent.add(2, 2, frameOf(2, 200_000))
    assert.isUndefined(recent.after(0))
    assert.deepStrictEqual(recent.after(1), { frames: frameOf(2, 200_000), last: 2 })
  })
})

describe("A run of tokens", () => {
  const job = JobId.make("job-1")
  const closed = (run: TokenRun): ReadonlyArray<Write> => {
    const writes: Array<Write> = []
    run.close(writes)
    return writes
  }

  it("is one row: its texts and ids, from which event and index on", () => {
    const run = new TokenRun(job)
    run.add(7, '"he"', 100)
    run.add(8, '"llo"', 101)
    assert.deepStrictEqual(closed(run), [
      { _tag: "Tokens", job, firstId: 7, firstIndex: 0, count: 2, texts: '["he","llo"]', tokenIds: "[100,101]" }
    ])
  })

  it("begins anew after its row: the next one counts on, and nothing is written twice", () => {
    const run = new TokenRun(job)
    run.add(7, '"he"', 100)
    closed(run)
    assert.deepStrictEqual(closed(run), [])
    run.add(9, '"llo"', 101)
    assert.deepStrictEqual(closed(run), [
      { _tag: "Tokens", job, firstId: 9, firstIndex: 1, count: 1, texts: '["llo"]', tokenIds: "[101]" }
    ])
  })

  it("says how much of it waits for its row, in tokens and characters", () => {
    const run = new TokenRun(job)
    assert.deepStrictEqual([run.waiting(), run.waitingLength()], [0, 0])
    run.add(1, '"he"', 1)
    run.add(2, '"llo"', 2)
    assert.deepStrictEqual([run.waiting(), run.waitingLength()], [2, '"he","llo"'.length])
    closed(run)
    assert.deepStrictEqual([run.waiting(), run.waitingLength()], [0, 0])
  })

  it("is the text so far with what the journal had, ended runs and this one, asked as often as one likes", () => {
    const run = new TokenRun(job, { texts: ["a", "b"], tokenIds: [1, 2] })
    run.add(1, '"c"', 3)
    closed(run)
    run.add(2, '"\\n"', 4)
    assert.deepStrictEqual([run.text(), run.text()], ["abc\n", "abc\n"])
    assert.deepStrictEqual(run.idsSoFar(), [1, 2, 3, 4])
    assert.strictEqual(run.count, 4)
  })

  it("of an answer that was over before is counted, and its text is not asked for here", () => {
    const run = new TokenRun(job, 12)
    assert.deepStrictEqual([run.count, run.isWhole], [12, false])
    assert.throws(() => run.text(), /job-1/)
    assert.throws(() => run.idsSoFar(), /job-1/)
  })
})

describe("A row of the journal", () => {
  it("of an event is its frame, for a reader that has not seen it", () => {
    const event = { _tag: "Event", id: 4, event: "state", data: "{}" } as const
    assert.strictEqual(framesOf(event, 3), "id: 4\nevent: state\ndata: {}\n\n")
    assert.deepStrictEqual([framesOf(event, 4), framesOf(event, 5)], ["", ""])
  })

  it("of tokens is a frame for each that the reader has not seen", () => {
    const tokens = { _tag: "Tokens", firstId: 4, firstIndex: 2, texts: ["a", "b"] } as const
    const a = 'id: 4\nevent: token\ndata: {"i":2,"t":"a"}\n\n'
    const b = 'id: 5\nevent: token\ndata: {"i":3,"t":"b"}\n\n'
    assert.deepStrictEqual(
      [0, 3, 4, 5].map((after) => framesOf(tokens, after)),
      [`${a}${b}`, `${a}${b}`, b, ""]
    )
  })
})

describe("The book of who lives", () => {
  const layer = Layer.mergeAll(
    LiveJobs.layer,
    Layer.provide(
      Layer.scoped(JobLogs, makeJobLogs({ retentionMs: 1e9, retentionJobs: 10 })),
      Layer.provideMerge(Layer.mergeAll(layerMemory(), layerMetrics), layerNode)
    )
  )
  const opened = (id: string) =>
    Effect.flatMap(JobLogs, (logs) =>
      Effect.map(
        logs.open({ id: JobId.make(id), request: { model: ModelRef.make("m"), prompt: "x" } }),
        ({ log }) => log
      )
    )

  it.scoped("says so once when the first begins, and once when the last has ended", () =>
    Effect.gen(function* () {
      const live = yield* LiveJobs
      const [one, two] = [yield* opened("job-1"), yield* opened("job-2")]
      const told: Array<boolean | string> = []
      live.onBusy((isBusy) => told.push(isBusy))
      live.onEnd(({ jobId }) => told.push(jobId))
      live.begin(one)
      live.begin(two)
      assert.deepStrictEqual([told, live.isBusy], [[true], true])
      live.leave(one.jobId)
      live.ended(one)
      assert.deepStrictEqual(told, [true, "job-1"])
      live.leave(two.jobId)
      live.ended(two)
      assert.deepStrictEqual([told, live.isBusy], [[true, "job-1", "job-2", false], false])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("counts those of a hive: who has no place yet is on none", () =>
    Effect.gen(function* () {
      const live = yield* LiveJobs
      const [one, two] = [yield* opened("job-1"), yield* opened("job-2")]
      live.begin(one)
      live.begin(two)
      one.record({ placement: { hive: HiveId.make("a"), device: cpuDevice, losers: [], exact: true } })
      assert.deepStrictEqual([live.on(HiveId.make("a")), live.on(HiveId.make("b"))], [1, 0])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("has each once: who lives twice, or has ended and lives, is a bug that is said at once", () =>
    Effect.gen(function* () {
      const live = yield* LiveJobs
      const one = yield* opened("job-1")
      live.begin(one)
      assert.throws(() => live.begin(one), /job-1 lives twice/)
      assert.throws(() => live.ended(one), /job-1 has ended and lives/)
    }).pipe(Effect.provide(layer))
  )
})
