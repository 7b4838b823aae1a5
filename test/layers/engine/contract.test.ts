/** What every engine keeps, whatever makes its words. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { layerScripted } from "../../../src/layers/engine/scripted.ts"
import { ask, chat, loadWith, plain, user } from "./ask.ts"
import { builtServer, layerOf } from "../../support/built-server.ts"
import { eventually } from "../../support/machine.ts"

/** llama.cpp's own server, where it is built (`npm run peer`). */
const server = builtServer()
const engines = [
  ...(server === undefined ? [] : [{ name: "llama.cpp's server", layer: layerOf(server) }]),
  { name: "llama.cpp", layer: layerLlama({ gpu: "cpu" }) },
  { name: "the script", layer: layerScripted({ tokens: 90, context: 512, burst: 4 }) }
]

/** at least twenty places of an answer of `length` tokens, both ends among them */
const cuts = (length: number): ReadonlyArray<number> => {
  const step = Math.max(1, Math.floor(length / 24))
  return [...new Set([...Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step), length])]
}

const STORY = user("Tell me a story about a fox.")

describe.each(engines)("$name", ({ layer }) => {
  const load = (options: Parameters<typeof loadWith>[1] = {}) => loadWith(layer, options)

  it.scopedLive("loads with progress that only grows and ends at one", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const model = yield* load({ slots: 3, onProgress: (fraction) => seen.push(fraction) })
      expect(seen.at(-1)).toBe(1)
      expect(seen.toSorted((a, b) => a - b)).toEqual(seen)
      expect(new Set(seen).size).toBe(seen.length)
      expect(model.slots).toBe(3)
      expect(model.context).toBe(512)
      expect(model.backend).toBe("CPU")
    })
  )

  it.scopedLive("calls its reader once a token and counts what it called", () =>
    Effect.gen(function* () {
      const model = yield* load()
      const answer = yield* ask(model, { input: STORY })
      expect(answer.finishReason).toBe("stop")
      expect(answer.completionTokens).toBe(answer.ids.length)
      expect(answer.promptTokens).toBeGreaterThan(0)
      expect(answer.totalMs).toBeGreaterThanOrEqual(answer.promptMs)
      expect(answer.text).not.toBe("")
      expect(model.progress()).toBeGreaterThan(0)
    })
  )

  it.scopedLive("ends after max_tokens with length", () =>
    Effect.gen(function* () {
      const model = yield* load()
      const whole = yield* ask(model, { input: STORY })
      const short = yield* ask(model, { input: STORY, maxTokens: 7 })
      expect(short.finishReason).toBe("length")
      expect(short.completionTokens).toBe(7)
      expect(short.ids).toEqual(whole.ids.slice(0, 7))
      expect(whole.text.startsWith(short.text)).toBe(true)
    })
  )

  it.scopedLive("decodes past the end of the text when told to", () =>
    Effect.gen(function* () {
      const model = yield* load()
      const whole = yield* ask(model, { input: STORY })
      const on = yield* ask(model, { input: STORY, ignoreEos: true, maxTokens: whole.completionTokens + 20 })
      expect(on.finishReason).toBe("length")
      expect(on.completionTokens).toBe(whole.completionTokens + 20)
      expect(on.ids.slice(0, whole.ids.length)).toEqual(whole.ids)
    })
  )

  it.scopedLive("stops at a stop string wherever it lies, and lets nothing of it out", () =>
    Effect.gen(function* () {
      const model = yield* load()
      const whole = yield* ask(model, { input: STORY })
      // across several tokens, within one, at the very beginning
      for (const [from, length] of [
        [20, 9],
        [33, 2],
        [0, 3]
      ] as const) {
        const stop = whole.text.slice(from, from + length)
        const answer = yield* ask(model, { input: STORY, stop: ["never said by anyone", stop] })
        expect([answer.finishReason, answer.stopSequence]).toEqual(["stop", stop])
        expect(answer.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)))
      }
    })
  )

  it.scopedLive("gives out what it held back when no stop string comes after all", () =>
    Effect.gen(function* () {
      const model = yield* load()
      const whole = yield* ask(model, { input: STORY })
      const stop = `${whole.text.slice(-6)} and then some`
      const answer = yield* ask(model, { input: STORY, stop: [stop] })
      expect(answer.text).toBe(whole.text)
      const short = yield* ask(model, { input: STORY, maxTokens: 9 })
      const held = yield* ask(model, { input: STORY, maxTokens: 9, stop: [`${short.text.slice(-3)} never`] })
      expect(held.text).toBe(short.text)
    })
  )

  it.scopedLive("continues an answer from its tokens, from any cut, as if it had never stopped", () =>
    Effect.gen(function* () {
      const model = yield* load({ slots: 2 })
      const stop = ["zebra crossing", "meadow", "the"]
      for (const question of [{ input: STORY }, { input: STORY, stop }]) {
        const whole = yield* ask(model, question)
        for (const cut of cuts(whole.ids.length)) {
          const before = { tokenIds: whole.ids.slice(0, cut), text: whole.parts.slice(0, cut).join("") }
          const rest = yield* ask(model, { ...question, resume: before })
          expect(rest.ids).toEqual(whole.ids.slice(cut))
          expect(before.text + rest.text).toBe(whole.text)
          expect(rest.finishReason).toBe(whole.finishReason)
          expect(rest.completionTokens).toBe(whole.ids.length - cut)
          expect(rest.promptTokens).toBe(whole.promptTokens)
        }
      }
    })
  )

  it.scopedLive("counts resumed tokens towards max_tokens", () =>
    Effect.gen(function* () {
      const model = yield* load()
      const whole = yield* ask(model, { input: STORY, maxTokens: 12 })
      const resume = { tokenIds: whole.ids.slice(0, 8), text: whole.parts.slice(0, 8).join("") }
      const rest = yield* ask(model, { input: STORY, maxTokens: 12, resume })
      expect(rest.ids).toEqual(whole.ids.slice(8))
      expect(rest.finishReason).toBe("length")
      const none = yield* ask(model, { input: STORY, maxTokens: 8, resume })
      expect(none).toMatchObject({ finishReason: "length", completionTokens: 0, text: "" })
    })
  )

  it.scopedLive("gives only the text that the reader of a resumed answer lacks", () =>
    Effect.gen(function* () {
      const model = yield* load()
      const whole = yield* ask(model, { input: STORY, maxTokens: 20 })
      const tokenIds = whole.ids.slice(0, 10)
      const text = whole.parts.slice(0, 10).join("").slice(0, -2)
      const rest = yield* ask(model, { input: STORY, maxTokens: 20, resume: { tokenIds, text } })
      expect(text + rest.text).toBe(whole.text)
    })
  )

  it.scopedLive("refuses a prompt that does not fit, with both lengths", () =>
    Effect.gen(function* () {
      const model = yield* load()
      const error = yield* Effect.flip(ask(model, { input: user("bee ".repeat(1500)) }))
      expect(error.code).toBe("INVALID_REQUEST")
      expect(error.details["context"]).toBe(512)
      const length = error.details["prompt_tokens"]
      expect(length).toBeGreaterThan(1499)
      expect(error.message).toContain(String(length))
      expect(error.message).toContain("512")
      // the slot was never taken
      expect((yield* ask(model, { input: STORY, maxTokens: 1 })).completionTokens).toBe(1)
    })
  )

  it.scopedLive("ends with length where its slot's context ends", () =>
    Effect.gen(function* () {
      const model = yield* load({ context: 64 })
      expect(model.context).toBe(64)
      const answer = yield* ask(model, { input: STORY, ignoreEos: true })
      expect(answer.finishReason).toBe("length")
      expect(answer.promptTokens + answer.completionTokens).toBe(64)
      const long = yield* ask(model, { input: STORY, ignoreEos: true, maxTokens: 1_000_000 })
      expect(long.ids).toEqual(answer.ids)
    })
  )

  it.scopedLive("tells an answer that has outgrown its context from one that is as long as it was to be", () =>
    Effect.gen(function* () {
      const model = yield* load({ context: 64 })
      const full = { context: 64, trained: 512 }
      const story = { input: STORY, ignoreEos: true }
      const answer = yield* ask(model, story)
      expect(answer.outgrown).toEqual(full)
      expect((yield* ask(model, { ...story, maxTokens: answer.completionTokens + 1 })).outgrown).toEqual(full)
      expect((yield* ask(model, { ...story, maxTokens: answer.completionTokens })).outgrown).toBeUndefined()
      expect((yield* ask(yield* load(), story)).outgrown).toBeUndefined()
      // a queen that has lost her place asks the same worker again
      const resume = { tokenIds: answer.ids, text: answer.text }
      expect(yield* ask(model, { ...story, resume })).toMatchObject({ completionTokens: 0, outgrown: full })
    })
  )

  it.scopedLive("goes on in a larger context where a smaller one was full, as if it had never been", () =>
    Effect.gen(function* () {
      const story = { input: STORY, ignoreEos: true, maxTokens: 60 }
      const whole = yield* ask(yield* load(), story)
      const first = yield* ask(yield* load({ context: 64 }), story)
      const rest = yield* ask(yield* load(), { ...story, resume: { tokenIds: first.ids, text: first.text } })
      expect([...first.ids, ...rest.ids]).toEqual(whole.ids)
      expect(first.text + rest.text).toBe(whole.text)
    })
  )

  it.scopedLive("is not outgrown where the text that is out may begin a stop string", () =>
    Effect.gen(function* () {
      const model = yield* load({ context: 64 })
      const story = { input: STORY, ignoreEos: true }
      const { text } = yield* ask(model, story)
      const held = yield* ask(model, { ...story, stop: [`${text.slice(-3)} never`] })
      expect(held.text).toBe(text)
      expect(held.outgrown).toBeUndefined()
      const resume = { tokenIds: held.ids, text }
      expect((yield* ask(model, { ...story, stop: [`${text.slice(-3)} never`], resume })).outgrown).toBeUndefined()
    })
  )

  it.scopedLive("decodes as many answers at once as it has slots, and refuses one more", () =>
    Effect.gen(function* () {
      const model = yield* load({ slots: 3 })
      const order: Array<number> = []
      const begun = yield* Deferred.make<void>()
      const answers = yield* Effect.forkScoped(
        Effect.all(
          [0, 1, 2].map((who) =>
            ask(model, {
              input: STORY,
              maxTokens: 60,
              onToken: () => {
                if (order.push(who) === 3) Deferred.unsafeDone(begun, Effect.void)
              }
            })
          ),
          { concurrency: "unbounded" }
        )
      )
      yield* Deferred.await(begun)
      const error = yield* Effect.flip(ask(model, { input: STORY }))
      expect(error.code).toBe("ALL_SLOTS_BUSY")
      expect(error.details["slots"]).toBe(3)
      const [first, second, third] = yield* Fiber.join(answers)
      expect(second?.text).toBe(first?.text)
      expect(third?.text).toBe(first?.text)
      // together, not one after the other: each had spoken before any had ended
      const lastOf = (who: number): number => order.lastIndexOf(who)
      for (const who of [0, 1, 2]) {
        expect(order.indexOf(who)).toBeLessThan(Math.min(lastOf(0), lastOf(1), lastOf(2)))
      }
      // and the slots are free again
      yield* Effect.all([ask(model, { input: STORY, maxTokens: 2 }), ask(model, { input: STORY, maxTokens: 2 })], {
        concurrency: "unbounded"
      })
    })
  )

  it.scopedLive("stops an interrupted answer, says nothing more, and frees its slot", () =>
    Effect.gen(function* () {
      const model = yield* load()
      for (let round = 0; round < 5; round++) {
        let said = 0
        const spoke = yield* Deferred.make<void>()
        const answer = yield* Effect.forkScoped(
          ask(model, {
            input: STORY,
            ignoreEos: true,
            onToken: () => {
              if (++said === 5) Deferred.unsafeDone(spoke, Effect.void)
            }
          })
        )
        yield* Deferred.await(spoke)
        yield* Fiber.interrupt(answer)
        const then = said
        const next = yield* ask(model, { input: STORY, maxTokens: 30 })
        expect(next.completionTokens).toBe(30)
        expect(said).toBe(then)
        expect(said).toBeLessThan(400)
      }
    })
  )

  it.scopedLive("keeps the cache of a slot for the next turn of its conversation", () =>
    Effect.gen(function* () {
      const model = yield* load({ slots: 2 })
      // its self-test, which is told of once, takes the cells of a slot that is free
      yield* Effect.promise(() => eventually(() => model.exactness() !== undefined, "the self-test is over"))
      // what is new has 64 tokens and more: llama.cpp reads so many of a prompt at once, and less of it again each time
      const question = { role: "user", content: `What is a queen? ${"Tell me all about bees. ".repeat(12)}` } as const
      const first = yield* ask(model, { input: chat(question) })
      expect(first.cachedTokens).toBe(0)
      const other = yield* ask(model, { input: plain("Nothing alike") })
      expect(other.cachedTokens).toBeLessThan(first.promptTokens)
      const turn = chat(
        question,
        { role: "assistant", content: first.text },
        { role: "user", content: "And flowers? ".repeat(20) }
      )
      const second = yield* ask(model, { input: turn })
      expect(second.cachedTokens).toBeGreaterThanOrEqual(first.promptTokens - 1)
      expect(second.cachedTokens).toBeLessThan(second.promptTokens)
    })
  )

  it.scopedLive("loses only the answer of a reader that throws", () =>
    Effect.gen(function* () {
      const model = yield* load({ slots: 2 })
      const whole = yield* ask(model, { input: STORY })
      const bad = {
        input: STORY,
        onToken: () => {
          throw new Error("reader broke")
        }
      }
      const [failed, fine] = yield* Effect.all([Effect.flip(ask(model, bad)), ask(model, { input: STORY })], {
        concurrency: "unbounded"
      })
      expect(failed.code).toBe("INTERNAL")
      expect(fine.text).toBe(whole.text)
    })
  )

  it.scopedLive("keeps to the pace that it is given", () =>
    Effect.gen(function* () {
      const model = yield* load({ slots: 2, maxTokensPerS: 200 })
      const [one, two] = yield* Effect.all(
        [ask(model, { input: STORY, maxTokens: 41 }), ask(model, { input: STORY })],
        {
          concurrency: "unbounded"
        }
      )
      // 40 intervals of 5 ms; a busy machine may be slower and is never faster
      expect(one.totalMs - one.promptMs).toBeGreaterThan(190)
      expect(two.totalMs - two.promptMs).toBeGreaterThan((two.completionTokens - 1) * 5 - 10)
    })
  )
})
