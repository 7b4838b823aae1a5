/** The scripted engine in virtual time. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { layerScripted } from "../../../src/layers/engine/scripted.ts"
import { ask, loadWith, plain } from "./ask.ts"

describe("the scripted engine", () => {
  it.scoped("loads for as long as it is told, in virtual time", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const loading = yield* Effect.forkScoped(
        loadWith(layerScripted({ loadMs: 4000 }), { onProgress: (fraction) => seen.push(fraction) })
      )
      yield* TestClock.adjust("2500 millis")
      expect(seen).toEqual([0.25, 0.5])
      yield* TestClock.adjust("1500 millis")
      expect(seen.at(-1)).toBe(1)
      expect((yield* Fiber.join(loading)).slots).toBe(1)
    })
  )

  it.scoped("speaks at its rate, and stops when it is interrupted", () =>
    Effect.gen(function* () {
      const model = yield* loadWith(layerScripted({ tokensPerS: 10, tokens: 1000 }))
      let said = 0
      const answer = yield* Effect.forkScoped(ask(model, { input: plain("go"), onToken: () => said++ }))
      yield* TestClock.adjust("1 second")
      expect(said).toBe(10)
      yield* TestClock.adjust("2 seconds")
      expect(said).toBe(30)
      yield* Fiber.interrupt(answer)
      yield* TestClock.adjust("5 seconds")
      expect(said).toBe(30)
      expect((yield* Effect.flip(ask(model, { input: plain("") }))).code).toBe("INVALID_REQUEST")
    })
  )

  it.scoped("says its script, and the slower of two rates holds", () =>
    Effect.gen(function* () {
      const script = { text: (index: number) => `${index},`, tokens: 5, tokensPerS: 100 }
      const model = yield* loadWith(layerScripted(script), { maxTokensPerS: 1 })
      const answer = yield* Effect.forkScoped(ask(model, { input: plain("go") }))
      yield* TestClock.adjust("6 seconds")
      const said = yield* Fiber.join(answer)
      expect(said.text).toBe("0,1,2,3,4,")
      expect(said).toMatchObject({ finishReason: "stop", completionTokens: 6, totalMs: 6000 })
    })
  )
})
