import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { describe } from "vitest"
import { type JobLog, JobLogs } from "../../../src/actors/queen/log/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics/metrics.ts"
import { relay } from "../../../src/actors/queen/jobs/relay.ts"
import { type EventFeed, ofOneProcess } from "../../../src/protocol/endpoint.ts"
import { declared, type Loose } from "../../support/loose.ts"
import { makeHttpClient } from "../../../src/layers/transport/http/client/client.ts"
import { serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import { frame } from "../../../src/protocol/sse.ts"
import { promptFrame } from "../../../src/protocol/token-frame.ts"
import { layerMemory } from "../../../src/layers/journal/memory.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { inferIdHeader, workerApi } from "../../../src/protocol/worker.ts"
import { type RbeeError, rbeeError } from "../../../src/machines/errors.ts"
import { failureClassOf } from "../../../src/machines/policy/failure-class.ts"
import { JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const layer = Layer.provide(
  Layer.scoped(JobLogs, makeJobLogs({ retentionMs: 1e9, retentionJobs: 10 })),
  Layer.provideMerge(Layer.mergeAll(layerMemory(), layerMetrics), layerNode)
).pipe(Layer.merge(Logger.minimumLogLevel(LogLevel.Error)))

const token = (i: number, t = `w${i} `, k = i + 7) => frame({ event: "token", data: { i, t, k } })
const usage = { prompt_tokens: 2, completion_tokens: 3, cached_tokens: 0 }
const done = frame({ event: "done", data: { tokens: 3, finish_reason: "length", usage } })

const started = (feed: EventFeed): ReturnType<Loose<typeof workerApi>["infer"]> =>
  Effect.succeed({ _tag: "Events", feed, headers: { [inferIdHeader]: "infer-1" } })

/** A worker over real HTTP that does nothing but what its script says. */
const scripted = (feed: EventFeed, infer = started(feed)) =>
  Effect.gen(function* () {
    const asked: Array<unknown> = []
    const cancelled = yield* Deferred.make<string>()
    const unused = Effect.dieMessage("not in the script")
    const handlers = declared(workerApi, {
      health: () => unused,
      ready: () => unused,
      cancelInfers: () => unused,
      forget: () => unused,
      shutdown: () => unused,
      infer: (input) => {
        asked.push(input)
        return infer
      },
      cancelInfer: ({ id }) => Effect.asVoid(Deferred.succeed(cancelled, id))
    })
    const { url } = yield* serveHttp({
      apis: [{ api: workerApi, handlers }],
      host: "127.0.0.1",
      port: 0,
      role: "worker",
      graceMs: 50
    })
    return { worker: makeHttpClient(workerApi, { baseUrl: url }), asked, cancelled }
  })

const saying =
  (...frames: ReadonlyArray<string>): EventFeed =>
  (sink) =>
    Effect.sync(() => {
      for (const each of frames) sink.write(each)
    })
const sayingThenSilent =
  (...frames: ReadonlyArray<string>): EventFeed =>
  (sink) =>
    Effect.zipRight(saying(...frames)(sink), Effect.never)

const open = Effect.flatMap(JobLogs, (logs) =>
  Effect.map(
    logs.open({ id: JobId.make("job-1"), request: { model: ModelRef.make("minillama"), prompt: "x" } }),
    ({ log }) => log
  )
)
const request = { job_id: JobId.make("job-1"), epoch: 1, prompt: "x" }
const run = (feed: EventFeed, infer = started(feed)) =>
  Effect.gen(function* () {
    const script = yield* scripted(feed, infer)
    const log = yield* open
    const seen: Array<string> = []
    const exit = yield* Effect.exit(
      relay({
        worker: script.worker,
        request,
        log,
        onReached: () => void seen.push("reached"),
        onPrompt: (tokens) => void seen.push(`a prompt of ${tokens}`),
        onFirstToken: () => void seen.push("first token")
      })
    )
    return { ...script, log, exit, seen }
  })
const failureOf = (exit: Exit.Exit<unknown, RbeeError>) =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" ? exit.cause.error : undefined
const answerOf = (log: JobLog) => [log.text(), log.tokenIds()]

describe("a worker's address that another process has by now", () => {
  it.scopedLive.each(["INVALID_API_KEY", "MISSING_API_KEY"] as const)(
    "is a worker that is gone, not a wrong token: %s",
    (code) =>
      Effect.gen(function* () {
        const { worker } = yield* scripted(saying(), rbeeError(code, "the token is not this cluster's"))
        const log = yield* open
        const seen: Array<string> = []
        const meant = ofOneProcess(worker, "http://127.0.0.1:8501")
        const onReached = () => void seen.push("reached")
        const error = yield* Effect.flip(relay({ worker: meant, request, log, onReached }))
        expect(error).toMatchObject({ code: "CONNECTION_TIMEOUT", details: { reason: "ANOTHER" } })
        expect(error.what).toBe("no connection to http://127.0.0.1:8501: another process listens there")
        // it goes on elsewhere, and nothing is charged to the request
        expect(failureClassOf(error)).toBe("retry")
        expect(seen).toEqual([])
      }).pipe(Effect.provide(layer))
  )
})

describe("the relay", () => {
  it.scopedLive("brings a worker's tokens into the log, whatever pieces they come in", () =>
    Effect.gen(function* () {
      const text = [promptFrame(2), token(0), token(1, 'é"\n🐝'), token(2, ""), ": keep-alive\n\n", done].join("")
      const feed: EventFeed = (sink) =>
        Effect.forEach(
          text,
          (character) =>
            Effect.zipRight(
              Effect.sync(() => sink.write(character)),
              Effect.yieldNow()
            ),
          { discard: true }
        )
      const { log, exit, seen, asked, cancelled } = yield* run(feed)
      expect(exit).toEqual(Exit.succeed({ tokens: 3, finish_reason: "length", usage }))
      expect(answerOf(log)).toEqual(['w0 é"\n🐝', [7, 8, 9]])
      expect(seen).toEqual(["reached", "a prompt of 2", "first token"])
      expect(asked).toEqual([{ ...request, stream: true }])
      expect(yield* Deferred.isDone(cancelled)).toBe(false)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("passes over tokens that it already has", () =>
    Effect.gen(function* () {
      const { log, exit } = yield* run(saying(token(0), token(1), token(0), token(1), token(2), done))
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(log.tokens()).toBe(3)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive.each([
    ["a stream that ends without a terminal event", saying(token(0)), "ended in mid-answer", 1],
    ["a gap", sayingThenSilent(token(0), token(2)), "token 2 after 1", 1],
    ["a token that is none", sayingThenSilent(token(0), 'event: token\ndata: {"i":1}\n\n'), "a token", 1],
    ["an event that is no JSON", sayingThenSilent("event: token\ndata: {\n\n"), "a token", 0],
    ["a done that is none", saying(token(0), "event: done\ndata: {}\n\n"), "its last event", 1]
  ] as const)("takes %s for a lost worker", ([, feed, words, tokens]) =>
    Effect.gen(function* () {
      const { exit, log, seen } = yield* run(feed)
      expect(failureOf(exit)).toMatchObject({ code: "WORKER_CRASHED" })
      expect(failureOf(exit)?.what).toContain(words)
      expect(log.tokens()).toBe(tokens)
      expect(seen[0]).toBe("reached")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("tells a worker to stop whose tokens it refused", () =>
    Effect.gen(function* () {
      const { cancelled } = yield* run(sayingThenSilent(token(5)))
      expect(yield* Deferred.await(cancelled)).toBe("infer-1")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("fails with the worker's own error, before the stream or in it", () =>
    Effect.gen(function* () {
      const full = yield* run(saying(), Effect.fail(rbeeError("ALL_SLOTS_BUSY", "no slot is free")))
      expect([failureOf(full.exit)?.code, full.seen]).toEqual(["ALL_SLOTS_BUSY", []])
      yield* Effect.flatMap(JobLogs, (logs) => logs.remove(JobId.make("job-1")))
      const error = { code: "INVALID_REQUEST", message: "the prompt has 9 tokens. Shorten it", details: { limit: 8 } }
      const late = yield* run(saying(token(0), frame({ event: "error", data: error })))
      expect(failureOf(late.exit)).toMatchObject({
        code: "INVALID_REQUEST",
        what: "the prompt has 9 tokens",
        todo: "Shorten it",
        details: { limit: 8 }
      })
      yield* Effect.flatMap(JobLogs, (logs) => logs.remove(JobId.make("job-1")))
      const cancelled = yield* run(saying(token(0), frame({ event: "cancelled", data: {} })))
      expect(failureOf(cancelled.exit)?.code).toBe("CANCELLED")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("takes a connection that breaks for a lost worker, and one that never was for what it is", () =>
    Effect.gen(function* () {
      const broken = yield* run((sink) =>
        Effect.zipRight(saying(token(0))(sink), Effect.fail(rbeeError("INTERNAL", "the process is gone")))
      )
      expect(failureOf(broken.exit)?.code).toBe("WORKER_CRASHED")
      const nobody = makeHttpClient(workerApi, { baseUrl: "http://127.0.0.1:1" })
      const exit = yield* Effect.exit(relay({ worker: nobody, request, log: broken.log }))
      expect(failureOf(exit)?.code).toBe("CONNECTION_TIMEOUT")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("tells the worker to stop when it is interrupted in mid-answer", () =>
    Effect.gen(function* () {
      const first = yield* Deferred.make<void>()
      const { worker, cancelled } = yield* scripted(sayingThenSilent(token(0)))
      const log = yield* open
      const fiber = yield* Effect.fork(
        relay({ worker, request, log, onFirstToken: () => Deferred.unsafeDone(first, Exit.void) })
      )
      yield* Deferred.await(first)
      yield* Fiber.interrupt(fiber)
      expect(yield* Deferred.await(cancelled)).toBe("infer-1")
      expect(log.tokens()).toBe(1)
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("gives up a stream that stays open after its end", () =>
    Effect.gen(function* () {
      const { exit, cancelled } = yield* run(sayingThenSilent(token(0), token(1), token(2), done))
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(yield* Deferred.isDone(cancelled)).toBe(false)
    }).pipe(Effect.provide(layer))
  )
})
