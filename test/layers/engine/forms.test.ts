/** How an answer is read is told before its first token, where it may be more than text. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { hashOf, learned, templateOf } from "../../../src/layers/engine/llama/reading/learner.ts"
import type { LoadedModel } from "../../../src/layers/engine/index.ts"
import type { AnswerForm } from "../../../src/machines/dialect/answer-form.ts"
import { contentOnly, type Dialect, type LearnedDialect } from "../../../src/machines/dialect/dialect.ts"
import { shipped } from "../../../src/machines/dialect/shipped.ts"
import type { Conversation } from "../../../src/machines/vocabulary/conversation.ts"
import { plainTemplate, templates } from "../../support/dialects.ts"
import { minillama } from "../worker-launcher/programs.ts"
import { tiny } from "../../support/gguf.ts"
import { type Answered, ask, loadWith } from "./ask.ts"

const load = (chat: string, options: Parameters<typeof loadWith>[1] = {}) =>
  Effect.flatMap(
    Effect.promise(() => tiny({ chat })),
    (modelPath) => loadWith(layerLlama({ gpu: "cpu" }), { modelPath, ...options })
  )

const hello: Conversation = { messages: [{ role: "user", content: "hello" }] }
const tools = [{ name: "f" }]

/** Of the words that are tried it makes no end; of others it says them. */
const endless =
  "{% if messages[0].content == 'QUSERQ' %}{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}" +
  "{% endfor %}{% endif %}{{ messages[0].content }}"
const greedy =
  "{% set all = namespace(text='0123456789') %}{% for a in range(60) %}{% set all.text = all.text ~ all.text %}{% endfor %}"

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

/** control token 3 of the tiny models is `<|im_start|>` */
const control = { temperature: 1, topP: 1, topK: 0, seed: 3, bias: [{ token: 3, by: 8 }] }

/** What is answered by a worker that knows its model, and by one that could not learn it. */
const bothAbout = (template: string, conversation: Conversation) =>
  Effect.gen(function* () {
    const hash = hashOf(template)
    const found = yield* learned({ runtime: { gpu: "cpu" }, template }, { tries: 0 })
    const [knowing, ignorant] = yield* Effect.all([
      load(template, { learned: { template: hash, dialect: found.dialect } }),
      load(template, { learned: { template: hash, dialect: contentOnly("10 s are over") } })
    ])
    const question = { input: { _tag: "Messages", ...conversation }, maxTokens: 12, sampling: control } as const
    const forms: Array<AnswerForm> = []
    const whole = yield* ask(knowing, { ...question, onForm: (form) => forms.push(form) })
    const plain = yield* ask(ignorant, question).pipe(Effect.option)
    const goOn = (model: LoadedModel, { ids, parts }: Answered, at: number, form?: AnswerForm) =>
      ask(model, {
        ...question,
        resume: { tokenIds: ids.slice(0, at), text: parts.slice(0, at).join("") },
        ...(form === undefined ? {} : { form }),
        onForm: (form) => forms.push(form)
      })
    return { knowing, ignorant, whole, plain: Option.getOrUndefined(plain), forms, goOn }
  })

const reasoned: Conversation = {
  messages: [
    { role: "user", content: "hello" },
    { role: "assistant", content: "", tool_calls: [{ id: "1", name: "f", arguments: { a: 1 } }] },
    { role: "tool", content: "2", tool_call_id: "1" }
  ]
}

describe("an answer that another worker goes on with", () => {
  it.scopedLive("is written on in the form in which it was begun, where that worker could not learn it", () =>
    Effect.gen(function* () {
      const { forms, goOn, ignorant, whole } = yield* bothAbout(templates["an object between marks"], {
        ...reasoned,
        tools
      })
      const [form] = forms
      if (form === undefined) throw new Error("it has no form")
      expect(whole.text).toContain("<|im_start|>")
      for (const at of [1, 5, 11]) expect((yield* goOn(ignorant, whole, at, form)).parts).toEqual(whole.parts.slice(at))
      expect(forms).toEqual([form, form, form, form])
    })
  )

  it.scopedLive("stays text where it was begun as text, by a worker that could not learn more", () =>
    Effect.gen(function* () {
      const { forms, goOn, knowing, plain } = yield* bothAbout(templates["an object between marks"], hello)
      if (plain === undefined) throw new Error("it was refused")
      expect(plain.text).not.toContain("<|im_start|>")
      expect((yield* goOn(knowing, plain, 5)).parts).toEqual(plain.parts.slice(5))
      expect(forms).toHaveLength(1)
    })
  )
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

  it.scopedLive("is known beforehand of the bundled model, as it would be learned", () =>
    Effect.gen(function* () {
      const template = yield* templateOf(minillama)
      if (template === undefined) return yield* Effect.dieMessage("it has no chat template")
      const { dialect } = yield* learned({ runtime: { gpu: "cpu" }, modelPath: minillama, template }, { tries: 0 })
      expect(shipped).toEqual({ template: hashOf(template), dialect })
      const again: Array<LearnedDialect> = []
      const model = yield* loadWith(layerLlama({ gpu: "cpu" }), {
        modelPath: minillama,
        onLearned: (one) => void again.push(one)
      })
      yield* ask(model, { input: { _tag: "Messages", ...hello }, maxTokens: 1 })
      expect(again).toEqual([])
    })
  )

  it.scopedLive("is learned once: what an earlier load found is taken as it is", () =>
    Effect.gen(function* () {
      const found = yield* Deferred.make<LearnedDialect>()
      const chat = templates["a bare object"]
      yield* load(chat, { onLearned: (learned) => Deferred.unsafeDone(found, Effect.succeed(learned)) })
      const learned = yield* Deferred.await(found)
      expect(learned.dialect.tools?.form._tag).toBe("json")
      const dialect: Dialect = { ...learned.dialect, end: ["of an earlier load"] }
      const again: Array<LearnedDialect> = []
      const onLearned = (one: LearnedDialect) => void again.push(one)
      const model = yield* load(chat, { learned: { ...learned, dialect }, onLearned })
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

  it.scopedLive("is learned anew of another template than that of the earlier load", () =>
    Effect.gen(function* () {
      const found = yield* Deferred.make<LearnedDialect>()
      yield* load(templates["a bare object"], {
        learned: { template: "of another file", dialect: contentOnly("it was another") },
        onLearned: (learned) => Deferred.unsafeDone(found, Effect.succeed(learned))
      })
      expect((yield* Deferred.await(found)).dialect.tools?.form._tag).toBe("json")
    })
  )

  it.scopedLive("is text alone where a template does not end: the model is ready meanwhile, and nothing is kept", () =>
    Effect.gen(function* () {
      const again: Array<LearnedDialect> = []
      const model = yield* load(endless, { onLearned: (one) => void again.push(one) })
      const forms: Array<AnswerForm> = []
      const input = { _tag: "Messages", ...hello } as const
      yield* ask(model, { input, maxTokens: 1, onForm: (one) => forms.push(one) })
      expect(forms).toEqual([])
      expect(again).toEqual([])
      const refused = yield* Effect.flip(ask(model, { input: { ...input, tools }, maxTokens: 1 }))
      expect(refused.message).toContain("could not be learned: 10 s are over")
    })
  )

  it.live("is text alone where a template takes all memory: it ends with the process that tries it", () =>
    Effect.gen(function* () {
      const found = yield* learned({ runtime: { gpu: "cpu" }, template: greedy }, { tries: 0 })
      expect(found.dialect.why).toMatch(/could not be learned: it takes more than 1000 MB of memory/)
      expect(found.failed).toMatchObject({ broken: false })
    })
  )

  it.live("says of a template that is none what is wrong with it", () =>
    Effect.gen(function* () {
      const { dialect, failed } = yield* learned({ runtime: { gpu: "cpu" }, template: "{% for x in %}" }, { tries: 0 })
      expect(failed).toMatchObject({ broken: true })
      expect(dialect.why).toContain("could not be learned: ")
    })
  )
})
