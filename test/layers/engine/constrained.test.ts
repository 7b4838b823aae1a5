/** Answers that are held to a form: on the bundled model, and on weights that know nothing at all. */
import { describe, expect, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import * as Effect from "effect/Effect"
import type { GenerateRequest } from "../../../src/layers/engine/index.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import type { ResponseFormat } from "../../../src/machines/vocabulary/conversation.ts"
import { model, TINY } from "../../support/gguf.ts"
import type { AnswerForm } from "../../../src/machines/dialect/answer-form.ts"
import { messageOf } from "../../../src/machines/dialect/meaning.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import { templates } from "../../support/dialects.ts"
import { type Answered, ask, GREEDY, loadWith, type Question } from "./ask.ts"

const layer = layerLlama({ gpu: "cpu" })
const SEEDED = { temperature: 1.5, topP: 1, topK: 0, seed: 42 }

const schema = {
  type: "object",
  properties: {
    name: { type: "string", minLength: 2, maxLength: 12 },
    age: { type: "integer", minimum: 0, maximum: 130 },
    'likes "it"': { type: "array", items: { enum: ["a\n", "é", "c"] }, minItems: 1, maxItems: 3 },
    size: { type: ["number", "null"], minimum: 0.5, maximum: 2 }
  },
  required: ["name", "age", 'likes "it"'],
  additionalProperties: false
}
const isValid = new Ajv2020({ allowUnionTypes: true }).compile(schema)
const format: ResponseFormat = { type: "json_schema", schema }
const asked = (response_format: ResponseFormat = format): GenerateRequest["input"] => ({
  _tag: "Messages",
  messages: [{ role: "user", content: "Who are you?" }],
  response_format
})

describe.each([
  ["greedy", GREEDY],
  ["sampled", SEEDED]
])("%s", (_, sampling) => {
  it.scopedLive(
    "an answer satisfies its schema, and is the same wherever it was cut",
    () =>
      Effect.gen(function* () {
        const loaded = yield* loadWith(layer, { slots: 2, threads: 1 })
        const question = { input: asked(), sampling, maxTokens: 300 }
        const whole = yield* ask(loaded, question)
        expect([whole.text, whole.finishReason]).toEqual([whole.text, "stop"])
        expect([whole.text, isValid(JSON.parse(whole.text))]).toEqual([whole.text, true])
        for (let cut = 1; cut < whole.ids.length; cut++) {
          const text = whole.parts.slice(0, cut).join("")
          const rest = yield* ask(loaded, { ...question, resume: { tokenIds: whole.ids.slice(0, cut), text } })
          expect(text + rest.text, `cut at ${cut}`).toBe(whole.text)
        }
      }),
    60_000
  )
})

describe("Weights that know nothing", () => {
  it.scopedLive(
    "satisfy a schema all the same",
    () =>
      Effect.gen(function* () {
        const modelPath = yield* Effect.promise(() => model({ ...TINY, context: 2048, type: "q8_0" }))
        const loaded = yield* loadWith(layer, { modelPath, slots: 2, threads: 1 })
        for (let seed = 0; seed < 25; seed++) {
          const answer: Answered = yield* ask(loaded, { input: asked(), sampling: { ...SEEDED, seed } })
          expect([seed, answer.text, answer.finishReason]).toEqual([seed, answer.text, "stop"])
          expect([seed, answer.text, isValid(JSON.parse(answer.text))]).toEqual([seed, answer.text, true])
        }
      }),
    60_000
  )
})

const tool = {
  name: "search",
  parameters: {
    type: "object",
    properties: {
      query: { type: "string", minLength: 1, maxLength: 12 },
      limit: { type: "integer", minimum: 1, maximum: 50 },
      tags: { type: "array", items: { type: "string", maxLength: 4 }, maxItems: 2 }
    },
    required: ["query", "limit"],
    additionalProperties: false
  }
}
const fits = new Ajv2020().compile(tool.parameters)
const forms = [
  "an object between marks",
  "a name and its object",
  "an element an argument",
  "quotes of its own"
] as const

describe.each(forms)("A model that must call, and writes %s", (form) => {
  it.scopedLive(
    "calls, with arguments that satisfy the schema, and the same wherever it was cut",
    () =>
      Effect.gen(function* () {
        const modelPath = yield* Effect.promise(() =>
          model({ ...TINY, context: 2048, type: "q8_0", chat: templates[form] })
        )
        const loaded = yield* loadWith(layer, { modelPath, slots: 2, threads: 1 })
        for (let seed = 0; seed < 5; seed++) {
          const forms: Array<AnswerForm> = []
          const question: Question = {
            input: {
              _tag: "Messages",
              messages: [{ role: "user", content: "Find it." }],
              tools: [tool],
              tool_choice: "required",
              parallel_tool_calls: false,
              reasoning: "off"
            },
            sampling: { ...SEEDED, seed },
            onForm: (told) => void forms.push(told)
          }
          const whole = yield* ask(loaded, question)
          const [answerForm] = forms
          if (answerForm === undefined) throw new Error("the engine did not say how the answer is read")
          const { tool_calls: calls = [] } = messageOf(
            { jobId: JobId.make("job-1"), form: answerForm, tools: [tool] },
            whole.text
          )
          expect([whole.text, calls.map(({ name }) => name)]).toEqual([whole.text, ["search"]])
          expect([whole.text, fits(JSON.parse(calls[0]?.arguments ?? ""))]).toEqual([whole.text, true])
          const cut = 1 + ((seed * 7) % (whole.ids.length - 1))
          const text = whole.parts.slice(0, cut).join("")
          const resume = { tokenIds: whole.ids.slice(0, cut), text }
          const rest = yield* ask(loaded, { ...question, resume, form: answerForm })
          expect(text + rest.text, `cut at ${cut}`).toBe(whole.text)
        }
      }),
    60_000
  )
})

describe("Its end", () => {
  it.scopedLive("is where the form ends, though the end of text is to be ignored; or where no token is left", () =>
    Effect.gen(function* () {
      const loaded = yield* loadWith(layer, { slots: 1 })
      const only = asked({ type: "json_schema", schema: { const: "yes" } })
      const ended = yield* ask(loaded, { input: only, ignoreEos: true, maxTokens: 50 })
      expect([ended.text.trim(), ended.finishReason]).toEqual(['"yes"', "stop"])
      const short = yield* ask(loaded, { input: asked(), maxTokens: 3 })
      expect(short.finishReason).toBe("length")
    })
  )
  it.scopedLive("a JSON object is one", () =>
    Effect.gen(function* () {
      const loaded = yield* loadWith(layer, { slots: 1 })
      const answer = yield* ask(loaded, { input: asked({ type: "json_object" }), sampling: SEEDED, maxTokens: 200 })
      expect(answer.text.trim()).toMatch(/^\{/)
      if (answer.finishReason === "stop") JSON.parse(answer.text)
    })
  )
})
