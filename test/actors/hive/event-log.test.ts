import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe } from "vitest"
import { EventLog, EventLogs } from "../../../src/actors/hive/common/event-log.ts"
import type { Sink } from "../../../src/protocol/endpoint.ts"
import { makeSseParser } from "../../../src/protocol/sse.ts"
import { HiveId } from "../../../src/machines/vocabulary/ids.ts"

/** A reader that takes `room` writes and then waits to be drained. */
const reader = (room = Number.POSITIVE_INFINITY) => {
  const events: Array<string> = []
  const parse = makeSseParser(({ id, event }) => void events.push(`${id ?? "-"} ${event}`))
  let left = room
  let resume: (() => void) | undefined
  const sink: Sink = {
    write: (text) => {
      parse(text)
      return --left > 0
    },
    drain: (next) => (left > 0 ? next() : void (resume = next))
  }
  return {
    events,
    sink,
    drain: (more: number) => {
      left = more
      const next = resume
      resume = undefined
      next?.()
    }
  }
}
const log = () => new EventLog({ hiveId: HiveId.make("localhost") })

describe("An event sequence of a hive", () => {
  it.effect("reaches who came early, late, and back from the middle", () =>
    Effect.gen(function* () {
      const events = log()
      const [early, late, back] = [reader(), reader(), reader()]
      const fiber = yield* Effect.fork(events.feed(undefined)(early.sink))
      yield* Effect.yieldNow()
      for (const name of ["a", "b", "c"]) events.append(name, {})
      events.end("ready", {})
      yield* Fiber.join(fiber)
      yield* events.feed(undefined)(late.sink)
      yield* events.feed("2")(back.sink)
      expect(early.events).toEqual(["1 a", "2 b", "3 c", "4 ready"])
      expect(late.events).toEqual(early.events)
      expect(back.events).toEqual(["3 c", "4 ready"])
    })
  )

  it.effect("waits for a slow reader alone, and loses it nothing but progress", () =>
    Effect.gen(function* () {
      const events = log()
      const [slow, quick] = [reader(1), reader()]
      const fibers = yield* Effect.forEach([slow, quick], ({ sink }) => Effect.fork(events.feed(undefined)(sink)))
      yield* Effect.yieldNow()
      events.append("a", {})
      events.progress({ stage: "load", received: 1 })
      events.append("b", {})
      expect(slow.events).toEqual(["1 a"])
      expect(quick.events).toEqual(["1 a", "- progress", "2 b"])
      events.end("ready", {})
      slow.drain(10)
      yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      expect(slow.events).toEqual(["1 a", "2 b", "3 ready"])
    })
  )

  it.effect("ends for a reader only when the terminal event was written", () =>
    Effect.gen(function* () {
      const events = log()
      const slow = reader(1)
      const fiber = yield* Effect.fork(events.feed(undefined)(slow.sink))
      yield* Effect.yieldNow()
      events.append("a", {})
      events.end("failed", {})
      yield* Effect.yieldNow()
      expect(yield* Fiber.poll(fiber)).toMatchObject({ _tag: "None" })
      slow.drain(10)
      yield* Fiber.join(fiber)
      expect(slow.events).toEqual(["1 a", "2 failed"])
    })
  )

  it.effect("has one end, and nothing after it", () =>
    Effect.gen(function* () {
      const events = log()
      events.end("ready", {})
      events.end("failed", {})
      events.append("late", {})
      const late = reader()
      yield* events.feed("nonsense")(late.sink)
      expect(late.events).toEqual(["1 ready"])
    })
  )

  it.effect("is left without a trace by a reader that goes", () =>
    Effect.gen(function* () {
      const events = log()
      const gone = reader()
      const fiber = yield* Effect.fork(events.feed(undefined)(gone.sink))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      events.append("a", {})
      expect(gone.events).toEqual([])
    })
  )

  it("is forgotten when enough others came after its end, never before it", () => {
    const logs = new EventLogs(3)
    const running = log()
    logs.set("running", running)
    for (let i = 0; i < 10; i++) {
      const ended = log()
      ended.end("ready", {})
      logs.set(`p${i}`, ended)
    }
    expect(logs.get("running")).toBe(running)
    expect(logs.get("p0")).toBeUndefined()
    expect(logs.get("p9")).toBeDefined()
  })
})
