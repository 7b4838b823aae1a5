/** Job logs over a journal of another machine: what it has not answered for, nobody has seen. In virtual time. */
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import * as FastCheck from "fast-check"
import { describe } from "vitest"
import { type JobLog, JobLogs } from "../../../src/actors/queen/log/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { JobReader } from "../../../src/actors/queen/log/job-reader.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics/metrics.ts"
import { Journal } from "../../../src/layers/journal/index.ts"
import { layerMemory, type MemoryStore, memoryStore, storeOver } from "../../../src/layers/journal/memory.ts"
import type { Turns } from "../../../src/layers/turns/index.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { queued } from "../../../src/machines/narration.ts"
import { JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { makeSseParser } from "../../../src/protocol/sse.ts"
import type { Sink } from "../../../src/protocol/endpoint.ts"
import { layerLate, realTurn } from "../../support/journals.ts"

const job = JobId.make("job-a")
const request = { model: ModelRef.make("minillama"), prompt: "hello" }
/** on its way to the journal, and the answer on its way back */
const way = Effect.sleep("40 millis")

const layerOver = (journal: Layer.Layer<Journal, never, Turns>) =>
  Layer.provide(
    Layer.scoped(JobLogs, makeJobLogs({ retentionMs: 1e9, retentionJobs: 1000 })),
    Layer.provideMerge(Layer.mergeAll(journal, layerMetrics), layerNode)
  )
/** A queen over the store. Her start reads it, which takes its time. */
const start = (store: MemoryStore, journal = layerLate(layerMemory(store), way)) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const starting = yield* Effect.fork(Layer.buildWithScope(layerOver(journal), scope))
    yield* pass(240)
    const logs = yield* Effect.provide(JobLogs, yield* Fiber.join(starting))
    return { logs, scope }
  })
const begin = (store: MemoryStore, stream = true) =>
  Effect.gen(function* () {
    const { logs, scope } = yield* start(store)
    const opening = yield* Effect.fork(logs.open({ id: job, request: { ...request, stream } }))
    yield* pass(80)
    return { logs, scope, log: (yield* Fiber.join(opening)).log }
  })

/** Virtual time, and what the event loop has to do in it. */
const pass = (ms: number) =>
  Effect.gen(function* () {
    yield* realTurn
    for (let left = ms; left > 0; left -= 20) {
      yield* TestClock.adjust(Math.min(20, left))
      yield* realTurn
    }
  })

const listen = (log: JobLog, lastEventId?: string) =>
  Effect.gen(function* () {
    const ids: Array<number> = []
    const parse = makeSseParser(({ id }) => void (id === undefined || ids.push(Number(id))))
    const sink: Sink = { write: (frames) => (parse(frames), true), drain: (resume) => resume() }
    const fiber = yield* Effect.fork(log.feed(lastEventId)(sink))
    yield* Effect.yieldNow()
    return { ids, fiber }
  })
const speak = (log: JobLog, count: number, text = ".") => {
  for (let k = 0; k < count; k++) log.token(text, k)
}
const upTo = (last: number) => Array.from({ length: last }, (_, k) => k + 1)
const ofStore = (store: MemoryStore) => storeOver(store).lastId(job)

describe("over a journal that answers late, readers", () => {
  it.effect("see an event when the journal has answered, and not when it has it", () =>
    Effect.gen(function* () {
      const store = memoryStore()
      const { log } = yield* begin(store)
      const { ids } = yield* listen(log)
      speak(log, 3)
      yield* pass(20)
      expect([ofStore(store), ids]).toEqual([0, []])
      yield* pass(40)
      expect([ofStore(store), ids]).toEqual([3, []])
      yield* pass(20)
      expect([ofStore(store), ids]).toEqual([3, [1, 2, 3]])
    })
  )

  it.effect("get what was said meanwhile with the next commit, one for all of it", () =>
    Effect.gen(function* () {
      const store = memoryStore()
      const { log } = yield* begin(store)
      const { ids } = yield* listen(log)
      for (let k = 0; k < 8; k++) {
        speak(log, 1)
        yield* pass(20)
      }
      yield* pass(100)
      expect(ids).toEqual(upTo(8))
      // a row a commit: the first token, then twice what came while a commit was under way
      expect(storeOver(store).replay(job, 0, 100)).toHaveLength(3)
    })
  )

  it.effect("see the facts of a job as they are committed, as they see its events", () =>
    Effect.gen(function* () {
      const { log, logs } = yield* begin(memoryStore())
      speak(log, 2)
      log.record({ state: "streaming" })
      log.end({ _tag: "Cancelled" })
      expect([log.ended(), log.facts().state, log.tokens()]).toEqual([true, "cancelled", 2])
      expect([log.shown().facts.state, log.shown().tokens, log.shown().endedAt]).toEqual(["queued", 0, undefined])
      const early = yield* Effect.fork(logs.list())
      yield* pass(100)
      const later = yield* Effect.fork(logs.list())
      yield* pass(100)
      expect(yield* Fiber.join(early)).toMatchObject([{ facts: { state: "queued" }, endedAt: undefined }])
      expect(yield* Fiber.join(later)).toMatchObject([{ facts: { state: "cancelled", tokens: 2 } }])
    })
  )

  it.effect("are served from the journal where they are far behind, without a gap or a repeat, to the end", () =>
    Effect.gen(function* () {
      const { log } = yield* begin(memoryStore())
      for (let k = 0; k < 6; k++) {
        speak(log, 10, "x".repeat(5000))
        yield* pass(80)
      }
      const { fiber, ids } = yield* listen(log)
      speak(log, 10)
      yield* pass(400)
      log.end({ _tag: "Cancelled" })
      yield* pass(400)
      yield* Fiber.join(fiber)
      expect(ids).toEqual(upTo(71))
    })
  )

  it.effect("that leave while a page is read for them are gone", () =>
    Effect.gen(function* () {
      const { log } = yield* begin(memoryStore())
      for (let k = 0; k < 6; k++) {
        speak(log, 10, "x".repeat(5000))
        yield* pass(80)
      }
      const { fiber, ids } = yield* listen(log)
      yield* Fiber.interrupt(fiber)
      yield* pass(400)
      expect(ids).toEqual([])
    })
  )
})

describe("over a journal that answers late, a job", () => {
  it.effect("takes its next step when what it needs is durable", () =>
    Effect.gen(function* () {
      const { log } = yield* begin(memoryStore())
      log.narrate(queued(1))
      yield* pass(20)
      // while the journal is at a commit already
      log.record({ epoch: 2 })
      const syncing = yield* Effect.fork(log.sync)
      yield* pass(100)
      expect([syncing.unsafePoll(), log.shown().facts.epoch]).toEqual([null, 1])
      yield* pass(60)
      yield* Fiber.join(syncing)
      expect(log.shown().facts.epoch).toBe(2)
    })
  )

  it.effect("makes its worker wait once much of its answer waits, streamed or not, and no longer than that", () =>
    Effect.gen(function* () {
      for (const stream of [true, false]) {
        const { log } = yield* begin(memoryStore(), stream)
        let resumed = 0
        speak(log, 1)
        yield* pass(20)
        speak(log, 30, "x".repeat(10_000))
        expect(log.isFull()).toBe(true)
        log.drain(() => resumed++)
        expect(resumed).toBe(0)
        yield* pass(200)
        expect([log.isFull(), resumed]).toEqual([false, 1])
        log.drain(() => resumed++)
        expect(resumed).toBe(2)
      }
    })
  )

  it.effect("that its asker leaves while it is made is not there", () =>
    Effect.gen(function* () {
      const store = memoryStore()
      for (const after of [20, 60]) {
        const { logs } = yield* start(store)
        const opening = yield* Effect.fork(logs.open({ id: job, request }))
        yield* pass(after)
        const leaving = yield* Effect.fork(Fiber.interrupt(opening))
        yield* pass(200)
        yield* Fiber.join(leaving)
        expect([storeOver(store).jobs(10), logs.unfinished()]).toEqual([[], []])
      }
    })
  )

  it.effect("is one for all who ask for it while it is made", () =>
    Effect.gen(function* () {
      const { logs } = yield* start(memoryStore())
      const early = yield* Effect.fork(Effect.flip(logs.get(job)))
      const opening = yield* Effect.fork(logs.open({ id: job, request, idempotencyKey: "k" }))
      yield* pass(20)
      const late = yield* Effect.fork(logs.get(job))
      const again = yield* Effect.fork(logs.open({ id: JobId.make("job-b"), request, idempotencyKey: "k" }))
      yield* pass(300)
      expect((yield* Fiber.join(early)).code).toBe("JOB_NOT_FOUND")
      const { log } = yield* Fiber.join(opening)
      expect((yield* Fiber.join(late)) === log && (yield* Fiber.join(again)).log === log).toBe(true)
    })
  )
})

describe("over a journal that answers late, the next queen", () => {
  it.effect("goes on from what readers have seen, or from more, wherever the last one died", () =>
    Effect.gen(function* () {
      for (const [diesAfter, has] of [
        [20, 2],
        [60, 4],
        [100, 4]
      ] as const) {
        const store = memoryStore()
        const { log } = yield* begin(store)
        const reader = yield* listen(log)
        speak(log, 2)
        yield* pass(100)
        speak(log, 2)
        yield* pass(diesAfter)
        // she is killed: of what she did nothing goes on, and nothing of it arrives any more
        const left = structuredClone(store)
        const seen = [...reader.ids]
        const next = yield* start(left)
        const [again] = next.logs.unfinished()
        if (again === undefined) throw new Error("the job is forgotten")
        expect([again.tokens(), again.text(), again.tokenIds().length]).toEqual([has, ".".repeat(has), has])
        expect(seen.length).toBeLessThanOrEqual(has)
        const back = yield* listen(again, String(seen.length))
        speak(again, 1)
        again.end({ _tag: "Cancelled" })
        yield* pass(400)
        yield* Fiber.join(back.fiber)
        expect([...seen, ...back.ids]).toEqual(upTo(has + 2))
      }
    })
  )

  it.effect("has all that was gathered when the last one ended in order", () =>
    Effect.gen(function* () {
      const store = memoryStore()
      const { log, scope } = yield* begin(store)
      speak(log, 2)
      yield* pass(20)
      speak(log, 3)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* pass(400)
      yield* Fiber.join(closing)
      expect(ofStore(store)).toBe(5)
    })
  )

  it.effect("need not wait for long where the journal does not answer the last one", () =>
    Effect.gen(function* () {
      const silent = Layer.map(layerMemory(), (context) =>
        Context.make(Journal, { ...Context.get(context, Journal), commit: () => undefined })
      )
      const { logs, scope } = yield* start(memoryStore(), silent)
      const { log } = yield* logs.open({ id: job, request })
      speak(log, 2)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* pass(100)
      expect(closing.unsafePoll()).toBeNull()
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
    })
  )
})

it("A reader that is given what is not committed is a bug, and found", () => {
  const reader = new JobReader(
    {
      committed: () => 3,
      complete: () => false,
      recent: () => undefined,
      page: () => () => undefined,
      later: (work) => work()
    },
    { write: () => true, drain: (resume) => resume() },
    0,
    () => undefined
  )
  reader.published(1, 3, "frames", "")
  expect(() => reader.published(4, 5, "frames", "")).toThrow("must never be: event 5 is shown before it is committed")
})

it.effect("However turns, commits and readers fall, each reader gets each committed event once and in order", () =>
  Effect.promise(() =>
    FastCheck.assert(
      FastCheck.asyncProperty(
        FastCheck.array(FastCheck.oneof(FastCheck.nat(60), FastCheck.constantFrom("tell" as const, "join" as const)), {
          maxLength: 12
        }),
        (steps) =>
          Effect.runPromise(
            Effect.gen(function* () {
              const store = memoryStore()
              const { log } = yield* begin(store)
              const readers = [yield* listen(log)]
              let count = 0
              for (const step of steps) {
                if (step === "join") readers.push(yield* listen(log))
                else if (step === "tell") {
                  log.narrate(queued(1))
                  count++
                } else {
                  speak(log, step % 7)
                  count += step % 7
                  yield* pass(step)
                }
                for (const { ids } of readers) expect(ids).toEqual(upTo(ids.length))
                expect(Math.max(...readers.map(({ ids }) => ids.length))).toBeLessThanOrEqual(ofStore(store))
              }
              log.end({ _tag: "Cancelled" })
              yield* pass(300)
              for (const { fiber, ids } of readers) {
                yield* Fiber.join(fiber)
                expect(ids).toEqual(upTo(count + 1))
              }
            }).pipe(Effect.provide(TestContext.TestContext))
          )
      ),
      { numRuns: 8 }
    )
  )
)
