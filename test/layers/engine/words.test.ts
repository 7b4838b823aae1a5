/** What the bundled model's vocabulary tells of texts and tokens, in its real process. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { Vocabularies } from "../../../src/layers/runtimes/llama/vocabularies.ts"
import type { TextQuestion } from "../../../src/machines/vocabulary/model.ts"
import { HARD_TEXTS } from "../../support/texts.ts"
import { ask as askModel, loadWith, MINILLAMA } from "./ask.ts"

const vocabularies = new Vocabularies()
const ask = (question: TextQuestion, file = MINILLAMA) => vocabularies.read(file, question, { gpu: "cpu" })
const tokenize = (question: Omit<Extract<TextQuestion, { ask: "tokenize" }>, "ask">) =>
  Effect.map(ask({ ask: "tokenize", ...question }), ({ tokens = [] }) => tokens)

describe("A vocabulary without its weights", () => {
  it.effect("gives back the text of its tokens", () =>
    Effect.gen(function* () {
      const texts = HARD_TEXTS.filter((text) => !text.includes("\u2581"))
      const back = yield* Effect.forEach(texts, (content) =>
        Effect.gen(function* () {
          const tokens = yield* tokenize({ content, parse_special: false })
          return (yield* ask({ ask: "detokenize", tokens })).content
        })
      )
      expect(back).toEqual(texts)
    })
  )

  it.effect("takes texts and tokens by turns, and begins as a prompt does where that is asked", () =>
    Effect.gen(function* () {
      const [hello, you] = [yield* tokenize({ content: "hello" }), yield* tokenize({ content: "you" })]
      expect(yield* tokenize({ content: ["hello", 7, "you"] })).toEqual([...hello, 7, ...you])
      const begun = yield* tokenize({ content: "hello", add_special: true })
      expect(begun).toEqual([1, ...hello])
      expect(yield* tokenize({ content: [1, "hello"], add_special: true })).toEqual(begun)
    })
  )

  it.effect("reads what a control token is called as that token, unless it is to be text", () =>
    Effect.gen(function* () {
      expect(yield* tokenize({ content: "<|im_end|>" })).toHaveLength(1)
      expect((yield* tokenize({ content: "<|im_end|>", parse_special: false })).length).toBeGreaterThan(1)
    })
  )

  it.effect("tells each token's text, or its bytes where they are no whole character", () =>
    Effect.gen(function* () {
      const { pieces = [] } = yield* ask({ ask: "tokenize", content: "hi 🐝", with_pieces: true })
      const bytes = pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : Buffer.from(piece)))
      expect(Buffer.concat(bytes).toString().trim()).toBe("hi 🐝")
      expect(pieces).toContainEqual([0xf0])
    })
  )

  it.scopedLive("tells what a prompt of tokens is answered as the text is", () =>
    Effect.gen(function* () {
      const model = yield* loadWith(layerLlama({ gpu: "cpu" }))
      const tokens = yield* tokenize({ content: "once upon a time", add_special: true })
      const text = yield* askModel(model, { input: { _tag: "Prompt", prompt: "once upon a time" }, maxTokens: 12 })
      const same = yield* askModel(model, { input: { _tag: "Tokens", tokens }, maxTokens: 12 })
      expect([same.ids, same.promptTokens]).toEqual([text.ids, tokens.length])
      const refused = yield* Effect.flip(askModel(model, { input: { _tag: "Tokens", tokens: [1, 999_999] } }))
      expect(refused).toMatchObject({
        code: "INVALID_REQUEST",
        details: { field: "prompt", tokens: expect.any(Number) }
      })
    })
  )

  it.effect("has no token beyond its last one", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ask({ ask: "detokenize", tokens: [1, 999_999_999] }))
      expect(error).toMatchObject({ code: "INVALID_REQUEST", details: { field: "tokens", tokens: expect.any(Number) } })
      const mixed = yield* Effect.flip(tokenize({ content: ["a", 999_999_999] }))
      expect(mixed).toMatchObject({ code: "INVALID_REQUEST", details: { field: "content" } })
    })
  )

  it.effect("says how its first and last token are spelt, and its chat template", () =>
    Effect.gen(function* () {
      const { about } = yield* ask({ ask: "about" })
      expect(about).toEqual({
        bos_token: "<s>",
        eos_token: "<|im_end|>",
        chat_template: expect.stringContaining("messages")
      })
    })
  )

  it.effect("of a file that is no model is refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ask({ ask: "about" }, import.meta.filename))
      expect(error.code).toBe("MODEL_INVALID")
      expect((yield* Effect.flip(ask({ ask: "about" }, "/nowhere.gguf"))).code).toBe("MODEL_INVALID")
    })
  )
})
