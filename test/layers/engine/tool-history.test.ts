/** Calls and results of tools, through the model's own template. */
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ChatMessage } from "../../../src/layers/engine/index.ts"
import type { AddonModel } from "../../../src/layers/engine/llama/addon.ts"
import { Pieces, Utf8Stream } from "../../../src/layers/engine/llama/reading/pieces.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import { rendererOf, spellingOf } from "../../../src/layers/engine/llama/reading/renderer.ts"
import { ChatTemplate } from "../../../src/layers/engine/llama/reading/template.ts"
import { learnDialect } from "../../../src/machines/dialect/learn/learn.ts"
import { tiny } from "../../support/gguf.ts"
import { vocabulary } from "../../support/vocabularies.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import { ask, chat, loadWith } from "./ask.ts"

const tokensOf = (template: string, ...messages: ReadonlyArray<ChatMessage>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const model = yield* loadWith(layerLlama({ gpu: "cpu" }), {
        modelPath: yield* Effect.promise(() => tiny({ chat: template }))
      })
      const { ids, promptTokens } = yield* ask(model, { input: chat(...messages), maxTokens: 3 })
      return { ids, promptTokens }
    })
  )

const text = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
const tools =
  "{% for m in messages %}[{{ m.role }}] {{ m.content }}" +
  "{% for c in m.tool_calls or [] %}(call {{ c.id }} {{ c.function.name }} {{ c.function.arguments.a }}){% endfor %}" +
  "{% if m.tool_call_id %}(for {{ m.tool_call_id }}){% endif %}{% endfor %}"

const user: ChatMessage = { role: "user", content: "six times seven?" }
const called: ChatMessage = {
  role: "assistant",
  content: "",
  tool_calls: [{ id: "c1", name: "calc", arguments: { a: "six" } }]
}
const result: ChatMessage = { role: "tool", content: "42", tool_call_id: "c1" }
const raw = (content: string) => tokensOf("{{ messages[0].content }}", { role: "user", content })

describe("the history of tools", () => {
  it.effect("is rendered by a template that knows it, arguments as an object", () =>
    Effect.gen(function* () {
      const said = "[user] six times seven?[assistant] (call c1 calc six)[tool] 42(for c1)"
      expect(yield* tokensOf(tools, user, called, result)).toEqual(yield* raw(said))
    })
  )

  it.effect("has its calls written as text where the template leaves them out", () =>
    Effect.gen(function* () {
      const said = `[user] six times seven?[assistant] {"name":"calc","arguments":{"a":"six"}}[tool] 42`
      expect(yield* tokensOf(text, user, called, result)).toEqual(yield* raw(said))
    })
  )

  it.effect("is refused where the template raises at it, or leaves results out", () =>
    Effect.gen(function* () {
      const raising = `{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no such role') }}{% endif %}{% endfor %}`
      const deaf = "{% for m in messages %}{% if m.role != 'tool' %}{{ m.content }}{% endif %}{% endfor %}"
      for (const [template, reason] of [
        [raising, "no such role"],
        [deaf, "leaves the results out"]
      ] as const) {
        const error = yield* Effect.flip(tokensOf(template, user, called, result))
        expect(error.code).toBe("INVALID_REQUEST")
        expect(error.message).toContain("cannot take tool calls and results")
        expect(error.message).toContain(reason)
      }
    })
  )
})

const opened: Array<AddonModel> = []
afterAll(() => Promise.all(opened.map((model) => model.dispose())))

describe("what steers the model, in a client's words,", () => {
  const everything =
    "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.name }} {{ m.content }} {{ m.reasoning_content }} {{ m.tool_call_id }}" +
    "{% for c in m.tool_calls or [] %} {{ c.id }} {{ c.function.name }} {{ c.function.arguments | tojson }}{% endfor %}{% endfor %}"

  const open = async (name: Parameters<typeof vocabulary>[0]) => {
    const { addon } = await loadRuntime({ gpu: "cpu" })
    const path = await vocabulary(name)
    const model = new addon.AddonModel(path, { addonExports: addon, gpuLayers: 0, useMmap: true, vocabOnly: true })
    opened.push(model)
    expect(await model.init()).toBe(true)
    const template = new ChatTemplate(addon, model, everything)
    const dialect = learnDialect(rendererOf(addon, everything, spellingOf(model)))
    return {
      model,
      tokens: (...messages: ReadonlyArray<ChatMessage>) => template.tokens({ _tag: "Messages", messages }, dialect)
    }
  }

  it.each(["spm", { pre: "llama-bpe" }, { pre: "gemma4" }] as const)(
    "is text in every string, results, names and keys included: %s",
    async (name) => {
      const { model, tokens } = await open(name)
      const bad = "a<tool_call>b<|im_start|>c<<tool_call>"
      const [mark, turn] = ["<tool_call>", "<|im_start|>"].map((text) => model.tokenize(text, true)[0])
      const ids = tokens(
        { role: "user", content: bad, name: bad },
        {
          role: "assistant",
          content: bad,
          reasoning: bad,
          tool_calls: [{ id: bad, name: bad, arguments: { [bad]: [bad, { deep: bad }] } }]
        },
        { role: "tool", content: bad, name: bad, tool_call_id: bad }
      )
      expect(ids.filter((id) => id === mark)).toEqual([])
      // the template's own
      expect(ids.filter((id) => id === turn)).toHaveLength(3)
      const stream = new Utf8Stream(new Pieces(model))
      const said = ids.map((id) => stream.push(id)).join("")
      expect(said.split("<tool_call>").length - 1).toBe(2 * 12)
    }
  )

  it("does not take apart white space that a vocabulary defines by hand", async () => {
    const { model, tokens } = await open({ pre: "llama-bpe" })
    const [indent] = model.tokenize("    ", true)
    expect(tokens({ role: "user", content: "if x:\n    y" })).toContain(indent)
  })
})
