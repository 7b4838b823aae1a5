/** A job's answer as a surface reads it: tokens and an end, whatever else the job tells. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { answerOf, tellForm } from "../../../src/actors/queen/jobs/answer.ts"
import { type JobLog, JobLogs } from "../../../src/actors/queen/log/job-log.ts"
import { makeJobLogs } from "../../../src/actors/queen/log/job-logs.ts"
import { layerMetrics } from "../../../src/actors/queen/metrics/metrics.ts"
import type { AnswerReader } from "../../../src/actors/surfaces/answers.ts"
import { layerMemory } from "../../../src/layers/journal/memory.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { contentOnly } from "../../../src/machines/dialect/dialect.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { queued } from "../../../src/machines/narration.ts"
import { JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import type { DoneEvent } from "../../../src/machines/vocabulary/job.ts"

const layer = Layer.provide(
  Layer.scoped(JobLogs, makeJobLogs({ retentionMs: 1e9, retentionJobs: 10 })),
  Layer.provideMerge(Layer.mergeAll(layerMemory(), layerMetrics), layerNode)
)

const usage = { prompt_tokens: 3, completion_tokens: 2, cached_tokens: 0 }
const doneEvent: DoneEvent = { text_length: 4, tokens: 2, finish_reason: "stop", timings: {}, usage }

const open = (stream = true) =>
  Effect.flatMap(JobLogs, (logs) =>
    Effect.map(
      logs.open({ id: JobId.make("job-1"), request: { model: ModelRef.make("minillama"), prompt: "hi", stream } }),
      ({ log }) => log
    )
  )

/** Notes what it is told; `slow` as long as it is to. */
const listening = () => {
  const heard: Array<unknown> = []
  const state: { slow: boolean; resume: (() => void) | undefined } = { slow: false, resume: undefined }
  const reader: AnswerReader = {
    content: (json) => heard.push(JSON.parse(json)),
    reasoning: (text) => heard.push({ reasoning: text }),
    call: (index, id, name) => heard.push({ call: name, index, id }),
    argument: (index, text) => heard.push({ index, argument: text }),
    done: ({ finish_reason }) => heard.push({ finish_reason }),
    error: ({ code }) => heard.push({ code }),
    told: () => !state.slow,
    drain: (resume) => {
      state.resume = resume
    }
  }
  return { heard, reader, state }
}

const say = (log: JobLog, ...texts: ReadonlyArray<string>) => {
  for (const [index, text] of texts.entries()) log.token(text, index)
}

describe("a job's answer", () => {
  it.scopedLive("is read as the worker said that wrote its first token, whatever a later one would have said", () =>
    Effect.gen(function* () {
      const log = yield* open()
      const form = (why: string) => ({ dialect: contentOnly(why), prompt: "" })
      tellForm(log, form("a worker that gave no token"))
      tellForm(log, form("the first"))
      say(log, "one")
      tellForm(log, form("a later one"))
      expect(log.facts().form?.dialect.why).toBe("the first")
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("is its tokens and its end, and nothing else that the job tells", () =>
    Effect.gen(function* () {
      const log = yield* open()
      const { heard, reader } = listening()
      const reading = yield* Effect.fork(answerOf(log).read(reader))
      log.narrate(queued(1))
      log.stateChanged("job", "job-1", "queued", "streaming")
      say(log, "a\n", '"b"')
      yield* answerOf(log).begun
      log.end({ _tag: "Done", event: doneEvent })
      yield* Fiber.join(reading)
      expect(heard).toEqual(["a\n", '"b"', { finish_reason: "stop" }])
    }).pipe(Effect.provide(layer))
  )

  it.scopedLive("that is not streamed is one token", () =>
    Effect.gen(function* () {
      const log = yield* open(false)
      const { heard, reader } = listening()
      say(log, "one ", "two")
      log.end({ _tag: "Done", event: doneEvent })
      yield* answerOf(log).read(reader)
      expect(heard).toEqual(["one two", { finish_reason: "stop" }])
    }).pipe(Effect.provide(layer))
  )

  for (const [how, terminal, code] of [
    ["fails", { _tag: "Error", error: rbeeError("WORKER_CRASHED", "it died") }, "WORKER_CRASHED"],
    ["is cancelled", { _tag: "Cancelled" }, "CANCELLED"]
  ] as const)
    it.scopedLive(`that ${how} has its tokens, and the error; one that does so before is not begun`, () =>
      Effect.gen(function* () {
        const log = yield* open()
        const { heard, reader } = listening()
        say(log, "a")
        log.end(terminal)
        yield* answerOf(log).read(reader)
        expect(heard).toEqual(["a", { code }])
        const logs = yield* JobLogs
        const { log: other } = yield* logs.open({ id: JobId.make("job-2"), request: log.request })
        other.end(terminal)
        expect((yield* Effect.flip(answerOf(other).begun)).code).toBe(code)
      }).pipe(Effect.provide(layer))
    )

  it.scopedLive("waits for a reader that is slow", () =>
    Effect.gen(function* () {
      const log = yield* open()
      const { heard, reader, state } = listening()
      state.slow = true
      say(log, "a")
      const read = yield* answerOf(log).begun
      const reading = yield* Effect.fork(read(reader))
      yield* Effect.iterate(0, { while: () => state.resume === undefined, body: () => Effect.as(Effect.sleep(1), 0) })
      say(log, "b")
      log.end({ _tag: "Done", event: doneEvent })
      yield* log.sync
      expect(heard).toEqual(["a"])
      state.slow = false
      state.resume?.()
      yield* Fiber.join(reading)
      expect(heard).toEqual(["a", "b", { finish_reason: "stop" }])
    }).pipe(Effect.provide(layer))
  )
})
