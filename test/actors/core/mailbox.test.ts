import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { Mailbox } from "../../../src/actors/core/mailbox.ts"

const drain = (box: Mailbox<string>) =>
  Effect.gen(function* () {
    const all: Array<string> = []
    while (box.size > 0) all.push(yield* box.take)
    return all.join(" ")
  })

describe("a mailbox", () => {
  it.effect("is first in first out over all classes", () =>
    Effect.gen(function* () {
      const box = new Mailbox<string>("box", 8)
      yield* box.control("c1")
      yield* box.outside("o1")
      yield* box.latest("k", "b1")
      box.internal("i1")
      yield* box.control("c2")
      assert.strictEqual(yield* drain(box), "c1 o1 b1 i1 c2")
    })
  )

  it.effect("lets control wait while it is full, and admits the waiting in their order, one for each taken", () =>
    Effect.gen(function* () {
      const box = new Mailbox<string>("box", 2)
      const senders = yield* Effect.forEach(["1", "2", "3", "4"], (message) => Effect.fork(box.control(message)))
      yield* TestClock.adjust(0)
      assert.strictEqual(box.size, 2)
      const late = yield* Effect.fork(box.control("5"))
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* box.take, "1")
      assert.strictEqual(box.size, 2)
      assert.strictEqual(yield* drain(box), "2 3 4 5")
      yield* Fiber.joinAll([...senders, late])
    })
  )

  it.effect("forgets a waiting sender that was interrupted", () =>
    Effect.gen(function* () {
      const box = new Mailbox<string>("box", 1)
      yield* box.control("1")
      const gone = yield* Effect.fork(box.control("2"))
      const stays = yield* Effect.fork(box.control("3"))
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(gone)
      assert.strictEqual(yield* drain(box), "1 3")
      yield* Fiber.join(stays)
    })
  )

  it.effect(
    "refuses the outside command over its bound, with path and capacity, and takes it again when there is room",
    () =>
      Effect.gen(function* () {
        const box = new Mailbox<string>("queen/jobs", 2)
        yield* box.outside("1")
        yield* box.outside("2")
        assert.deepInclude(yield* Effect.flip(box.outside("3")), {
          _tag: "MailboxFull",
          path: "queen/jobs",
          capacity: 2
        })
        assert.strictEqual(yield* box.take, "1")
        yield* box.outside("4")
        assert.strictEqual(yield* drain(box), "2 4")
      })
  )

  it.effect(
    "bounds each class by itself: a flood from outside does not make control wait, nor the other way round",
    () =>
      Effect.gen(function* () {
        const box = new Mailbox<string>("box", 1)
        yield* box.outside("o")
        yield* box.control("c")
        yield* box.latest("k", "b")
        assert.strictEqual(yield* drain(box), "o c b")
      })
  )

  it.effect("admits a waiting control only when a control was taken: room of another class is not its", () =>
    Effect.gen(function* () {
      const box = new Mailbox<string>("box", 1)
      yield* box.outside("o")
      yield* box.control("c1")
      const waiting = yield* Effect.fork(box.control("c2"))
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* box.take, "o")
      assert.strictEqual(box.size, 1)
      assert.strictEqual(yield* drain(box), "c1 c2")
      yield* Fiber.join(waiting)
    })
  )

  it.effect("keeps of each beat only the latest, where the first of it waited", () =>
    Effect.gen(function* () {
      const box = new Mailbox<string>("box", 2)
      yield* box.latest("a", "a1")
      yield* box.control("c")
      yield* box.latest("a", "a2")
      yield* box.latest("b", "b1")
      assert.strictEqual(yield* drain(box), "a2 c b1")
      yield* box.latest("a", "a3")
      assert.strictEqual(yield* drain(box), "a3")
    })
  )

  it.effect("overwrites the oldest beat when there are more keys than room", () =>
    Effect.gen(function* () {
      const box = new Mailbox<string>("box", 2)
      for (const key of ["a", "b", "c", "d", "d"]) yield* box.latest(key, key)
      assert.strictEqual(box.size, 2)
      assert.sameMembers((yield* drain(box)).split(" "), ["c", "d"])
    })
  )

  it.effect("hands a message to a reader that waits, and loses none when that reader is interrupted", () =>
    Effect.gen(function* () {
      const box = new Mailbox<string>("box", 2)
      const impatient = yield* Effect.fork(box.take)
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(impatient)
      yield* box.control("1")
      assert.strictEqual(yield* box.take, "1")
      const reader = yield* Effect.fork(box.take)
      yield* TestClock.adjust(0)
      yield* box.control("2")
      assert.strictEqual(yield* Fiber.join(reader), "2")
    })
  )

  it.effect("once closed drops control, refuses the outside and lets the waiting go on", () =>
    Effect.gen(function* () {
      const box = new Mailbox<string>("box", 1)
      yield* box.control("1")
      const waiting = yield* Effect.fork(box.control("2"))
      yield* TestClock.adjust(0)
      box.close()
      yield* Fiber.join(waiting)
      yield* box.control("3")
      yield* box.latest("k", "b")
      box.internal("i")
      assert.deepInclude(yield* Effect.flip(box.outside("o")), { _tag: "MailboxClosed", path: "box" })
      assert.strictEqual(box.size, 0)
    })
  )

  it.effect("stays in order and holds nothing back over 100 000 messages", () =>
    Effect.gen(function* () {
      const box = new Mailbox<number>("box", 100)
      const writer = yield* Effect.fork(
        Effect.forEach(
          Array.from({ length: 100_000 }, (_, i) => i),
          (i) => box.control(i),
          { discard: true }
        )
      )
      for (let i = 0; i < 100_000; i++) assert.strictEqual(yield* box.take, i)
      yield* Fiber.join(writer)
      assert.strictEqual(box.size, 0)
    })
  )
})
