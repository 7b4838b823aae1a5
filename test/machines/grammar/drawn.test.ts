/**
 * A grammar is the same text as before: who goes on with an answer makes it anew, perhaps by a newer program, and has to
 * be where the one that began it was. What grammars let through is held by the tests beside this one. `-u` draws the
 * sums anew, which is for whoever means to change grammars.
 */
import { createHash } from "node:crypto"
import * as Either from "effect/Either"
import { expect, it } from "vitest"
import { constraintOf, type Wishes } from "../../../src/machines/grammar/answer/constraint.ts"
import { grammarOfSchema } from "../../../src/machines/grammar/schema/schema.ts"
import type { RbeeError } from "../../../src/machines/errors.ts"
import { SeededRandom } from "../../../src/simulator/world/kernel/random.ts"
import { dialectOf, type Form, templates } from "../../support/dialects.ts"
import { drawSchema } from "../../support/schemas.ts"

const sumOf = (made: Either.Either<string | undefined, RbeeError>): string => {
  if (Either.isLeft(made)) return made.left.message
  const text = made.right ?? ""
  return `${text.split("\n").length - 1} rules ${createHash("sha256").update(text).digest("hex").slice(0, 16)}`
}
const lines = (all: ReadonlyArray<readonly [string, string]>): string =>
  all.map(([name, sum]) => `${name}: ${sum}\n`).join("")

it("of schemas that are drawn", async () => {
  const all = Array.from({ length: 60 }, (_, seed) => {
    const { schema } = drawSchema(new SeededRandom(seed))
    return [`schema ${seed}`, sumOf(grammarOfSchema(schema, "schema"))] as const
  })
  await expect(lines(all)).toMatchFileSnapshot("drawn/schemas.txt")
})

const search = {
  name: "search",
  strict: true,
  parameters: {
    type: "object",
    properties: {
      query: { type: "string", minLength: 1 },
      limit: { type: "integer", minimum: 1, maximum: 50 },
      tags: { type: "array", items: { enum: ["a", "<b>", 'c"'] }, maxItems: 3 }
    },
    required: ["query"],
    additionalProperties: false
  }
}
const tools = [search, { name: "stop" }]
const wishes: Readonly<Record<string, Wishes>> = {
  "a call that is begun": { tools },
  "some call": { tools, tool_choice: "required" },
  "one call, by name": { tools, tool_choice: { name: "search" }, parallel_tool_calls: false },
  "content by a schema": { response_format: { type: "json_schema", schema: search.parameters } },
  "content or calls": { tools, response_format: { type: "json_object" } },
  "some call, without thoughts": { tools, tool_choice: "required", reasoning: "off" }
}

it.each(Object.keys(templates))("of answers with %s, by what is wished of them", async (form) => {
  const dialect = dialectOf(form as Form)
  const { open = "", close = "" } = dialect.reasoning ?? {}
  const prompts = ["<|assistant|>", ...(open === "" ? [] : [`${open}\n`, `${open}${close}\n`])]
  const all = prompts.flatMap((prompt) =>
    Object.entries(wishes).map(
      ([wish, wished]) =>
        [
          `${JSON.stringify(prompt)}, ${wish}`,
          sumOf(constraintOf({ wishes: wished, dialect, prompt, ends: dialect.end }))
        ] as const
    )
  )
  await expect(lines(all)).toMatchFileSnapshot(`drawn/${form.replaceAll(/\W+/g, "-")}.txt`)
})
