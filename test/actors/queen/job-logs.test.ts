import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { describe } from "vitest"
import { type JobLog, JobLogs } from "../../../src/actors/queen/log/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { layerMetrics, Metrics } from "../../../src/actors/queen/metrics/metrics.ts"
import type { EventFeed, Sink } from "../../../src/protocol/endpoint.ts"
import { makeSseParser, type SseEvent } from "../../../src/protocol/sse.ts"
import { inProcess, type Store } from "../../../src/layers/journal/in-process.ts"
import { Journal } from "../../../src/layers/journal/index.ts"
import { layerMemory, memoryStore, storeOver } from "../../../src/layers/journal/memory.ts"
import { layerSqlite } from "../../../src/layers/journal/sqlite.ts"
import { Turns } from "../../../src/layers/turns/index.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { keepWarm, queued } from "../../../src/machines/narration.ts"
import type { DoneEvent, CheckedRequest } from "../../../src/machines/vocabulary/job.ts"
import { JobId, HiveId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const request: CheckedRequest = { model: ModelRef.make("minillama"), prompt: "hello" }
const doneEvent: DoneEvent = {
  text_length: 0,
  tokens: 0,
  finish_reason: "stop",
  timings: {},
  usage: { prompt_tokens: 3, completion_tokens: 4, cached_tokens: 0 }
}
const layerLogs = (retention = { retentionMs: 1e9, retentionJobs: 1000 }) =>
  Layer.scoped(JobLogs, makeJobLogs(retention))
const services = (journal: Layer.Layer<Journal, never, Turns> = layerMemory()) =>
  Layer.provideMerge(layerLogs(), Layer.provideMerge(Layer.mergeAll(journal, layerMetrics), layerNode))
const withLogs = <E>(
  body: Effect.Effect<unknown, E, JobLogs | Metrics | Turns | Journal>,
  journal?: Layer.Layer<Journal, never, Turns>
) => Effect.provide(body, Layer.orDie(services(journal)))

const open = (id = "job-a", extra: Partial<CheckedRequest> = {}) =>
  Effect.flatMap(JobLogs, (logs) =>
    Effect.map(logs.open({ id: JobId.make(id), request: { ...request, ...extra } }), ({ log }) => log)
  )

/** The journal of a store that a test changes and looks into. */
const layerOf = (store: Store) =>
  Layer.effect(
    Journal,
    Effect.map(Turns, (turns) => inProcess(store, turns))
  )

/** A journal on a disk that can be full, and what is really in it. */
const fillable = () => {
  const store = storeOver(memoryStore())
  const disk = { isFull: false }
  const failing: Store = {
    ...store,
    commit: (writes) => {
      if (disk.isFull) throw Object.assign(new Error("no room"), { code: "SQLITE_FULL" })
      store.commit(writes)
    }
  }
  return { disk, failing, store }
}

const long = "so much to say. ".repeat(200_000)

/** What was gathered is committed and published when this completes. */
const turn = Effect.flatMap(Turns, (turns) =>
  Effect.async<void>((resume) => turns.atEndOfTurn(() => resume(Effect.void)))
)

/** A reader that takes everything, or as much as its window allows until `open` is called. */
const makeReader = (window = Number.POSITIVE_INFINITY) => {
  const events: Array<SseEvent> = []
  const waiters: Array<readonly [number, () => void]> = []
  const parse = makeSseParser((event) => {
    events.push(event)
    for (const [count, resume] of waiters) if (events.length >= count) resume()
  })
  let left = window
  let writes = 0
  let overrun = 0
  let waiting: (() => void) | undefined
  const sink: Sink = {
    write: (frames) => {
      if (waiting !== undefined) overrun++
      writes++
      left--
      parse(frames)
      return left > 0
    },
    drain: (resume) => {
      waiting = resume
    }
  }
  return {
    sink,
    events,
    ids: () =>
      events
        .map(({ id }) => id)
        .filter((id) => id !== undefined)
        .map(Number),
    writes: () => writes,
    overrun: () => overrun,
    open: (more: number) => {
      left = more
      const resume = waiting
      waiting = undefined
      resume?.()
    },
    /** completes when that many events were read */
    has: (count: number) =>
      Effect.async<void>((resume) => {
        if (events.length >= count) resume(Effect.void)
        else waiters.push([count, () => resume(Effect.void)])
      })
  }
}
const read = (feed: EventFeed) =>
  Effect.gen(function* () {
    const reader = makeReader()
    yield* feed(reader.sink)
    return reader
  })
const upTo = (last: number) => Array.from({ length: last }, (_, k) => k + 1)
const tokensOf = (events: ReadonlyArray<SseEvent>): ReadonlyArray<{ i: number; t: string }> =>
  events.filter(({ event }) => event === "token").map(({ data }) => JSON.parse(data))
const speak = (log: JobLog, count: number) => {
  for (let k = 0; k < count; k++) log.token(`w${log.tokens()} `, 1000 + k)
}

describe("a job's event sequence", () => {
  it.effect("counts ids through all kinds of events, and ends right after the one terminal event", () =>
    withLogs(
      Effect.gen(function* () {
        const log = yield* open()
        log.narrate(queued(2))
        log.stateChanged("job", "job-a", "queued", "placing")
        log.progress({ stage: "download", received: 1, total: 2 })
        speak(log, 2)
        log.failover("w1", "w2", {})
        speak(log, 2)
        log.narrate(keepWarm(), { hiveId: HiveId.make("localhost") })
        log.end({ _tag: "Done", event: { ...doneEvent, tokens: 4 } })
        log.end({ _tag: "Cancelled" })
        log.token("late", 1)
        log.narrate(queued(1))
        const { events, ids } = yield* read(log.feed())
        expect(events.filter(({ event }) => event !== "progress").map(({ event }) => event)).toEqual([
          "narration",
          "state",
          "token",
          "token",
          "failover",
          "token",
          "token",
          "narration",
          "done"
        ])
        expect(ids()).toEqual(upTo(9))
        expect(JSON.parse(events[0]?.data ?? "")).toMatchObject({
          actor: "queen",
          action: "queued",
          jobId: "job-a",
          modelRef: ModelRef.make("minillama"),
          at: 0
        })
        expect(tokensOf(events)).toEqual([0, 1, 2, 3].map((i) => ({ i, t: `w${i} ` })))
        expect(events.find(({ event }) => event === "failover")?.data).toBe('{"tokens":2,"from":"w1","to":"w2"}')
        expect(log.text()).toBe("w0 w1 w2 w3 ")
        expect(log.tokenIds()).toEqual([1000, 1001, 1000, 1001])
        expect(log.facts()).toMatchObject({ state: "done", tokens: 4, finish_reason: "stop" })
      })
    )
  )

  it.effect(
    "resumes after every id without gap or repeat: from memory, from the journal, and with the next queen",
    () =>
      Effect.gen(function* () {
        const store = memoryStore()
        const check = (log: JobLog, total: number) =>
          Effect.forEach(upTo(total), (id) =>
            Effect.gen(function* () {
              const { ids } = yield* read(log.feed(String(id - 1)))
              expect(ids()).toEqual(upTo(total).slice(id - 1))
            })
          )
        yield* withLogs(
          Effect.gen(function* () {
            const log = yield* open()
            for (let k = 0; k < 10; k++) {
              speak(log, 3)
              if (k % 3 === 0) log.stateChanged("job", "job-a", "a", "b")
              speak(log, 1)
              yield* turn
            }
            log.end({ _tag: "Error", error: rbeeError("WORKER_CRASHED", "it died") })
            yield* turn
            yield* check(log, 45)
          }),
          layerMemory(store)
        )
        yield* withLogs(
          Effect.gen(function* () {
            const log = yield* Effect.flatMap(JobLogs, (logs) => logs.get(JobId.make("job-a")))
            expect(log.ended()).toBe(true)
            expect(log.tokens()).toBe(40)
            yield* check(log, 45)
            const { events } = yield* read(log.feed("44"))
            expect(JSON.parse(events[0]?.data ?? "")).toEqual({
              code: "WORKER_CRASHED",
              message: "it died.",
              details: { status: 502 }
            })
          }),
          layerMemory(store)
        )
      })
  )

  it.effect("takes a Last-Event-ID that is no number for none, and one beyond the end for the end", () =>
    withLogs(
      Effect.gen(function* () {
        const log = yield* open()
        speak(log, 2)
        yield* turn
        const early = makeReader()
        const waiting = yield* Effect.fork(log.feed("3")(early.sink))
        yield* Effect.yieldNow()
        log.end({ _tag: "Cancelled" })
        yield* Fiber.join(waiting)
        expect(early.ids()).toEqual([])
        expect((yield* read(log.feed("nonsense"))).ids()).toEqual([1, 2, 3])
        expect((yield* read(log.feed("-1"))).ids()).toEqual([1, 2, 3])
        expect((yield* read(log.feed("99999"))).ids()).toEqual([])
      })
    )
  )

  it.effect("gathers the tokens of an answer that is not streamed into one event before `done`", () =>
    Effect.gen(function* () {
      const store = memoryStore()
      yield* withLogs(
        Effect.gen(function* () {
          const log = yield* open("job-a", { stream: false })
          log.narrate(queued(1))
          yield* turn
          speak(log, 3)
          yield* log.sync
          // the queen dies here
        }),
        layerMemory(store)
      )
      yield* withLogs(
        Effect.gen(function* () {
          const [log] = yield* Effect.map(JobLogs, (logs) => logs.unfinished())
          if (log === undefined) throw new Error("the job is forgotten")
          expect([log.tokens(), log.text(), log.tokenIds()]).toEqual([3, "w0 w1 w2 ", [1000, 1001, 1002]])
          speak(log, 1)
          log.end({ _tag: "Done", event: doneEvent })
          const { events, ids } = yield* read(log.feed())
          expect(tokensOf(events)).toEqual([{ i: 0, t: "w0 w1 w2 w3 " }])
          expect(ids()).toEqual([1, 2, 3])
        }),
        layerMemory(store)
      )
    })
  )
})

describe("readers of a job", () => {
  it.effect("get a whole turn in one write, and only after it is in the journal", () => {
    const store = memoryStore()
    const inStore = storeOver(store)
    const committed: Array<number> = []
    const watched: Store = {
      ...inStore,
      commit: (writes) => {
        inStore.commit(writes)
        committed.push(writes.length)
      }
    }
    return withLogs(
      Effect.gen(function* () {
        const log = yield* open()
        const reader = makeReader()
        const sink: Sink = {
          ...reader.sink,
          write: (frames) => {
            reader.sink.write(frames)
            // everything that was shown is in the journal already
            expect(inStore.lastId(JobId.make("job-a"))).toBe(reader.ids().at(-1))
            return true
          }
        }
        yield* Effect.fork(log.feed()(sink))
        yield* Effect.yieldNow()
        speak(log, 50)
        log.stateChanged("job", "job-a", "a", "b")
        speak(log, 50)
        yield* turn
        expect(reader.ids()).toEqual(upTo(101))
        expect(reader.writes()).toBe(1)
        // 50 tokens, an event, 50 tokens: three rows, not a row a token
        expect(committed).toEqual([3])
      }),
      layerOf(watched)
    )
  })

  it.effect("that are slow hold up nobody, and get everything once they read again", () =>
    withLogs(
      Effect.gen(function* () {
        const log = yield* open()
        const [fast, slow, stuck] = [makeReader(), makeReader(1), makeReader(1)]
        const fibers = yield* Effect.forEach([fast, slow, stuck], ({ sink }) => Effect.fork(log.feed()(sink)))
        yield* Effect.yieldNow()
        for (let k = 0; k < 40; k++) {
          speak(log, 5)
          yield* turn
        }
        expect(fast.ids()).toEqual(upTo(200))
        expect(slow.ids()).toEqual(upTo(5))
        slow.open(2)
        yield* slow.has(200)
        expect(slow.ids()).toEqual(upTo(200))
        // all that waited came in one write
        expect(slow.writes()).toBe(2)
        log.end({ _tag: "Cancelled" })
        yield* Fiber.join(fibers[0] ?? Fiber.never)
        expect(stuck.ids()).toEqual(upTo(5))
        stuck.open(Number.POSITIVE_INFINITY)
        slow.open(Number.POSITIVE_INFINITY)
        yield* Fiber.join(fibers[2] ?? Fiber.never)
        yield* Fiber.join(fibers[1] ?? Fiber.never)
        for (const reader of [fast, slow, stuck]) {
          expect(reader.ids()).toEqual(upTo(201))
          expect(reader.overrun()).toBe(0)
          expect(reader.events.at(-1)?.event).toBe("cancelled")
        }
      })
    )
  )

  it.effect("too far behind are served from the journal, page by page, while the answer goes on", () =>
    withLogs(
      Effect.gen(function* () {
        const log = yield* open()
        const late = makeReader(1)
        const fiber = yield* Effect.fork(log.feed()(late.sink))
        yield* Effect.yieldNow()
        const total = 12_000 // far more text than stays in memory, in more rows than a page
        for (let k = 0; k < total / 10; k++) {
          for (let n = 0; n < 10; n++) log.token(`${"x".repeat(40)}${log.tokens()}`, n)
          yield* turn
        }
        late.open(Number.POSITIVE_INFINITY)
        yield* late.has(5000)
        log.end({ _tag: "Done", event: doneEvent })
        yield* Fiber.join(fiber)
        expect(late.ids()).toEqual(upTo(total + 1))
        expect(
          tokensOf(late.events)
            .map(({ t }) => t)
            .join("")
        ).toBe(log.text())
      })
    )
  )

  it.effect("may leave at any moment; the sequence goes on without them", () =>
    withLogs(
      Effect.gen(function* () {
        const log = yield* open()
        const [leaver, stayer] = [makeReader(), makeReader()]
        const leaving = yield* Effect.fork(log.feed()(leaver.sink))
        const staying = yield* Effect.fork(log.feed()(stayer.sink))
        yield* Effect.yieldNow()
        speak(log, 3)
        yield* turn
        speak(log, 3)
        yield* Fiber.interrupt(leaving)
        yield* turn
        expect(leaver.ids()).toEqual([1, 2, 3])
        log.end({ _tag: "Cancelled" })
        yield* Fiber.join(staying)
        expect(stayer.ids()).toEqual(upTo(7))
        const back = yield* read(log.feed(String(leaver.ids().at(-1))))
        expect(back.ids()).toEqual([4, 5, 6, 7])
      })
    )
  )

  it.effect("get the newest progress of a turn when they are up to date, and never an id for it", () =>
    withLogs(
      Effect.gen(function* () {
        const log = yield* open()
        const reader = makeReader()
        const fiber = yield* Effect.fork(log.feed()(reader.sink))
        yield* Effect.yieldNow()
        log.progress({ stage: "download", received: 1 })
        log.progress({ stage: "download", received: 2 })
        yield* turn
        // of the turn of its end: too late, nothing comes after the terminal event
        log.progress({ stage: "download", received: 3 })
        log.narrate(queued(1))
        log.end({ _tag: "Cancelled" })
        yield* Fiber.join(fiber)
        expect(reader.events.map(({ event, id }) => [event, id])).toEqual([
          ["progress", undefined],
          ["narration", "1"],
          ["cancelled", "2"]
        ])
        expect(reader.events[0]?.data).toBe('{"stage":"download","received":2}')
        expect((yield* read(log.feed())).ids()).toEqual([1, 2])
      })
    )
  )

  it.effect("are cut when the journal is lost, having seen nothing that is not in it", () => {
    const { disk, failing } = fillable()
    return withLogs(
      Effect.gen(function* () {
        const logs = yield* JobLogs
        const log = yield* open()
        const reader = makeReader()
        const fiber = yield* Effect.fork(log.feed()(reader.sink))
        yield* Effect.yieldNow()
        speak(log, 2)
        yield* turn
        disk.isFull = true
        speak(log, 2)
        const exit = yield* Fiber.await(fiber)
        expect(Exit.isFailure(exit) && exit.cause.toString()).toContain("no room for the queen's journal")
        expect(reader.ids()).toEqual([1, 2])
        expect((yield* Effect.flip(logs.faulted)).code).toBe("DISK_FULL")
        expect((yield* Effect.flip(log.feed()(reader.sink))).code).toBe("DISK_FULL")
      }),
      layerOf(failing)
    )
  })
})

describe("A journal that was lost", () => {
  it.effect("is not written again when its disk has room: what came in between would be missing", () => {
    const { disk, failing, store } = fillable()
    return withLogs(
      Effect.gen(function* () {
        const logs = yield* JobLogs
        const log = yield* open()
        speak(log, 2)
        yield* turn
        const kept = store.tokens(log.jobId)
        disk.isFull = true
        speak(log, 2)
        yield* turn
        disk.isFull = false
        speak(log, 2)
        expect(yield* Effect.flip(log.sync)).toMatchObject({ code: "DISK_FULL" })
        yield* turn
        expect(kept.tokenIds).toHaveLength(2)
        expect(store.tokens(log.jobId)).toEqual(kept)
        expect(yield* Effect.flip(logs.open({ id: JobId.make("job-b"), request }))).toMatchObject({ code: "DISK_FULL" })
      }),
      layerOf(failing)
    )
  })
})

describe("the jobs of a queen", () => {
  it.effect("answer the same idempotency key with the same job, unless the request differs", () =>
    withLogs(
      Effect.gen(function* () {
        const logs = yield* JobLogs
        const first = yield* logs.open({ id: JobId.make("job-a"), request, idempotencyKey: "k" })
        const again = yield* logs.open({ id: JobId.make("job-b"), request: { ...request }, idempotencyKey: "k" })
        expect([first.fresh, again.fresh, again.log.jobId]).toEqual([true, false, "job-a"])
        const other = yield* Effect.flip(
          logs.open({ id: JobId.make("job-c"), request: { ...request, seed: 1 }, idempotencyKey: "k" })
        )
        expect(other).toMatchObject({ code: "CONFLICT", details: { job_id: "job-a" } })
        expect((yield* logs.list()).map(({ id }) => id)).toEqual(["job-a"])
      })
    )
  )

  it.live("share the event loop with a long request that comes in", () =>
    withLogs(
      Effect.gen(function* () {
        const neighbour = yield* open("job-a")
        const coming = yield* Effect.fork(open("job-long", { prompt: long }))
        let turns = 0
        while (coming.unsafePoll() === null) {
          neighbour.token(".", turns++)
          yield* turn
        }
        expect(turns).toBeGreaterThan(20)
        expect((yield* (yield* Journal).tokens(JobId.make("job-a"))).texts.length).toBeGreaterThan(20)
        expect((yield* Fiber.join(coming)).request.prompt).toBe(long)
      })
    )
  )

  it.live("are one, where two of the same key come while the first is written", () =>
    withLogs(
      Effect.gen(function* () {
        const logs = yield* JobLogs
        const asked = { ...request, prompt: long }
        const came = yield* Effect.all(
          [
            logs.open({ id: JobId.make("job-a"), request: asked, idempotencyKey: "k" }),
            logs.open({ id: JobId.make("job-b"), request: { ...asked }, idempotencyKey: "k" }),
            Effect.flip(logs.open({ id: JobId.make("job-c"), request: { ...asked, seed: 1 }, idempotencyKey: "k" }))
          ],
          { concurrency: "unbounded" }
        )
        expect(came).toMatchObject([
          { fresh: true, log: { jobId: "job-a" } },
          { fresh: false, log: { jobId: "job-a" } },
          { code: "CONFLICT" }
        ])
        expect((yield* logs.list()).map(({ id }) => id)).toEqual(["job-a"])
      })
    )
  )

  it.live("are refused with the reason where the disk has no room for a long request, and leave nothing", () => {
    const store = storeOver(memoryStore())
    const full: Store = {
      ...store,
      *prepare(job) {
        yield* store.prepare(job)
        throw Object.assign(new Error("no room"), { code: "ENOSPC" })
      }
    }
    return withLogs(
      Effect.gen(function* () {
        expect(yield* Effect.flip(open("job-long", { prompt: long }))).toMatchObject({ code: "DISK_FULL" })
        expect(yield* (yield* JobLogs).list()).toEqual([])
      }),
      layerOf(full)
    )
  })

  it.live("are not made by who leaves before a long request is written", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "rbee-job-logs-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      yield* withLogs(
        Effect.gen(function* () {
          const coming = yield* Effect.fork(open("job-long", { prompt: long }))
          yield* turn
          expect(readdirSync(join(folder, "requests"))).toHaveLength(1)
          yield* Fiber.interrupt(coming)
          expect(readdirSync(join(folder, "requests"))).toEqual([])
          expect(yield* (yield* JobLogs).list()).toEqual([])
        }),
        Layer.orDie(layerSqlite(join(folder, "journal.sqlite")))
      )
    }).pipe(Effect.scoped)
  )

  it.effect("are forgotten by age once they have ended", () =>
    Effect.gen(function* () {
      const store = memoryStore()
      yield* withLogs(
        Effect.gen(function* () {
          const log = yield* open("job-old")
          log.end({ _tag: "Cancelled" })
          yield* open("job-open")
        }),
        layerMemory(store)
      )
      const gone = yield* Deferred.make<void>()
      const inStore = storeOver(store)
      const watched = layerOf({
        ...inStore,
        *forget(before: number, keep: number) {
          const ids = yield* inStore.forget(before, keep)
          if (ids.length > 0) Deferred.unsafeDone(gone, Exit.void)
          return ids
        }
      })
      const layer = Layer.provide(
        layerLogs({ retentionMs: 1, retentionJobs: 1000 }),
        Layer.provideMerge(Layer.mergeAll(watched, layerMetrics), layerNode)
      )
      yield* Effect.gen(function* () {
        const logs = yield* JobLogs
        yield* logs.get(JobId.make("job-old"))
        yield* TestClock.adjust("2 minutes")
        yield* Deferred.await(gone)
        expect((yield* Effect.flip(logs.get(JobId.make("job-old")))).code).toBe("JOB_NOT_FOUND")
        expect((yield* logs.get(JobId.make("job-open"))).ended()).toBe(false)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("count tokens and failovers", () =>
    withLogs(
      Effect.gen(function* () {
        const meters = yield* Metrics
        const log = yield* open()
        speak(log, 5)
        log.failover("a", "b", { resampled: true })
        log.end({ _tag: "Done", event: doneEvent })
        expect(meters.model(ModelRef.make("minillama"))).toMatchObject({ generatedTokens: 5, failovers: 1 })
      })
    )
  )
})
