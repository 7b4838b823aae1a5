/** What a call means, the same on every transport: errors, streams, leaving, correlation, deadlines, ends. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Brand from "effect/Brand"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { AnswerOf } from "../../src/protocol/answers.ts"
import { Call, endpoint, type EventFeed, type Sink } from "../../src/protocol/endpoint.ts"
import { frame, readEvents, type SseEvent } from "../../src/protocol/sse.ts"
import { queenApi } from "../../src/protocol/queen/index.ts"
import { streamingApi } from "../support/streaming-api.ts"
import { type ErrorCode, RbeeError, rbeeError, statusOf } from "../../src/machines/errors.ts"
import { patience } from "../support/patience.ts"
import { quiet, recording, type Seen, type Transport, transports } from "./transports.ts"
import { JobId } from "../../src/machines/vocabulary/ids.ts"

// Object.keys widens; these are the table's keys
const everyCode = Object.keys(statusOf) as Array<ErrorCode>

/** One call that answers in every form. */
const anyApi = {
  any: endpoint("GET", "/any", {
    scope: "open",
    summary: "",
    input: Schema.Struct({}),
    answers: {
      json: { 503: Schema.Struct({ state: Schema.String }) },
      text: { 200: "text/plain; version=0.0.4" },
      events: {}
    },
    errors: everyCode,
    tells: ["X-Told"]
  })
}

/** A worker that answers everything with `answer`. */
const workerOf = (transport: Transport, answer: Effect.Effect<unknown, RbeeError>, seen: Array<Seen> = []) =>
  transport.open(
    streamingApi,
    recording(streamingApi, seen, () => answer)
  )

const feedFrom = (transport: Transport, feed: EventFeed) =>
  Effect.flatMap(workerOf(transport, Effect.succeed(feed)), (client) => client.inferEvents({ id: "infer-1" }))

const tokens = (count: number, size = 1): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => frame({ id: i + 1, event: "token", data: { i, t: "é".repeat(size) } }))

/** Writes as a source must: after `false` it waits for the drain. */
const pump = (sink: Sink, frames: ReadonlyArray<string>, onWrite: (written: number) => void = () => {}) =>
  Effect.async<void>((resume) => {
    let next = 0
    const go = (): void => {
      for (;;) {
        const text = frames[next]
        if (text === undefined) return resume(Effect.void)
        next++
        onWrite(next)
        if (!sink.write(text)) return sink.drain(go)
      }
    }
    go()
  })

for (const transport of transports) {
  describe(`over ${transport.name}`, () => {
    it.scopedLive("an error of every code arrives as it was sent", () =>
      Effect.gen(function* () {
        let sent = rbeeError<ErrorCode>("INTERNAL", "")
        const client = yield* transport.open(
          anyApi,
          recording(anyApi, [], () => Effect.suspend(() => Effect.fail(sent)))
        )
        for (const code of everyCode) {
          sent = rbeeError(code, `it is 1.5 GB (${code})`, "Do this. Then that.", { needed_mb: 1.5, list: [1, "a"] })
          const got = yield* Effect.flip(client.any({}))
          expect(got).toBeInstanceOf(RbeeError)
          expect({ ...got, message: got.message, status: got.status }).toEqual({
            ...sent,
            message: sent.message,
            status: sent.status
          })
        }
      })
    )

    it.scopedLive("an error that says its own status keeps it, and a message of several sentences stays whole", () =>
      Effect.gen(function* () {
        const sent = rbeeError("ALL_SLOTS_BUSY", "No slot. None at all", "", { status: 409, slots: 5 })
        const client = yield* workerOf(transport, Effect.fail(sent))
        const got = yield* Effect.flip(client.infer({ job_id: JobId.make("job-1"), epoch: 1 }))
        expect([got.code, got.status, got.message, got.details]).toEqual([
          "ALL_SLOTS_BUSY",
          409,
          sent.message,
          sent.details
        ])
      })
    )

    it.scopedLive("a bug of the handler is INTERNAL, and says nothing of its inside", () =>
      Effect.gen(function* () {
        const client = yield* workerOf(transport, Effect.die(new Error("the prompt was: hunter2")))
        const got = yield* Effect.flip(client.health({}))
        expect(got.code).toBe("INTERNAL")
        expect(JSON.stringify(got)).not.toContain("hunter2")
      }).pipe(Effect.provide(quiet))
    )

    it.scopedLive("an answer that is not what the endpoint declares is INTERNAL", () =>
      Effect.gen(function* () {
        const client = yield* workerOf(transport, Effect.succeed({ status: "fine, thanks" }))
        expect((yield* Effect.flip(client.health({}))).code).toBe("INTERNAL")
      }).pipe(Effect.provide(quiet))
    )

    it.scopedLive("what a handler of nothing happens to return stays with it", () =>
      Effect.gen(function* () {
        const client = yield* workerOf(transport, Effect.succeed({ secret: "hunter2" }))
        expect(yield* client.shutdown({})).toBeUndefined()
        expect(yield* client.cancelInfer({ id: "a" })).toBeUndefined()
      })
    )

    it.scopedLive("a stream delivers every event in order, whatever its size", () =>
      Effect.gen(function* () {
        const frames = [...tokens(2000), ...tokens(3, 300_000)]
        const feed = yield* feedFrom(transport, (sink) => pump(sink, frames))
        const events: Array<SseEvent> = []
        yield* readEvents(feed, (event) => events.push(event))
        expect(events.map((event) => `id: ${event.id}\nevent: ${event.event}\ndata: ${event.data}\n\n`)).toEqual(frames)
      })
    )

    it.scopedLive("a reader that does not drain stops the source, and gets everything once it does", () =>
      Effect.gen(function* () {
        const frames = tokens(4000, 10_000)
        let written = 0
        const feed = yield* feedFrom(transport, (sink) => pump(sink, frames, (n) => (written = n)))
        const stopped = yield* Deferred.make<() => void>()
        let text = ""
        let slow = true
        const reading = yield* Effect.fork(
          feed({
            write: (piece) => {
              text += piece
              return !slow
            },
            drain: (resume) => {
              if (slow) Deferred.unsafeDone(stopped, Effect.succeed(resume))
              else resume()
            }
          })
        )
        const resume = yield* Deferred.await(stopped)
        // 80 MB do not fit into the buffers between the two: the source must come to rest before its end
        let before = -1
        yield* Effect.iterate(0, {
          while: () => before !== written,
          body: () => {
            before = written
            return Effect.as(Effect.sleep(100), 0)
          }
        })
        expect(written).toBeGreaterThan(0)
        expect(written).toBeLessThan(frames.length)
        slow = false
        resume()
        yield* Fiber.join(reading)
        expect(written).toBe(frames.length)
        // a transport may add its own lines (retry, comments), never inside a frame
        expect(text.replace(/^(retry: \d+|: keep-alive)\n\n/gm, "") === frames.join("")).toBe(true)
      })
    )

    it.scopedLive("a reader that leaves interrupts the source", () =>
      Effect.gen(function* () {
        const started = yield* Deferred.make<void>()
        const left = yield* Deferred.make<void>()
        const feed = yield* feedFrom(transport, (sink) =>
          Effect.zipRight(
            Effect.sync(() => sink.write(frame({ data: 1 }))),
            Effect.never
          ).pipe(Effect.onInterrupt(() => Deferred.succeed(left, undefined)))
        )
        const reading = yield* Effect.fork(readEvents(feed, () => Deferred.unsafeDone(started, Effect.void)))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(reading)
        yield* Deferred.await(left).pipe(Effect.timeout(patience(5000)))
      })
    )

    it.scopedLive("what a reader throws ends its reading as a defect, and the source with it", () =>
      Effect.gen(function* () {
        const left = yield* Deferred.make<void>()
        const feed = yield* feedFrom(transport, (sink) =>
          Effect.zipRight(pump(sink, tokens(3)), Effect.never).pipe(
            Effect.onInterrupt(() => Deferred.succeed(left, undefined))
          )
        )
        const exit = yield* Effect.exit(
          readEvents(feed, () => {
            throw new Error("reader's bug")
          })
        )
        expect(Exit.isFailure(exit) && exit.cause._tag).toBe("Die")
        yield* Deferred.await(left).pipe(Effect.timeout(patience(5000)))
      })
    )

    for (const [how, end] of [
      ["fails", Effect.fail(rbeeError("WORKER_CRASHED", "gone"))],
      ["dies", Effect.die(new Error("bug"))]
    ] as const) {
      it.scopedLive(`a source that ${how} in the middle fails its reader after what it had written`, () =>
        Effect.gen(function* () {
          const feed = yield* feedFrom(transport, (sink) =>
            // gives the text a turn to leave; a broken connection may take with it what it still held
            Effect.zipRight(pump(sink, tokens(3)), Effect.zipRight(Effect.sleep(50), end))
          )
          const events: Array<SseEvent> = []
          const error = yield* Effect.flip(readEvents(feed, (event) => events.push(event)))
          expect(error.code).toBe("CONNECTION_TIMEOUT")
          expect(events).toHaveLength(3)
        }).pipe(Effect.provide(quiet))
      )
    }

    it.scopedLive("an error before the stream is an error of the call", () =>
      Effect.gen(function* () {
        const client = yield* workerOf(transport, Effect.fail(rbeeError("NOT_FOUND", "there is no answer infer-9")))
        expect((yield* Effect.flip(client.inferEvents({ id: "infer-9" }))).code).toBe("NOT_FOUND")
      })
    )

    it.scopedLive("an answer may be a stream, a text, or JSON with a status of its own", () =>
      Effect.gen(function* () {
        const answers: ReadonlyArray<AnswerOf<typeof anyApi.any.answers>> = [
          { _tag: "Text", status: 200, type: "text/plain; version=0.0.4", body: "rbee_up 1\n" },
          { _tag: "Json", status: 503, body: { state: "loading" } },
          { _tag: "Events", feed: (sink: Sink) => pump(sink, tokens(2)), headers: { "X-Told": "yes" } }
        ]
        let turn = 0
        const client = yield* transport.open(
          anyApi,
          recording(anyApi, [], () => Effect.succeed(answers[turn++]))
        )
        expect(yield* client.any({})).toEqual(answers[0])
        expect(yield* client.any({})).toEqual(answers[1])
        const answer = yield* client.any({})
        expect(answer).toMatchObject({ _tag: "Events", headers: { "X-Told": "yes" } })
        const events: Array<SseEvent> = []
        if (answer._tag === "Events") yield* readEvents(answer.feed, (event) => events.push(event))
        expect(events).toHaveLength(2)
      })
    )

    it.scopedLive("an answer of a status, a type or a form that its endpoint does not declare is INTERNAL", () =>
      Effect.gen(function* () {
        const answers: Array<unknown> = [
          { _tag: "Json", status: 200, body: { state: "loading" } },
          { _tag: "Json", status: 503, body: { state: 1 } },
          { _tag: "Text", status: 200, type: "text/html", body: "" },
          { _tag: "Text", status: 404, type: "text/plain", body: "" }
        ]
        let turn = 0
        const client = yield* transport.open(
          anyApi,
          recording(anyApi, [], () => Effect.succeed(answers[turn++]))
        )
        for (const _ of answers) expect((yield* Effect.flip(client.any({}))).code).toBe("INTERNAL")
        const feed = yield* workerOf(transport, Effect.succeed({ _tag: "Events", feed: () => Effect.void }))
        expect((yield* Effect.flip(feed.ready({}))).code).toBe("INTERNAL")
      }).pipe(Effect.provide(quiet))
    )

    it.scopedLive("an error that its endpoint does not declare is INTERNAL, and says what it said", () =>
      Effect.gen(function* () {
        const sent = rbeeError("JOB_NOT_FOUND", "there is no job job-9", "Look again", { job_id: "job-9" })
        const client = yield* workerOf(transport, Effect.fail(sent))
        const got = yield* Effect.flip(client.cancelInfer({ id: "infer-1" }))
        expect([got.code, got.message, got.details]).toEqual([
          "INTERNAL",
          sent.message,
          { job_id: "job-9", remote_code: "JOB_NOT_FOUND" }
        ])
      })
    )

    it.scopedLive("a body may have what its endpoint allows, and not more", () =>
      Effect.gen(function* () {
        const seen: Array<Seen> = []
        const started = { job_id: "job-1", events: "/jobs/job-1/events" }
        const client = yield* transport.open(
          queenApi,
          recording(queenApi, seen, (name) =>
            Effect.succeed(name === "submitJob" ? started : { _tag: "Events", feed: () => Effect.void })
          )
        )
        const prompt = (bytes: number) => "x".repeat(bytes)
        yield* client.submitJob({ model: "minillama", prompt: prompt(900_000) })
        const error = yield* Effect.flip(client.submitJob({ model: "minillama", prompt: prompt(2_000_000) }))
        expect([error.code, error.details["max_bytes"]]).toEqual(["PAYLOAD_TOO_LARGE", 1024 * 1024])
        yield* client.v1Chat({ prompt: prompt(5_000_000) })
        expect(seen.map(({ name }) => name)).toEqual(["submitJob", "v1Chat"])
        expect(JSON.stringify(seen[1]?.input).length).toBeGreaterThan(5_000_000)
      })
    )

    it.scopedLive("an input that its schema refuses does not reach the handler, and names the field", () =>
      Effect.gen(function* () {
        const seen: Array<Seen> = []
        const client = yield* workerOf(transport, Effect.void, seen)
        const unchecked = Brand.nominal<JobId>()
        const job = JobId.make("job-1")
        for (const [input, field] of [
          [{ job_id: unchecked("../etc"), epoch: 1 }, "job_id"],
          [{ job_id: job, epoch: 1, temperature: 3 }, "temperature"],
          [{ job_id: job, epoch: 1, max_tokens: -1 }, "max_tokens"],
          [{ job_id: job, epoch: -1 }, "epoch"]
        ] as const) {
          const error = yield* Effect.flip(client.infer(input))
          expect([error.code, error.details["field"]]).toEqual(["INVALID_REQUEST", field])
        }
        expect(seen).toEqual([])
      })
    )

    it.scopedLive("Last-Event-ID arrives as the reader gave it", () =>
      Effect.gen(function* () {
        const seen: Array<Seen> = []
        const client = yield* transport.open(
          queenApi,
          recording(queenApi, seen, () => Effect.succeed(() => Effect.void))
        )
        yield* client.events({ last_event_id: "7-41" })
        yield* client.jobEvents({ id: JobId.make("job-1"), last_event_id: "12" })
        yield* client.jobEvents({ id: JobId.make("job-1") })
        expect(seen.map(({ input }) => input)).toEqual([
          { last_event_id: "7-41" },
          { id: "job-1", last_event_id: "12" },
          { id: "job-1" }
        ])
      })
    )

    it.scopedLive("correlation id, deadline and the queen that asks go with the call; one without an id gets one", () =>
      Effect.gen(function* () {
        const seen: Array<Seen> = []
        const client = yield* workerOf(transport, Effect.void, seen)
        const queen = { id: "queen-1", epoch: 7 }
        const call = { correlationId: "corr-1", deadline: "2999-01-01T00:00:00.000Z", queen }
        yield* client.cancelInfer({ id: "a" }).pipe(Effect.provideService(Call, call))
        yield* client.cancelInfer({ id: "a" })
        expect(seen[0]?.call).toMatchObject(call)
        expect(seen[1]?.call.correlationId).toMatch(/^[\w-]{16,}$/)
        expect(seen[1]?.call.deadline).toBeUndefined()
        expect(seen[1]?.call.queen).toBeUndefined()
      })
    )

    it.scopedLive("after its deadline a call is not begun, and one under way is interrupted", () =>
      Effect.gen(function* () {
        const seen: Array<Seen> = []
        const interrupted = yield* Deferred.make<void>()
        const client = yield* workerOf(
          transport,
          Effect.never.pipe(Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))),
          seen
        )
        const by = (deadline: string) =>
          client
            .cancelInfer({ id: "a" })
            .pipe(Effect.provideService(Call, { correlationId: undefined, deadline }), Effect.flip)
        expect((yield* by("2001-01-01T00:00:00Z")).code).toBe("DEADLINE_EXCEEDED")
        expect(seen).toEqual([])
        expect((yield* by(new Date(Date.now() + 500).toISOString())).code).toBe("DEADLINE_EXCEEDED")
        yield* Deferred.await(interrupted).pipe(Effect.timeout(patience(5000)))
        expect((yield* by("tomorrow")).code).toBe("INVALID_REQUEST")
      })
    )

    it.scopedLive("a caller that is interrupted interrupts the handler", () =>
      Effect.gen(function* () {
        const started = yield* Deferred.make<void>()
        const interrupted = yield* Deferred.make<void>()
        const client = yield* workerOf(
          transport,
          Effect.zipRight(Deferred.succeed(started, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
        )
        const calling = yield* Effect.fork(client.cancelInfer({ id: "a" }))
        yield* Deferred.await(started)
        yield* Fiber.interrupt(calling)
        yield* Deferred.await(interrupted).pipe(Effect.timeout(patience(5000)))
      })
    )

    it.live("a stream may still send its last words when its daemon ends", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const [began, ending] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const last = (sink: Sink) =>
          Effect.zipRight(pump(sink, tokens(1)), Deferred.await(ending)).pipe(
            Effect.zipRight(Effect.sleep(10)),
            Effect.zipRight(Effect.suspend(() => pump(sink, [frame({ event: "done", data: {} })])))
          )
        const client = yield* workerOf(transport, Effect.succeed(last)).pipe(Scope.extend(scope))
        const events: Array<string> = []
        const feed = yield* client.inferEvents({ id: "a" })
        const reading = yield* Effect.fork(
          readEvents(feed, ({ event }) => {
            events.push(event)
            Deferred.unsafeDone(began, Effect.void)
          })
        )
        yield* Deferred.await(began)
        yield* Deferred.succeed(ending, undefined)
        yield* Scope.close(scope, Exit.void)
        yield* Fiber.join(reading)
        expect(events).toEqual(["token", "done"])
      })
    )

    it.live("when the daemon ends, calls end with SHUTTING_DOWN, streams break, and then nobody is there", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const interrupted = { call: false, feed: false }
        const began = yield* Deferred.make<void>()
        const note = (what: "call" | "feed") =>
          Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => (interrupted[what] = true))))
        const answers: Array<Effect.Effect<unknown>> = [
          Effect.succeed((sink: Sink) => Effect.zipRight(pump(sink, tokens(1)), note("feed"))),
          Effect.zipRight(Deferred.succeed(began, undefined), note("call"))
        ]
        const client = yield* workerOf(
          transport,
          Effect.suspend(() => answers.shift() ?? Effect.void)
        ).pipe(Scope.extend(scope))
        const feed = yield* client.inferEvents({ id: "a" })
        const reading = yield* Effect.fork(readEvents(feed, () => {}))
        const calling = yield* Effect.fork(client.cancelInfer({ id: "a" }))
        yield* Deferred.await(began)
        yield* Scope.close(scope, Exit.void).pipe(Effect.timeout(patience(3000)))
        const [call, stream] = [yield* Fiber.await(calling), yield* Fiber.await(reading)]
        expect(yield* Effect.flip(call).pipe(Effect.map(({ code }) => code))).toBe("SHUTTING_DOWN")
        expect(yield* Effect.flip(stream).pipe(Effect.map(({ code }) => code))).toBe("CONNECTION_TIMEOUT")
        expect(interrupted).toEqual({ call: true, feed: true })
        const nobody = yield* Effect.either(client.health({}))
        expect(Either.isLeft(nobody) && nobody.left.code).toBe("CONNECTION_TIMEOUT")
      })
    )
  })
}
