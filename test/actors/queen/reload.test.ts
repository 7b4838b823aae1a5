/** A prompt that is too long for the one worker that fits: when its model is loaded anew, and who waits for whom. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { overflow } from "../../../src/machines/policy/memory/context.ts"
import { makeWorld } from "../../support/queen/world.ts"

/** Room for one worker. A prompt is how many tokens it is said to have; an answer is held before its token of that index. */
const oneRoom = Effect.gen(function* () {
  const world = yield* makeWorld()
  const { hive, job } = world
  hive.room = 1
  hive.script = ({ context }, { messages }) => {
    const prompt_tokens = Number(messages?.[0]?.content)
    const error = overflow("too long", context, { prompt_tokens, trained_context: 131_072 })
    return prompt_tokens > context ? { error } : { holdAt: prompt_tokens }
  }
  return { ...world, long: (tokens: number) => job({ prompt: String(tokens) }) }
})
const contexts = (hive: { readonly workers: ReadonlyMap<string, { readonly context: number }> }) =>
  [...hive.workers.values()].map(({ context }) => context)
const waits = /^queen: the model was loaded with more context only just; again in (\d+) s at the earliest$/

describe("A prompt that needs more context where one worker fits", () => {
  it.scoped("has the model loaded anew, and a second one within a minute waits until that may be done again", () =>
    Effect.gen(function* () {
      const { hive, long } = yield* oneRoom
      yield* (yield* long(900)).ended
      yield* TestClock.adjust("5 seconds")

      const first = yield* long(2000)
      yield* TestClock.adjust("2 seconds")
      expect((yield* first.ended).event).toBe("done")
      expect(first.lines()).toContain("queen: unloading an idle worker of CPU to make room")
      expect(contexts(hive)).toEqual([4096])

      const second = yield* long(9000)
      yield* TestClock.adjust("50 seconds")
      expect(second.events.at(-1)?.event).not.toBe("done")
      expect(second.lines().filter((line) => waits.test(line))).toHaveLength(1)
      // who fits is answered meanwhile
      expect((yield* (yield* long(3000)).ended).event).toBe("done")
      expect(contexts(hive)).toEqual([4096])

      yield* TestClock.adjust("12 seconds")
      expect((yield* second.ended).event).toBe("done")
      expect(contexts(hive)).toEqual([13_312])
    })
  )

  it.scoped("starts no new answer on the old worker, ends none, and whoever comes meanwhile has the larger one", () =>
    Effect.gen(function* () {
      const { hive, long } = yield* oneRoom
      const held = yield* long(1)
      yield* held.saw("connection to worker established; starting inference")
      yield* TestClock.adjust("5 seconds")
      const [old] = hive.workers.values()

      const growing = yield* long(2000)
      yield* TestClock.adjust("2 seconds")
      const late = yield* long(900)
      yield* TestClock.adjust("2 seconds")
      expect(old?.asked).toHaveLength(2)
      expect(contexts(hive)).toEqual([1024])

      old?.release()
      expect((yield* held.ended).event).toBe("done")
      yield* TestClock.adjust("2 seconds")
      expect((yield* growing.ended).event).toBe("done")
      expect((yield* late.ended).event).toBe("done")
      expect(old?.asked).toHaveLength(2)
      expect(contexts(hive)).toEqual([4096])
    })
  )
})

describe("A prompt that fits, though not with the room that an answer usually needs", () => {
  it.scoped("is served with the longest context that there is room for, and told so", () =>
    Effect.gen(function* () {
      const { hive, long } = yield* oneRoom
      hive.contextMax = 2500
      yield* (yield* long(900)).ended
      yield* TestClock.adjust("5 seconds")
      const tight = yield* long(2000)
      yield* TestClock.adjust("2 seconds")
      expect((yield* tight.ended).event).toBe("done")
      expect(tight.lines()).toContain("queen: no device has room for so much; it gets a context of 2500 tokens")
      expect(contexts(hive)).toEqual([2500])
      const longer = yield* long(2500 + 1)
      yield* TestClock.adjust("2 seconds")
      expect((yield* longer.ended).data).toMatchObject({
        code: "INVALID_REQUEST",
        message: expect.stringMatching(/^the maximum context length is 2500 tokens here/)
      })
    })
  )
})

describe("An answer that fills the context of the one worker that fits", () => {
  const filling = Effect.gen(function* () {
    const world = yield* makeWorld()
    world.hive.room = 1
    world.hive.script = ({ context }) => (context > 1024 ? {} : { holdAt: 1, outgrownAt: 2 })
    return world
  })

  it.scoped("goes on in a larger one from the token that it had, and says so", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* filling
      const long = yield* job()
      yield* long.until(({ event }) => event === "token")
      for (const worker of hive.workers.values()) worker.release()
      yield* TestClock.adjust("7 seconds")
      expect((yield* long.ended).data).toMatchObject({ finish_reason: "stop", tokens: 5 })
      expect(long.text()).toBe("hello world")
      expect(long.lines()).toContain(
        "queen: the answer has filled a context of 1024 tokens; it goes on in one of 3072, which is being made"
      )
      expect(contexts(hive)).toEqual([3072])
    })
  )

  it.scoped("ends with what it has where there is no room for a larger one, and says why", () =>
    Effect.gen(function* () {
      const { hive, job } = yield* filling
      const long = yield* job()
      yield* long.until(({ event }) => event === "token")
      hive.full.set("cpu", 300)
      for (const worker of hive.workers.values()) worker.release()
      yield* TestClock.adjust("7 seconds")
      expect((yield* long.ended).data).toMatchObject({ finish_reason: "length", tokens: 2 })
      expect(long.text()).toBe("hel")
      expect(long.lines().join("\n")).toMatch(/the answer ends here, it has filled a context of 1024 tokens: .*needs/)
    })
  )
})
