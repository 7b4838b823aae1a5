import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe } from "vitest"
import { makeEventRing } from "../../../src/actors/queen/log/event-ring.ts"
import type { EventFeed, Sink } from "../../../src/protocol/endpoint.ts"
import { makeSseParser, type SseEvent } from "../../../src/protocol/sse.ts"
import { Turns } from "../../../src/layers/turns/index.ts"
import { layerNode } from "../../../src/layers/turns/node.ts"
import { goodbye, hiveLost } from "../../../src/machines/narration.ts"
import { HiveId } from "../../../src/machines/vocabulary/ids.ts"

const turn = Effect.flatMap(Turns, (turns) =>
  Effect.async<void>((resume) => turns.atEndOfTurn(() => resume(Effect.void)))
)
const ring = (epoch: number, capacity?: number) => makeEventRing(epoch, capacity)

const reading = (feed: EventFeed) =>
  Effect.gen(function* () {
    const events: Array<SseEvent> = []
    const parse = makeSseParser((event) => void events.push(event))
    let full = false
    let resume: (() => void) | undefined
    const sink: Sink = {
      write: (frames) => {
        parse(frames)
        return !full
      },
      drain: (wake) => {
        resume = wake
      }
    }
    const fiber = yield* Effect.fork(feed(sink))
    yield* Effect.yieldNow()
    const stall = () => {
      full = true
    }
    const drain = () => {
      full = false
      resume?.()
    }
    return { events, ids: () => events.map(({ id }) => id), fiber, stall, drain }
  })

describe("the ring of cluster events", () => {
  it.effect("gives live events to all readers, and ends their streams after the goodbye", () =>
    Effect.gen(function* () {
      const events = yield* ring(7)
      events.narrate(hiveLost("old", 1))
      const [a, b] = [yield* reading(events.feed()), yield* reading(events.feed())]
      events.stateChanged("hive", "localhost", "cold", "waking")
      events.narrate(goodbye(), { hiveId: HiveId.make("localhost") })
      events.end()
      events.narrate(hiveLost("late", 1))
      for (const reader of [a, b]) {
        yield* Fiber.join(reader.fiber)
        expect(reader.ids()).toEqual(["7-2", "7-3"])
        expect(reader.events[0]).toMatchObject({
          event: "state",
          data: '{"machine":"hive","id":"localhost","from":"cold","to":"waking"}'
        })
        expect(JSON.parse(reader.events[1]?.data ?? "")).toMatchObject({
          action: "goodbye",
          hiveId: "localhost",
          at: 0
        })
      }
    }).pipe(Effect.provide(layerNode))
  )

  it.effect("resumes after an id without gap or repeat, and ends at once when it is over", () =>
    Effect.gen(function* () {
      const events = yield* ring(1)
      for (let k = 0; k < 5; k++) events.stateChanged("w", String(k), "a", "b")
      events.end()
      for (let after = 0; after <= 5; after++) {
        const reader = yield* reading(events.feed(`1-${after}`))
        yield* Fiber.join(reader.fiber)
        expect(reader.ids()).toEqual(["1-1", "1-2", "1-3", "1-4", "1-5"].slice(after))
      }
    }).pipe(Effect.provide(layerNode))
  )

  it.effect("says what a reader missed: forgotten events, and those of another epoch", () =>
    Effect.gen(function* () {
      const events = yield* ring(2, 3)
      for (let k = 1; k <= 10; k++) events.stateChanged("w", String(k), "a", "b")
      const late = yield* reading(events.feed("2-4"))
      expect(late.ids()).toEqual(["2-7", "2-8", "2-9", "2-10"])
      expect(late.events[0]).toMatchObject({ event: "gap", data: '{"from":"2-5","to":"2-7"}' })
      const other = yield* reading(events.feed("1-9"))
      expect(other.events.map(({ event }) => event)).toEqual(["gap", "state", "state", "state"])
      expect(other.events[0]?.data).toBe('{"to":"2-7"}')
      const strange = yield* reading(events.feed("what?"))
      expect(strange.events[0]?.event).toBe("gap")
      const ahead = yield* reading(events.feed("2-99"))
      expect(ahead.events[0]?.event).toBe("gap")
    }).pipe(Effect.provide(layerNode))
  )

  it.effect("keeps nothing for a slow reader: it goes on behind a gap, and nobody waits for it", () =>
    Effect.gen(function* () {
      const events = yield* ring(1, 4)
      const [slow, fast] = [yield* reading(events.feed()), yield* reading(events.feed())]
      slow.stall()
      for (let k = 1; k <= 12; k++) {
        events.stateChanged("w", String(k), "a", "b")
        yield* turn
      }
      expect(fast.ids()).toEqual(Array.from({ length: 12 }, (_, k) => `1-${k + 1}`))
      expect(slow.ids()).toEqual(["1-1"])
      slow.drain()
      events.end()
      yield* Fiber.join(slow.fiber)
      expect(slow.ids()).toEqual(["1-1", "1-8", "1-9", "1-10", "1-11", "1-12"])
      expect(slow.events[1]?.data).toBe('{"from":"1-2","to":"1-8"}')
      yield* Fiber.join(fast.fiber)
    }).pipe(Effect.provide(layerNode))
  )
})
