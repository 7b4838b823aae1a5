import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { infer, type InferOptions } from "../../../src/actors/keeper/infer.ts"
import { frame } from "../../../src/protocol/sse.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import {
  cascadeHives,
  cascadeWorkers,
  downloadProgress,
  goodbye,
  hiveLost,
  inferConnected,
  inferDone,
  jobFailed,
  scheduled
} from "../../../src/machines/narration.ts"
import { done, narration, type Script, stage, stderrOf, stdoutOf, token, warmAnswer } from "./scripted.ts"
import { patience } from "../../support/patience.ts"
import { localHive, DeviceId } from "../../../src/machines/vocabulary/ids.ts"

const plain: InferOptions = { request: { model: "minillama", prompt: "hello" }, teardown: "warm", format: "plain" }
const cold: InferOptions = { ...plain, teardown: "cold" }

const play = (script: Script, options: InferOptions = plain) =>
  Effect.gen(function* () {
    const on = stage(script)
    const code = yield* infer(options).pipe(Effect.provide(on.layer))
    return { code, told: on.told, stderr: stderrOf(on.told), stdout: stdoutOf(on.told) }
  })

const warmHead = [
  "bee-keeper: starting inference request for minillama",
  "bee-keeper: queen is awake and healthy",
  "bee-keeper: connected to queen via SSE"
]
const answered = [
  "queen: connection to worker established; starting inference",
  "[DONE]",
  "queen: worker finished inference"
]

describe("an infer session", () => {
  it.live("prints the warm lines on stderr, the answer alone on stdout, and exits 0", () =>
    Effect.gen(function* () {
      const run = yield* play({ streams: [warmAnswer] })
      expect(run.code).toBe(0)
      expect(run.stdout).toBe("hello")
      expect(run.stderr).toEqual([...warmHead, ...answered, "queen: keeping hive and worker warm"])
    })
  )

  it.live("writes tokens once per network chunk, and before the line that follows them", () =>
    Effect.gen(function* () {
      const { told } = yield* play({ streams: [warmAnswer] })
      const order = told.writes.map(({ to, text }) => (to === 1 ? text : text.trimEnd().replace(/^.*: /, "")))
      expect(order.slice(3)).toEqual([
        "connection to worker established; starting inference",
        "he",
        "llo",
        "[DONE]",
        "worker finished inference",
        "keeping hive and worker warm"
      ])
    })
  )

  it.live("wakes a queen that sleeps, and says so", () =>
    Effect.gen(function* () {
      const run = yield* play({ asleep: true, streams: [warmAnswer] })
      expect(run.stderr.slice(0, 5)).toEqual([
        "bee-keeper: starting inference request for minillama",
        "bee-keeper: queen is asleep, waking queen…",
        "bee-keeper: launching queen on :8500 and waiting for health…",
        "bee-keeper: queen is awake and healthy",
        "bee-keeper: connected to queen via SSE"
      ])
      expect(run.told.requests[0]?.session).toMatchObject({ teardown: "warm", woke_queen: true })
    })
  )

  it.live("does not claim to have woken a queen that another keeper's spawn became", () =>
    Effect.gen(function* () {
      const run = yield* play({ asleep: true, woken: false, streams: [warmAnswer] })
      expect(run.told.requests[0]?.session?.woke_queen).toBe(false)
    })
  )

  it.live("names the stranger on the queen's port and exits 1", () =>
    Effect.gen(function* () {
      const stranger = rbeeError("CONFLICT", "port 8500 is taken by pid 7 (nginx)", "Choose another port.")
      const run = yield* play({ asleep: true, wakeFails: stranger, streams: [] })
      expect(run.code).toBe(1)
      expect(run.stderr.at(-1)).toBe("bee-keeper: CONFLICT: port 8500 is taken by pid 7 (nginx). Choose another port.")
    })
  )

  it.live("exits 1 when the job fails, with its reason once, whoever says it", () =>
    Effect.gen(function* () {
      const error = { code: "MODEL_NOT_FOUND", message: "no such model. Check the name.", details: {} }
      const said = "queen: job failed: MODEL_NOT_FOUND: no such model. Check the name."
      const both = yield* play({
        streams: [[narration(jobFailed(error), 1), frame({ id: 2, event: "error", data: error })]]
      })
      expect([both.code, both.stderr.slice(3)]).toEqual([1, [said]])
      const alone = yield* play({ streams: [[frame({ id: 1, event: "error", data: error })]] })
      expect([alone.code, alone.stderr.slice(3)]).toEqual([1, [said]])
    })
  )

  it.live("exits 1 when the queen refuses the job", () =>
    Effect.gen(function* () {
      const refusal = rbeeError("QUEUE_FULL", "512 jobs wait already", "Try again later.")
      const run = yield* play({ submit: [refusal], streams: [] })
      expect(run.code).toBe(1)
      expect(run.stderr.at(-1)).toBe("queen: job failed: QUEUE_FULL: 512 jobs wait already. Try again later.")
      expect(run.told.calls).not.toContain("stream")
    })
  )

  it.live("posts once more to the next queen when this one is just ending", () =>
    Effect.gen(function* () {
      const ending = rbeeError("SHUTTING_DOWN", "the queen is shutting down")
      const run = yield* play({ submit: [ending, "ok"], finds: ["queen-a", undefined], streams: [warmAnswer] })
      expect(run.code).toBe(0)
      expect(run.told.calls).toEqual(["events", "submit", "gone", "wake", "events", "submit", "stream"])
      expect(new Set(run.told.requests.map((request) => request.session?.id)).size).toBe(1)
    })
  )

  it.live("of /events prints only lost hives and the cascade", () =>
    Effect.gen(function* () {
      const seen = yield* Deferred.make<void>()
      const run = yield* play({
        events: [
          narration(scheduled(DeviceId.make("cpu"), localHive)),
          narration(hiveLost("far", 2)),
          frame({ event: "state", data: { machine: "hive" } }),
          { wait: Deferred.succeed(seen, undefined) },
          "HANG"
        ],
        streams: [[{ wait: Deferred.await(seen) }, ...warmAnswer]]
      })
      expect(run.stderr.filter((line) => line.includes("scheduler"))).toEqual([])
      expect(run.stderr.filter((line) => line.includes("far"))).toEqual(["queen: hive far lost; moving 2 jobs"])
    })
  )

  it.live("keeps control characters of model names and other people's text off the terminal", () =>
    Effect.gen(function* () {
      const run = yield* play(
        { streams: [warmAnswer] },
        { ...plain, request: { model: "a\u001b[2J\nqueen: goodbye", prompt: "x" } }
      )
      expect(run.stderr[0]).toBe("bee-keeper: starting inference request for a\ufffd[2J\ufffdqueen: goodbye")
    })
  )
})

describe("the answer", () => {
  it.live("is written as it is where --raw asks for it, and made plain for a terminal otherwise", () =>
    Effect.gen(function* () {
      expect((yield* play({ streams: [warmAnswer] }, { ...plain, raw: true })).stdout).toMatch(/^raw /)
      expect((yield* play({ streams: [warmAnswer] }, plain)).stdout).not.toContain("raw")
    })
  )
})

describe("a stream that breaks", () => {
  it.live("is resumed behind the last event when the queen is the same, without a word and without repeats", () =>
    Effect.gen(function* () {
      const run = yield* play({
        streams: [
          [narration(inferConnected(), 1), token(0, "he", 2), "BREAK"],
          [token(0, "he", 2), token(1, "llo", 3), narration(inferDone(), 4), done(5)]
        ]
      })
      expect(run.code).toBe(0)
      expect(run.stdout).toBe("hello")
      expect(run.told.lastEventIds).toEqual([undefined, "2"])
      expect(run.stderr).toEqual([...warmHead, ...answered])
    })
  )

  it.live(
    "is taken up at the next queen when this one is lost, and a clean end without a terminal event is a break",
    () =>
      Effect.gen(function* () {
        const run = yield* play({
          finds: ["queen-a", undefined],
          streams: [
            [token(0, "he", 1), "END"],
            [token(1, "llo", 2), narration(inferDone(), 3), done(4)]
          ]
        })
        expect(run.code).toBe(0)
        expect(run.stdout).toBe("hello")
        expect(run.stderr.slice(3, 5)).toEqual([
          "bee-keeper: lost queen; reconnecting…",
          "bee-keeper: queen is awake and healthy"
        ])
        expect(run.told.calls).toEqual(["events", "submit", "stream", "wake", "events", "stream"])
      })
  )

  it.live("is given up when it breaks again and again without news, naming the job", () =>
    Effect.gen(function* () {
      const run = yield* play({ streams: [] })
      expect(run.code).toBe(1)
      expect(run.stderr.at(-1)).toMatch(
        /^bee-keeper: CONNECTION_TIMEOUT: the stream of job-1 broke .*rbee jobs show job-1/
      )
    })
  )
})

describe("a cold session", () => {
  const answer = [...warmAnswer.slice(0, 3), narration(inferDone(), 5) + done(7)]
  const cascade = narration(cascadeWorkers()) + narration(cascadeHives()) + narration(goodbye())

  it.live("that woke the queen ends with the cascade, in order, also when the lines overtake the answer", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const printed = yield* Deferred.make<void>()
      const run = yield* play(
        {
          asleep: true,
          streams: [answer],
          shutdown: { queen: "ends", kept: [] },
          events: [{ wait: Deferred.await(asked) }, cascade, { wait: Deferred.succeed(printed, undefined) }, "END"],
          onShutdown: Effect.zipRight(Deferred.succeed(asked, undefined), Deferred.await(printed))
        },
        cold
      )
      expect(run.code).toBe(0)
      expect(run.stderr.slice(-5)).toEqual([
        "queen: worker finished inference",
        "bee-keeper: asking queen to cascade shutdown",
        "queen: shutting down workers…",
        "queen: shutting down hives…",
        "queen: goodbye"
      ])
      expect(run.told.calls.slice(-2)).toEqual(["shutdown cascade=true session=true", "gone"])
    })
  )

  it.live("leaves a queen that was there before", () =>
    Effect.gen(function* () {
      const run = yield* play({ streams: [answer], shutdown: { queen: "stays", kept: [] } }, cold)
      expect(run.code).toBe(0)
      expect(run.stderr.at(-1)).toBe("bee-keeper: leaving queen running: it was here before")
      expect(run.stderr).not.toContain("bee-keeper: asking queen to cascade shutdown")
    })
  )

  it.live("leaves a queen that it woke and another session uses", () =>
    Effect.gen(function* () {
      const run = yield* play({ asleep: true, streams: [answer], shutdown: { queen: "stays", kept: [] } }, cold)
      expect(run.stderr.at(-1)).toBe("bee-keeper: leaving queen running: another session uses it")
    })
  )

  it.live("tears down also when the job failed, and exits 1", () =>
    Effect.gen(function* () {
      const error = { code: "MODEL_INVALID", message: "no GGUF.", details: {} }
      const run = yield* play(
        { streams: [[frame({ id: 1, event: "error", data: error })]], shutdown: { queen: "stays", kept: [] } },
        cold
      )
      expect(run.code).toBe(1)
      expect(run.told.calls.at(-1)).toBe("shutdown cascade=true session=true")
    })
  )

  it.live("exits 1 when the teardown fails: what was asked for did not happen", () =>
    Effect.gen(function* () {
      const run = yield* play({ streams: [answer], shutdown: rbeeError("CONNECTION_TIMEOUT", "no connection") }, cold)
      expect(run.code).toBe(1)
      expect(run.stderr.at(-1)).toContain("CONNECTION_TIMEOUT")
    })
  )
})

describe("an interrupt", () => {
  const midAnswer = (script: Partial<Script>, options: InferOptions, code: 130 | 143) =>
    Effect.gen(function* () {
      const reading = yield* Deferred.make<void>()
      const on = stage({
        streams: [[token(0, "he", 1), { wait: Deferred.succeed(reading, undefined) }, "HANG"]],
        ...script
      })
      const running = yield* Effect.fork(infer(options).pipe(Effect.provide(on.layer)))
      yield* Deferred.await(reading)
      yield* on.interrupt(code)
      return { code: yield* Fiber.join(running), told: on.told, stderr: stderrOf(on.told), stdout: stdoutOf(on.told) }
    })

  it.live("cancels the job, says so, and exits 130", () =>
    Effect.gen(function* () {
      const run = yield* midAnswer({}, plain, 130)
      expect(run.code).toBe(130)
      expect(run.stdout).toBe("he")
      expect(run.told.calls.at(-1)).toBe("cancel")
      expect(run.stderr.at(-1)).toBe("bee-keeper: cancelled")
    })
  )

  it.live("by SIGTERM exits 143", () =>
    Effect.gen(function* () {
      expect((yield* midAnswer({}, plain, 143)).code).toBe(143)
    })
  )

  it.live("tears a cold session down", () =>
    Effect.gen(function* () {
      const run = yield* midAnswer({ shutdown: { queen: "stays", kept: [] } }, cold, 130)
      expect(run.told.calls.slice(-2)).toEqual(["cancel", "shutdown cascade=true session=true"])
    })
  )

  it.live("does not claim a cancel that was not answered, and still ends within 5 s", () =>
    Effect.gen(function* () {
      const begin = Date.now()
      const run = yield* midAnswer({ cancel: "hang" }, plain, 130)
      expect(run.code).toBe(130)
      expect(Date.now() - begin).toBeLessThan(patience(5000))
      expect(run.stderr).not.toContain("bee-keeper: cancelled")
      expect(run.stderr.at(-1)).toContain("rbee jobs cancel")
    })
  )

  it.live("takes a job that ended meanwhile for cancelled", () =>
    Effect.gen(function* () {
      const run = yield* midAnswer({ cancel: rbeeError("CONFLICT", "it ended") }, plain, 130)
      expect(run.stderr.at(-1)).toBe("bee-keeper: cancelled")
    })
  )

  const withoutStdout = (failure?: string) =>
    Effect.gen(function* () {
      const reading = yield* Deferred.make<void>()
      const on = stage({ streams: [[token(0, "he", 1), { wait: Deferred.succeed(reading, undefined) }, "HANG"]] })
      const running = yield* Effect.fork(infer(plain).pipe(Effect.provide(on.layer)))
      yield* Deferred.await(reading)
      yield* on.closeStdout(failure)
      const code = yield* Fiber.join(running)
      expect(on.told.calls.at(-1)).toBe("cancel")
      return { code, stderr: stderrOf(on.told) }
    })

  it.live("of the reader of stdout ends the run quietly, and the job with it", () =>
    Effect.gen(function* () {
      const run = yield* withoutStdout()
      expect(run.code).toBe(0)
      expect(run.stderr.filter((line) => line.includes("written"))).toEqual([])
    })
  )

  it.live("by a full disk under stdout is an error", () =>
    Effect.gen(function* () {
      const run = yield* withoutStdout("ENOSPC: no space left on device")
      expect(run.code).toBe(1)
      expect(run.stderr.at(-1)).toContain("DISK_FULL: the answer could not be written: ENOSPC")
    })
  )
})

describe("the formats", () => {
  it.live("--quiet prints the answer alone", () =>
    Effect.gen(function* () {
      const run = yield* play({ asleep: true, streams: [warmAnswer] }, { ...plain, format: "quiet" })
      expect([run.code, run.stdout, run.stderr]).toEqual([0, "hello", []])
    })
  )

  it.live("--quiet still prints errors", () =>
    Effect.gen(function* () {
      const error = { code: "MODEL_INVALID", message: "no GGUF.", details: {} }
      const run = yield* play(
        { streams: [[frame({ id: 1, event: "error", data: error })]] },
        { ...plain, format: "quiet" }
      )
      expect(run.stderr).toEqual(["queen: job failed: MODEL_INVALID: no GGUF."])
    })
  )

  it.live("--json prints one object a line on stdout for everything, and nothing on stderr", () =>
    Effect.gen(function* () {
      const progress = frame({ event: "progress", data: { stage: "download", received: 1, total: 2 } })
      const run = yield* play({ streams: [[progress, ...warmAnswer]] }, { ...plain, format: "json" })
      const lines = run.stdout
        .trimEnd()
        .split("\n")
        .map((line): Record<string, unknown> => JSON.parse(line))
      expect(run.stderr).toEqual([])
      expect(lines.map((line) => line["action"] ?? line["event"])).toEqual([
        "infer_start",
        "queen_awake",
        "sse_connected",
        "progress",
        "infer_connected",
        "token",
        "token",
        "token",
        "done",
        "infer_done",
        "keep_warm",
        "done"
      ])
      expect(lines.flatMap((line) => (line["event"] === "token" ? [line["t"]] : [])).join("")).toBe("hello")
      expect(lines.at(-1)).toMatchObject({ event: "done", finish_reason: "stop" })
      expect(lines[0]).toMatchObject({ event: "narration", actor: "bee-keeper", level: "info" })
    })
  )

  it.live("on a terminal a download is one live line, which the next line replaces", () =>
    Effect.gen(function* () {
      const { told } = yield* play({
        isTTY: true,
        streams: [
          [narration(downloadProgress(35, 42e6), 1), narration(downloadProgress(100, 42e6), 2), ...warmAnswer.slice(1)]
        ]
      })
      const all = told.writes.map(({ text }) => text).join("")
      expect(all).toContain("\r\u001b[2Khive: … 35% @ 42 MB/s …\r\u001b[2Khive: … 100% @ 42 MB/s …\n")
      // the answer has no newline of its own: the terminal gets one, so that [DONE] starts a line
      expect(all).toContain("hello\n[DONE]\n")
    })
  )

  it.live("without a terminal nothing is added to the answer", () =>
    Effect.gen(function* () {
      const run = yield* play({ streams: [warmAnswer] })
      const all = run.told.writes.map(({ text }) => text).join("")
      for (const control of ["\r", "\u001b"]) expect(all).not.toContain(control)
      expect(run.stdout).toBe("hello")
    })
  )
})
