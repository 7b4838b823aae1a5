import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { DaemonFiles } from "../../../src/layers/daemon/index.ts"
import { layerNode } from "../../../src/layers/daemon/node.ts"
import { replaced } from "../../../src/layers/daemon/program.ts"

/** Marks as the test sets them. */
const watching = (marks: { now: string | undefined }) => {
  const files = Layer.effect(
    DaemonFiles,
    Effect.map(DaemonFiles, (real) => ({ ...real, mark: () => Effect.sync(() => marks.now) }))
  )
  return Effect.fork(Effect.provide(replaced("/x/queen.cjs"), Layer.provide(files, layerNode)))
}
const isOver = (fiber: Fiber.Fiber<void>) => Effect.map(Fiber.poll(fiber), ({ _tag }) => _tag === "Some")

it.effect.each(["gone", "another"])("A program that is %s is noticed within ten seconds", (mark) =>
  Effect.gen(function* () {
    const marks: { now: string | undefined } = { now: "one" }
    const fiber = yield* watching(marks)
    yield* TestClock.adjust("1 minute")
    expect(yield* isOver(fiber)).toBe(false)
    marks.now = mark
    yield* TestClock.adjust("10 seconds")
    expect(yield* isOver(fiber)).toBe(true)
  })
)

it.effect(
  "A disk that does not answer for a while replaces no program, and one that never did is not asked again",
  () =>
    Effect.gen(function* () {
      const marks: { now: string | undefined } = { now: "one" }
      const fiber = yield* watching(marks)
      yield* TestClock.adjust("1 minute")
      marks.now = undefined
      yield* TestClock.adjust("1 minute")
      marks.now = "one"
      yield* TestClock.adjust("1 minute")
      expect(yield* isOver(fiber)).toBe(false)

      const unknown: { now: string | undefined } = { now: undefined }
      const never = yield* watching(unknown)
      yield* TestClock.adjust("1 minute")
      unknown.now = "one"
      yield* TestClock.adjust("1 minute")
      expect(yield* isOver(never)).toBe(false)
    })
)
