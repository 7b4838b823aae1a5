/** Answers that satisfy a schema, on real processes with the bundled model, as the official client asks for them. */
import OpenAI, { BadRequestError } from "openai"
import { assert, describe, it } from "vitest"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

const schema = {
  type: "object",
  properties: {
    name: { type: "string", minLength: 1, maxLength: 20 },
    age: { type: "integer", minimum: 1, maximum: 99 },
    tags: { type: "array", items: { type: "string", enum: ["small", "large"] }, maxItems: 3 }
  },
  required: ["name", "age", "tags"],
  additionalProperties: false
}
const asked = (body: object, seed: number) => ({
  model: "minillama",
  messages: [{ role: "user" as const, content: "Who are you?" }],
  response_format: {
    type: "json_schema" as const,
    json_schema: { name: "person", strict: true, schema: { ...schema, ...body } }
  },
  seed,
  temperature: seed === 0 ? 0 : 1.5
})

describe("A schema of the answer", () => {
  it("is satisfied: parse() of the official client succeeds, whole and streamed", async () => {
    const on = await machine({})
    await on.rbee(["queen", "start"])
    const client = new OpenAI({ baseURL: `${on.queenUrl}/v1`, apiKey: "none", maxRetries: 0 })
    for (let seed = 0; seed < 4; seed++) {
      const { choices } = await client.chat.completions.parse(asked({}, seed))
      const [choice] = choices
      assert.strictEqual(choice?.finish_reason, "stop")
      const { age, name, tags } = JSON.parse(choice?.message.content ?? "")
      assert.deepEqual<unknown>(choice?.message.parsed, { name, age, tags })
      assert.isTrue(Number.isInteger(age) && age >= 1 && age <= 99 && [...name].length <= 20 && tags.length <= 3)
      const streamed = await client.chat.completions.stream(asked({}, seed)).finalContent()
      assert.strictEqual(streamed, choice?.message.content)
    }
  })

  it("that cannot be served is refused by its keyword, and nothing is woken for it", async () => {
    const on = await machine({})
    await on.rbee(["queen", "start"])
    const client = new OpenAI({ baseURL: `${on.queenUrl}/v1`, apiKey: "none", maxRetries: 0 })
    const refused = await client.chat.completions
      .create(asked({ not: { type: "null" } }, 0))
      .then(undefined, (error: unknown) => error)
    assert.instanceOf(refused, BadRequestError)
    assert.include(refused.message, "not is not supported")
    assert.strictEqual(refused.param, "response_format/schema/not")
    const workers = await fetch(`${on.queenUrl}/workers`).then((answer) => answer.text())
    assert.notInclude(workers, "minillama")
  })
})
