/** What a job and the metrics say of its time: moments since it was submitted, and the pace of its tokens. */
import { assert, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import { type QueenWorld, makeWorld } from "../../support/queen/world.ts"

/** the sample of a metric, without its labels; undefined where there is none */
const metric = ({ api }: QueenWorld, name: string) =>
  Effect.map(api.metrics({}), (answer) => {
    const text = typeof answer === "string" ? answer : JSON.stringify(answer)
    const found = new RegExp(`${name}(?:\\{[^}]*\\})? ([0-9.e+-]+)`).exec(text)
    return found === null ? undefined : Number(found[1])
  })

/** a job on a worker that is there already: no beat of a hive is in its time */
const warm = Effect.gen(function* () {
  const world = yield* makeWorld()
  yield* (yield* world.job()).ended
  return world
})

const timingsOf = (data: Readonly<Record<string, unknown>> | undefined) => data?.["timings"]

describe("The time of a job", () => {
  it.scoped("is told as moments since it was submitted, the first token's as it came, once", () =>
    Effect.gen(function* () {
      const world = yield* warm
      world.hive.script = () => ({ holdAt: 0 })
      const reader = yield* world.job()
      yield* reader.saw("connection to worker established; starting inference")
      yield* TestClock.adjust("3 seconds")
      world.hive.script = () => ({ holdAt: 3 })
      for (const worker of world.hive.workers.values()) worker.release()
      const end = yield* reader.ended
      expect(timingsOf(end.data)).toEqual({ placed_ms: 0, started_ms: 0, first_token_ms: 3000, total_ms: 3000 })
      expect((yield* world.api.getJob({ id: JobId.make(reader.id) })).timings).toMatchObject({ first_token_ms: 3000 })
    })
  )

  it.scoped("is counted: until the first token of each, and for each token after it", () =>
    Effect.gen(function* () {
      const world = yield* warm
      const before = yield* metric(world, "rbee_time_to_first_token_seconds_count")
      world.hive.script = () => ({ holdAt: 1 })
      const reader = yield* world.job()
      yield* reader.until(({ event }) => event === "token")
      yield* TestClock.adjust("2 seconds")
      for (const worker of world.hive.workers.values()) worker.release()
      yield* reader.ended
      assert.strictEqual(yield* metric(world, "rbee_time_to_first_token_seconds_count"), (before ?? 0) + 1)
      // four tokens after the first one, in two seconds
      assert.strictEqual(yield* metric(world, "rbee_time_per_output_token_seconds_sum"), 0.5)
      assert.strictEqual(yield* metric(world, "rbee_time_per_output_token_seconds_count"), 1)
    })
  )

  it.scoped("has no pace where one token came, or all at one moment", () =>
    Effect.gen(function* () {
      const world = yield* warm
      yield* (yield* world.job()).ended
      world.hive.script = () => ({ holdAt: 0 })
      const reader = yield* world.job({ max_tokens: 1 })
      yield* reader.saw("connection to worker established; starting inference")
      yield* TestClock.adjust("1 second")
      for (const worker of world.hive.workers.values()) worker.release()
      yield* reader.ended
      assert.strictEqual((yield* metric(world, "rbee_time_per_output_token_seconds_count")) ?? 0, 0)
    })
  )

  it.scoped(
    "starts over for nobody: the first token of an answer that goes on elsewhere is that of its first worker",
    () =>
      Effect.gen(function* () {
        const world = yield* warm
        const { hive } = world
        hive.script = () => ({ holdAt: 3 })
        const reader = yield* world.job()
        yield* reader.until(({ event, data }) => event === "token" && data["i"] === 2)
        yield* TestClock.adjust("5 seconds")
        const [worker] = hive.workers.values()
        hive.script = () => ({})
        worker?.crash()
        if (worker !== undefined) hive.restart(worker)
        const end = yield* reader.ended
        expect(timingsOf(end.data)).toMatchObject({ placed_ms: 0, started_ms: 0, first_token_ms: 0 })
      })
  )

  it.scoped("is asked of no job that failed: only the tokens of those that are done are paced", () =>
    Effect.gen(function* () {
      const world = yield* warm
      world.hive.script = () => ({ holdAt: 2 })
      const reader = yield* world.job()
      yield* reader.until(({ event, data }) => event === "token" && data["i"] === 1)
      yield* TestClock.adjust("2 seconds")
      yield* world.api.cancelJob({ id: JobId.make(reader.id) })
      expect((yield* reader.ended).event).toBe("cancelled")
      assert.strictEqual((yield* metric(world, "rbee_time_per_output_token_seconds_count")) ?? 0, 0)
    })
  )
})

describe("The load of a model", () => {
  it.scoped("is counted once: not for who finds its worker there", () =>
    Effect.gen(function* () {
      const world = yield* warm
      assert.strictEqual(yield* metric(world, "rbee_model_load_seconds_count"), 1)
      yield* (yield* world.job()).ended
      assert.strictEqual(yield* metric(world, "rbee_model_load_seconds_count"), 1)
    })
  )
})
