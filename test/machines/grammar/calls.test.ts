/** Whatever a constrained answer says folds into calls of declared tools whose arguments satisfy their schemas. */
import { beforeAll, describe, expect, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import * as Either from "effect/Either"
import type { Addon } from "../../../src/layers/engine/llama/addon.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import type { Dialect } from "../../../src/machines/dialect/dialect.ts"
import { messageOf } from "../../../src/machines/dialect/meaning.ts"
import { constraintOf, type Wishes } from "../../../src/machines/grammar/answer/constraint.ts"
import type { Tool } from "../../../src/machines/vocabulary/conversation.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import { SeededRandom } from "../../../src/simulator/world/kernel/random.ts"
import { deriver } from "../../support/derive.ts"
import { dialectOf, type Form, templates } from "../../support/dialects.ts"

const search: Tool = {
  name: "search",
  parameters: {
    type: "object",
    properties: {
      query: { type: "string", minLength: 1, maxLength: 20 },
      limit: { type: "integer", minimum: 1, maximum: 50 },
      exact: { type: "boolean" },
      tags: { type: "array", items: { type: "string", enum: ["a", "<b>", 'c"'] }, maxItems: 3 },
      where: { type: "object", properties: { city: { type: ["string", "null"], maxLength: 5 } }, required: ["city"] },
      mode: { enum: ["fast", "good"] }
    },
    required: ["query", "limit"],
    additionalProperties: false
  }
}
const stop: Tool = { name: "stop", parameters: { type: "object", properties: {}, additionalProperties: false } }
const tools = [search, stop]
const ajv = new Ajv2020({ strict: false })
const valid = new Map(tools.map(({ name, parameters }) => [name, ajv.compile(parameters ?? {})]))

let addon: Addon
const forms = Object.keys(templates) as ReadonlyArray<Form>
beforeAll(async () => {
  ;({ addon } = await loadRuntime({ gpu: "cpu" }))
})

const grammarOf = (wishes: Wishes, dialect: Dialect, prompt = "<|begin|>assistant"): string =>
  Either.getOrThrow(constraintOf({ wishes, dialect, prompt, ends: dialect.end })) ?? ""
const read = (text: string, dialect: Dialect, declared = tools, prompt = "<|begin|>assistant") =>
  messageOf({ jobId: JobId.make("job-1"), form: { dialect, prompt }, tools: declared }, text)

/** What is wrong with what the grammar lets through. */
const wrongWith = (wishes: Wishes, form: Form, most: number, seed = 1): ReadonlyArray<string> => {
  const dialect = dialectOf(form)
  const grammar = grammarOf(wishes, dialect)
  const derive = deriver(grammar, new SeededRandom(seed))
  const acceptor = new addon.AddonGrammar(grammar, { addonExports: addon, rootRuleName: "root" })
  return Array.from({ length: 40 }, derive).flatMap((text) => {
    if (!acceptor.isTextCompatible(text)) return [`derived what is no text: ${text}`]
    const { content, tool_calls: calls = [] } = read(text, dialect)
    if (calls.length === 0 || calls.length > most) return [`${calls.length} calls: ${text}`]
    if (content.trim() !== "") return [`content ${content}: ${text}`]
    return calls.flatMap(({ arguments: args, name }) => {
      const isValid = valid.get(name)
      try {
        return isValid?.(JSON.parse(args)) === true ? [] : [`${args} of ${text}`]
      } catch {
        return [`no JSON: ${args} of ${text}`]
      }
    })
  })
}

describe.each(forms)("%s", (form) => {
  it("required: calls and nothing else, their arguments satisfy their schemas", () => {
    expect(wrongWith({ tools, tool_choice: "required" }, form, 64)).toEqual([])
  })
  it("one by name, and no second", () => {
    const wishes: Wishes = { tools, tool_choice: { name: "search" }, parallel_tool_calls: false }
    expect(wrongWith(wishes, form, 1, 2)).toEqual([])
  })
  it("auto: a call that is begun satisfies a strict tool's schema, and text stays text", () => {
    const strict = tools.map((tool) => ({ ...tool, strict: true }))
    const dialect = dialectOf(form)
    const acceptor = new addon.AddonGrammar(grammarOf({ tools: strict }, dialect), {
      addonExports: addon,
      rootRuleName: "root"
    })
    expect(acceptor.isTextCompatible("Hello, what can I do for you?\nNothing {}.")).toBe(true)
    const derive = deriver(grammarOf({ tools: strict, tool_choice: "required" }, dialect), new SeededRandom(3))
    const text = derive()
    expect([text, acceptor.isTextCompatible(text)]).toEqual([text, true])
    const broken = text.replace(/search|stop/, "other")
    expect([broken, acceptor.isTextCompatible(broken)]).toEqual([broken, false])
  })
})
