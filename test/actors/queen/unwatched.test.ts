/** What the journal is given of an answer that is not streamed, as long as nobody watches it. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe } from "vitest"
import { JobLogs } from "../../../src/actors/queen/log/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics/metrics.ts"
import { inProcess, type Store } from "../../../src/layers/journal/in-process.ts"
import { Journal } from "../../../src/layers/journal/index.ts"
import { memoryStore, storeOver } from "../../../src/layers/journal/memory.ts"
import { Turns } from "../../../src/layers/turns/index.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { inferConnected, queued } from "../../../src/machines/narration.ts"
import { JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const done = {
  text_length: 0,
  tokens: 1,
  finish_reason: "stop",
  timings: {},
  usage: { prompt_tokens: 3, completion_tokens: 1, cached_tokens: 0 }
} as const

/** The logs of a queen, and the commits that her journal was given. */
const world = (memory = memoryStore()) => {
  const store = storeOver(memory)
  const commits: Array<number> = []
  const counting: Store = {
    ...store,
    commit: (writes) => {
      commits.push(writes.length)
      store.commit(writes)
    }
  }
  const journal = Layer.effect(
    Journal,
    Effect.map(Turns, (turns) => inProcess(counting, turns))
  )
  const logs = Layer.scoped(JobLogs, makeJobLogs({ retentionMs: 1e9, retentionJobs: 100 }))
  const layers = Layer.provideMerge(logs, Layer.provideMerge(Layer.mergeAll(journal, layerMetrics), layerNode))
  return { commits, layers: Layer.orDie(layers) }
}
const turn = Effect.flatMap(Turns, (turns) =>
  Effect.async<void>((resume) => turns.atEndOfTurn(() => resume(Effect.void)))
)
const id = JobId.make("job-a")
const open = (stream: boolean) =>
  Effect.flatMap(JobLogs, (logs) =>
    Effect.map(
      logs.open({ id, request: { model: ModelRef.make("minillama"), prompt: "hello", stream } }),
      ({ log }) => log
    )
  )
const place = (log: Effect.Effect.Success<ReturnType<typeof open>>) =>
  Effect.gen(function* () {
    log.narrate(queued(1))
    yield* turn
    log.stateChanged("job", "job-a", "queued", "streaming")
    log.record({ state: "streaming" })
    yield* turn
  })

describe("An answer in one piece that nobody watches", () => {
  it.effect("is given to the journal as it is taken in and as it ends, and not between", () => {
    const { commits, layers } = world()
    return Effect.gen(function* () {
      const log = yield* open(false)
      yield* place(log)
      expect(yield* log.nextEpoch).toBe(1)
      log.narrate(inferConnected())
      log.token("hello", 7)
      yield* turn
      expect(commits).toEqual([])
      log.end({ _tag: "Done", event: done })
      yield* turn
      // two lines, a state, the run of tokens, their event, the end, the facts
      expect(commits).toEqual([7])
    }).pipe(Effect.provide(layers))
  })

  it.effect("is committed by turns where it is streamed", () => {
    const { commits, layers } = world()
    return Effect.gen(function* () {
      yield* place(yield* open(true))
      expect(commits).toEqual([1, 2])
    }).pipe(Effect.provide(layers))
  })

  for (const [who, look] of [
    ["looks at it", (logs: JobLogs["Type"]) => Effect.flatMap(logs.get(id), (log) => log.look)],
    ["lists all", (logs: JobLogs["Type"]) => Effect.map(logs.list(), ([first]) => first)]
  ] as const)
    it.effect(`is committed before somebody who ${who} is answered`, () => {
      const { commits, layers } = world()
      return Effect.gen(function* () {
        yield* place(yield* open(false))
        const shown = yield* Effect.flatMap(JobLogs, look)
        expect([shown?.facts.state, commits]).toEqual(["streaming", [3]])
      }).pipe(Effect.provide(layers))
    })

  it.effect("is committed by turns from its first reader on", () => {
    const { commits, layers } = world()
    return Effect.gen(function* () {
      const log = yield* open(false)
      yield* place(log)
      yield* Effect.fork(log.feed()({ write: () => true, drain: (resume) => resume() }))
      yield* Effect.yieldNow()
      yield* turn
      log.narrate(queued(1))
      yield* turn
      expect(commits).toEqual([3, 1])
    }).pipe(Effect.scoped, Effect.provide(layers))
  })

  it.effect("is with the next queen what it was when this one ended", () => {
    const memory = memoryStore()
    return Effect.gen(function* () {
      yield* Effect.provide(Effect.flatMap(open(false), place), world(memory).layers)
      const { layers } = world(memory)
      const shown = yield* Effect.provide(
        Effect.map(JobLogs, (logs) => logs.unfinished().map((log) => log.shown().facts.state)),
        layers
      )
      expect(shown).toEqual(["streaming"])
    })
  })
})

describe("The epoch of an infer", () => {
  it.effect("is durable with the job for the first one, and before it for each that follows", () => {
    const { commits, layers } = world()
    return Effect.gen(function* () {
      const log = yield* open(false)
      const first = yield* log.nextEpoch
      expect([first, commits]).toEqual([1, []])
      const second = yield* log.nextEpoch
      expect([second, commits, log.shown().facts.epoch]).toEqual([2, [1], 2])
    }).pipe(Effect.provide(layers))
  })

  it.effect("is never one that a queen before may have used", () => {
    const memory = memoryStore()
    return Effect.gen(function* () {
      yield* Effect.provide(open(true), world(memory).layers)
      const { layers } = world(memory)
      const next = Effect.flatMap(JobLogs, (logs) => Effect.forEach(logs.unfinished(), (log) => log.nextEpoch))
      expect(yield* Effect.provide(next, layers)).toEqual([2])
    })
  })
})
