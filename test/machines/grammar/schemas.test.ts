/** What a schema's grammar lets through satisfies the schema, and what satisfies it in its order is let through. */
import { isIPv4, isIPv6 } from "node:net"
import { beforeAll, expect, test } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import * as Either from "effect/Either"
import type { Addon } from "../../../src/layers/engine/llama/addon.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import { grammarOfSchema } from "../../../src/machines/grammar/schema/schema.ts"
import { SeededRandom } from "../../../src/simulator/world/kernel/random.ts"
import { deriver } from "../../support/derive.ts"
import { isWhole } from "../../support/proof.ts"
import { drawSchema } from "../../support/schemas.ts"

let addon: Addon
beforeAll(async () => {
  ;({ addon } = await loadRuntime({ gpu: "cpu" }))
})

const isDate = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && isSameDay(text, new Date(`${text}T00:00:00Z`))
const isSameDay = (text: string, day: Date): boolean =>
  !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text
const isTime = (text: string): boolean =>
  /^\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(`2000-01-01T${text}`))
const ajv = new Ajv2020({
  strict: false,
  formats: {
    date: isDate,
    time: isTime,
    "date-time": (text: string) => isDate(text.slice(0, 10)) && text.charAt(10) === "T" && isTime(text.slice(11)),
    uuid: /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i,
    ipv4: isIPv4,
    ipv6: isIPv6,
    email: /^[^@\s]+@[a-z\d-]+(\.[a-z\d-]+)+$/i
  }
})

/** What is wrong with the schema of this number. */
const wrongWith = (seed: number): string | undefined => {
  const random = new SeededRandom(seed)
  const { schema, value } = drawSchema(random)
  const made = grammarOfSchema(schema, "schema")
  if (Either.isLeft(made)) return `refused: ${made.left.message} ${JSON.stringify(schema)}`
  const grammar = new addon.AddonGrammar(made.right, { addonExports: addon, rootRuleName: "root" })
  const isValid = ajv.compile(schema as object)
  for (let count = 0; count < 3; count++) {
    const given = value()
    for (const indent of [0, 2]) {
      const text = JSON.stringify(given, undefined, indent)
      if (!isValid(JSON.parse(text))) return `the test drew no instance: ${text} of ${JSON.stringify(schema)}`
      if (!grammar.isTextCompatible(text)) return `not let through: ${text} of ${JSON.stringify(schema)}`
    }
  }
  const derive = deriver(made.right, random)
  for (let count = 0; count < 6; count++) {
    const text = derive()
    if (!grammar.isTextCompatible(text)) return `the test derived what is no text: ${text} of ${JSON.stringify(schema)}`
    if (!isValid(JSON.parse(text)))
      return `let through: ${text} of ${JSON.stringify(schema)} (${ajv.errorsText(isValid.errors)})`
  }
  return undefined
}

test("What is let through validates, and instances are let through", async () => {
  const wrong: Array<string> = []
  for (let seed = 0; seed < (isWhole ? 2000 : 100); seed++) {
    // who runs the tests is to hear of this one now and then
    await new Promise((resolve) => setImmediate(resolve))
    wrong.push(...[wrongWith(seed)].filter((one) => one !== undefined))
  }
  expect(wrong.slice(0, 5)).toEqual([])
}, 300_000)
