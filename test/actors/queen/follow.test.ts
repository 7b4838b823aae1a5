/** A stream of a hive, followed by a job until it says how it ended. */
import { assert, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { errorOfEvent, follow, type Listener } from "../../../src/actors/queen/log/follow.ts"
import type { EventFeed } from "../../../src/protocol/endpoint.ts"
import { frame } from "../../../src/protocol/sse.ts"

/** says these, and then nothing more: it stays open, or ends */
const streamOf =
  (ends: "open" | "ended", ...frames: ReadonlyArray<string>): EventFeed =>
  (sink) =>
    Effect.suspend(() => {
      for (const text of frames) sink.write(text)
      return ends === "open" ? Effect.never : Effect.void
    })

const heard = () => {
  const all: Array<unknown> = []
  const listener: Listener = {
    narrate: (line, ids) => void all.push([line, ids]),
    progress: (event) => void all.push(event)
  }
  return { all, listener }
}

const line = { actor: "hive", action: "x", target: "y", human: "said" }

describe("A followed stream", () => {
  it.effect("passes on what is narrated, with whose it is, and how far it is, in order", () =>
    Effect.gen(function* () {
      const { all, listener } = heard()
      const progress = { stage: "download", received: 3, total: 9 }
      const stream = streamOf(
        "open",
        frame({ event: "narration", data: line }),
        frame({ event: "progress", data: progress }),
        frame({ id: "e-3", event: "ready", data: { path: "/m" } })
      )
      const ready = yield* follow(stream, listener, "model m", { workerId: "w1" })
      assert.deepStrictEqual(ready, { data: { path: "/m" }, eventId: "e-3" })
      assert.deepStrictEqual(all, [[line, { workerId: "w1" }], progress])
    })
  )

  it.effect("goes on past a `ready` that is not the one it waits for", () =>
    Effect.gen(function* () {
      const stream = streamOf(
        "open",
        frame({ id: 1, event: "ready", data: "old" }),
        frame({ id: 2, event: "ready", data: "new" })
      )
      const ready = yield* follow(stream, heard().listener, "worker w", {}, ({ data }) => data === "new")
      assert.strictEqual(ready.eventId, "2")
    })
  )

  it.effect("fails with what its `failed` says", () =>
    Effect.gen(function* () {
      const failed = frame({
        event: "failed",
        data: { code: "DISK_FULL", message: "no space", details: { free_mb: 1 } }
      })
      const error = yield* Effect.flip(follow(streamOf("open", failed), heard().listener, "model m"))
      expect(error).toMatchObject({ code: "DISK_FULL", what: "no space", details: { free_mb: 1 } })
    })
  )

  it.effect("is a broken connection where it ends without saying how, and names what was under way", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(follow(streamOf("ended"), heard().listener, "model m"))
      assert.strictEqual(error.code, "CONNECTION_TIMEOUT")
      assert.include(error.what, "model m")
    })
  )

  it.effect("that says how it ended and then ends has ended so", () =>
    Effect.gen(function* () {
      const stream = streamOf("ended", frame({ event: "ready", data: 1 }))
      assert.deepStrictEqual((yield* follow(stream, heard().listener, "model m")).data, 1)
    })
  )
})

describe("A failure in an event", () => {
  it("of a worker has its tries and last words, in the sentence too where it has none of its own", () => {
    const error = errorOfEvent({ code: "WORKER_START_FAILED", attempts: 4, last_words: "no device" }, "worker w failed")
    expect(error).toMatchObject({
      code: "WORKER_START_FAILED",
      what: "worker w failed: no device",
      details: { attempts: 4, last_words: "no device" }
    })
  })

  it("keeps its own sentence, what to do, and details", () => {
    const error = errorOfEvent(
      { code: "DISK_FULL", message: "no space. Free some.", details: { free_mb: 1 } },
      "it failed"
    )
    expect(error).toMatchObject({ code: "DISK_FULL", what: "no space", details: { free_mb: 1 } })
    assert.notProperty(error.details, "attempts")
    assert.notProperty(error.details, "last_words")
  })

  it.each([
    ["nothing"],
    [null],
    [{}],
    [{ code: "NO_SUCH_CODE" }],
    [{ code: "", message: "" }],
    [{ code: 5, details: 5 }]
  ])("that is not understood (%j) is an internal one, with what failed", (data) => {
    expect(errorOfEvent(data, "worker w failed")).toMatchObject({
      code: "INTERNAL",
      what: "worker w failed",
      details: {}
    })
  })
})
