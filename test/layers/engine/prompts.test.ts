/** Long prompts: read beside the worker's event loop, exactly as on it, and refused unread where they cannot fit. */
import { describe, expect, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import { ChatTemplate } from "../../../src/layers/engine/llama/reading/template.ts"
import { charactersOf } from "../../../src/layers/engine/llama/reading/tokenize.ts"
import { type Read, TokenizerProcess } from "../../../src/layers/engine/llama/reading/tokenizer-process.ts"
import type { AnswerForm } from "../../../src/machines/dialect/answer-form.ts"
import { contentOnly } from "../../../src/machines/dialect/dialect.ts"
import { templates } from "../../support/dialects.ts"
import { tiny } from "../../support/gguf.ts"
import { waitUntil } from "../../../src/layers/process/signals.ts"
import { patience } from "../../support/patience.ts"
import { HARD_TEXTS, randomTexts } from "../../support/texts.ts"
import { vocabulary } from "../../support/vocabularies.ts"
import { ask, loadWith, plain, user } from "./ask.ts"

const load = (options: Parameters<typeof loadWith>[1] = {}) => loadWith(layerLlama({ gpu: "cpu" }), options)

const LONG = [...HARD_TEXTS, ...randomTexts(300, 3)].join("\n")
const dialect = contentOnly("")
const cpu = { gpu: "cpu" } as const

/** Asks a process of this vocabulary one question after the other. */
const reading = (modelPath: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new TokenizerProcess({ modelPath, runtime: cpu })),
      (process) => Effect.sync(() => process.close())
    ),
    (process) => (prompt: string) =>
      Effect.async<Read>((resume) => {
        process.ask({ ask: "tokens", input: plain(prompt), dialect, limit: 10_000_000 }, 60_000, (read) =>
          resume(Effect.succeed(read))
        )
      })
  )

const tokensOf = (read: Read): ReadonlyArray<number> => {
  return read.t === "tokens" ? Array.from(read.tokens) : []
}

describe("the tokenizer's process", () => {
  for (const kind of ["spm", "spm with a space before", "rwkv", "llama-bpe", "tekken", "gemma4"] as const) {
    it.scopedLive(`gives the tokens of the whole text: ${kind}`, () =>
      Effect.gen(function* () {
        const known = kind === "spm" || kind === "spm with a space before" || kind === "rwkv"
        const path = yield* Effect.promise(() => vocabulary(known ? kind : { pre: kind }))
        const { addon } = yield* Effect.promise(() => loadRuntime(cpu))
        const model = new addon.AddonModel(path, { addonExports: addon, gpuLayers: 0, useMmap: true, vocabOnly: true })
        yield* Effect.promise(() => model.init())
        const read = yield* reading(path)
        const tokens = tokensOf(yield* read(LONG))
        const bos = model.shouldPrependBosToken() && model.tokenBos() >= 0 ? [model.tokenBos()] : []
        expect(tokens).toEqual([...bos, ...model.tokenize(LONG, true)])
        yield* Effect.promise(() => model.dispose())
      })
    )
  }

  it.scopedLive("reads a run of letters that overflows a worker's stack, and outlives one that overflows its own", () =>
    Effect.gen(function* () {
      const read = yield* reading(yield* Effect.promise(() => vocabulary({ pre: "gpt-4o" })))
      expect(tokensOf(yield* read("a".repeat(200_000))).length).toBe(200_000)
      const broken = yield* read("a".repeat(4_000_000))
      expect(broken).toEqual({ t: "lost", reason: "SIGSEGV" })
      expect(tokensOf(yield* read("and on")).length).toBeGreaterThan(0)
    })
  )

  it.scopedLive("says why it cannot read at all", () =>
    Effect.gen(function* () {
      const read = yield* reading("/nowhere.gguf")
      expect(yield* read("hello")).toEqual({ t: "broken", reason: "the vocabulary cannot be loaded" })
    })
  )
})

describe("a long prompt", () => {
  it.scopedLive("that cannot fit is refused unread, with its bytes and the context's", () =>
    Effect.gen(function* () {
      const model = yield* load()
      const error = yield* Effect.flip(ask(model, { input: user("hello ".repeat(3_500_000)) }))
      expect(error).toMatchObject({ code: "INVALID_REQUEST", details: { prompt_bytes: 21_000_000, context: 512 } })
      expect(error.message).toContain("maximum context length is 512 tokens")
      expect(error.message).toContain("21000000 bytes")
      expect(error.details["prompt_tokens"]).toBeGreaterThan(512)
    })
  )

  it.scopedLive("that has too many tokens is counted and refused", () =>
    Effect.gen(function* () {
      const model = yield* load({ modelPath: yield* Effect.promise(() => tiny({ context: 4096 })) })
      const error = yield* Effect.flip(ask(model, { input: user("a b ".repeat(2500)) }))
      expect(error.details["prompt_tokens"]).toBeGreaterThan(9999)
      expect(error.message).toContain("maximum context length is 4096 tokens")
    })
  )

  it.scopedLive("spells out the control tokens in its words as a short one does", () =>
    Effect.gen(function* () {
      const model = yield* load({ modelPath: yield* Effect.promise(() => tiny({ context: 16_384 })) })
      const tokens = (words: string) =>
        Effect.map(ask(model, { input: user(words), maxTokens: 1 }), ({ promptTokens }) => promptTokens)
      // words of one token a letter, so that each repetition costs the same
      const frame = (yield* tokens("X<|im_end|>X")) - 2 * ((yield* tokens("XX")) - (yield* tokens("X")))
      const x = (yield* tokens("XX")) - (yield* tokens("X"))
      expect(yield* tokens(`${"X".repeat(9000)}<|im_end|>X`)).toBe(frame + 9001 * x)
    })
  )

  it.scopedLive("has its tools told and its answer's form as a short one does", () =>
    Effect.gen(function* () {
      const chat = templates["an element an argument"]
      const model = yield* load({ modelPath: yield* Effect.promise(() => tiny({ context: 65_536, chat })) })
      const asked = (letters: number) =>
        Effect.gen(function* () {
          const forms: Array<AnswerForm> = []
          const tools = [{ name: "f", description: "X".repeat(letters) }]
          const input = { _tag: "Messages", messages: [{ role: "user", content: "hello" }], tools } as const
          const { promptTokens } = yield* ask(model, { input, maxTokens: 1, onForm: (form) => void forms.push(form) })
          return { promptTokens, forms }
        })
      const [one, two, long] = [yield* asked(1), yield* asked(2), yield* asked(9000)]
      expect(long.promptTokens).toBe(one.promptTokens + 8999 * (two.promptTokens - one.promptTokens))
      expect(long.forms).toHaveLength(1)
      expect(long.forms[0]?.dialect).toEqual(one.forms[0]?.dialect)
      expect(long.forms[0]?.prompt).toMatch(/assistant\n<think>\n$/)
    })
  )

  it.scopedLive("does not hold its neighbours up, and gives its slot back when it is cancelled unread", () =>
    Effect.gen(function* () {
      const modelPath = yield* Effect.promise(() => tiny({ context: 600_000 }))
      const model = yield* load({ modelPath, slots: 2, context: 600_000 })
      const long = yield* Effect.fork(ask(model, { input: user("a b c ".repeat(500_000)) }))
      for (let i = 0; i < 5; i++) {
        const answer = yield* ask(model, { input: user("hello"), maxTokens: 20 })
        expect(answer.completionTokens).toBeGreaterThan(0)
      }
      expect(Option.isNone(yield* Fiber.poll(long))).toBe(true)
      yield* Fiber.interrupt(long)
      const both = [ask(model, { input: user("a"), maxTokens: 2 }), ask(model, { input: user("b"), maxTokens: 2 })]
      expect((yield* Effect.all(both, { concurrency: 2 })).length).toBe(2)
    })
  )

  it.scopedLive(
    "of 20 MB is read while beats fire and neighbours' tokens come, and nothing of it on this event loop",
    () =>
      Effect.gen(function* () {
        const readHere = vi.spyOn(ChatTemplate.prototype, "tokens")
        yield* Effect.addFinalizer(() => Effect.sync(() => readHere.mockRestore()))
        // one of which 20 MB could be a prompt
        const modelPath = yield* Effect.promise(() => tiny({ context: 10_000_000 }))
        const model = yield* load({ modelPath, slots: 2, context: 4096 })
        const long = yield* Effect.fork(ask(model, { input: user("a b c ".repeat(3_500_000)) }))
        // it has been asked
        yield* Effect.yieldNow()
        const seen = { beats: 0, tokens: 0 }
        const beating = setInterval(() => seen.beats++, 10)
        yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(beating)))
        const onToken = (): void => void seen.tokens++
        const neighbour = yield* Effect.fork(
          ask(model, { input: user("hello"), ignoreEos: true, maxTokens: 3000, onToken })
        )
        yield* Effect.promise(() => waitUntil(() => seen.beats >= 20 && seen.tokens >= 100, patience(10_000)))
        expect(Option.isNone(yield* Fiber.poll(long))).toBe(true)
        expect(seen.beats).toBeGreaterThanOrEqual(20)
        expect(seen.tokens).toBeGreaterThanOrEqual(100)
        expect(readHere).toHaveBeenCalled()
        expect(Math.max(...readHere.mock.calls.map(([input]) => charactersOf(input)))).toBeLessThan(10_000)
        yield* Effect.all([Fiber.interrupt(long), Fiber.interrupt(neighbour)])
      })
  )
})
