/** How an answer is read is told before its first token, where it may be more than text. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import type { AnswerForm } from "../../../src/machines/dialect/answer-form.ts"
import type { Dialect } from "../../../src/machines/dialect/dialect.ts"
import type { Conversation } from "../../../src/machines/vocabulary/conversation.ts"
import { plainTemplate, templates } from "../../support/dialects.ts"
import { tiny } from "../../support/gguf.ts"
import { ask, loadWith } from "./ask.ts"

const load = (chat: string, options: Parameters<typeof loadWith>[1] = {}) =>
  Effect.flatMap(
    Effect.promise(() => tiny({ chat })),
    (modelPath) => loadWith(layerLlama({ gpu: "cpu" }), { modelPath, ...options })
  )

const hello: Conversation = { messages: [{ role: "user", content: "hello" }] }
const tools = [{ name: "f" }]

const told = (chat: string, conversation: Conversation) =>
  Effect.gen(function* () {
    const model = yield* load(chat)
    const events: Array<AnswerForm | "token"> = []
    yield* ask(model, {
      input: { _tag: "Messages", ...conversation },
      maxTokens: 3,
      ignoreEos: true,
      onForm: (form) => void events.push(form),
      onToken: () => void events.push("token")
    })
    return events
  })

describe("the form of an answer", () => {
  it.scopedLive("is the dialect of the model's template and the end of the prompt, before the first token", () =>
    Effect.gen(function* () {
      const [form, ...rest] = yield* told(templates["an element an argument"], { ...hello, tools })
      expect(form).toMatchObject({ dialect: { tools: { form: { _tag: "elements" } }, reasoning: { open: "<think>" } } })
      expect(form).toHaveProperty("prompt", expect.stringMatching(/<\|im_start\|>assistant\n<think>\n$/))
      expect(rest).toEqual(["token", "token", "token"])
    })
  )

  it.scopedLive("is told without tools too where the model reasons", () =>
    Effect.gen(function* () {
      const [form] = yield* told(templates["keys and values"], hello)
      expect(form).toHaveProperty("dialect.reasoning.close", "</think>")
    })
  )

  it.scopedLive("is not told where an answer can be nothing but text", () =>
    Effect.gen(function* () {
      expect(yield* told(plainTemplate, hello)).toEqual(["token", "token", "token"])
      expect(yield* told(templates["a bare object"], { ...hello, tools, tool_choice: "none" })).not.toContainEqual(
        expect.objectContaining({ dialect: expect.anything() })
      )
    })
  )

  it.scopedLive("is learned once: what an earlier load found is taken as it is", () =>
    Effect.gen(function* () {
      const found = yield* Deferred.make<Dialect>()
      const chat = templates["a bare object"]
      yield* load(chat, { onDialect: (dialect) => Deferred.unsafeDone(found, Effect.succeed(dialect)) })
      const learned = yield* Deferred.await(found)
      expect(learned.tools?.form._tag).toBe("json")
      const dialect: Dialect = { ...learned, end: ["of an earlier load"] }
      const again: Array<Dialect> = []
      const model = yield* load(chat, { dialect, onDialect: (one) => void again.push(one) })
      const forms: Array<AnswerForm> = []
      yield* ask(model, {
        input: { _tag: "Messages", ...hello, tools },
        maxTokens: 1,
        onForm: (one) => forms.push(one)
      })
      expect(forms.map((form) => form.dialect)).toEqual([dialect])
      expect(again).toEqual([])
    })
  )
})
