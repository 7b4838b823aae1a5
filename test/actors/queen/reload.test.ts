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
