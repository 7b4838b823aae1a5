/**
 * Answers by a schema, as libraries ask for them: on the bundled model, and on one whose weights know nothing, where the
 * grammar alone carries it.
 */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { templates } from "../support/dialects.ts"
import { model, TINY } from "../support/gguf.ts"
import type { Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { isWhole } from "../support/proof.ts"
import { areInstalled, program } from "./programs.ts"

const machine = useMachines(afterAll)
let on: Machine
const models = new Map([["the bundled model", "minillama"]])

const libraries: ReadonlyArray<readonly [string, ...ReadonlyArray<string>]> = [
  ["openai-parse"],
  ["ai-sdk-object", "compatible"],
  ["ai-sdk-object", "openai"],
  ["ai-sdk-object", "anthropic"]
]

const isPerson = (value: unknown): boolean => {
  const { age, name, tags } = value as { readonly age: number; readonly name: string; readonly tags: Array<string> }
  return (
    [...name].length <= 20 &&
    Number.isInteger(age) &&
    age >= 0 &&
    age <= 130 &&
    tags.length <= 3 &&
    tags.every((tag) => ["small", "large"].includes(tag))
  )
}

it.runIf(process.env["RBEE_OFFLINE"] === "1")("nothing leads out of here", async () => {
  const failed = await fetch("http://192.0.2.1/").then(
    () => "",
    (error: Error) => String(error.cause)
  )
  assert.include(failed, "ENETUNREACH")
})

describe.runIf(isWhole && areInstalled)("an object by a schema", () => {
  beforeAll(async () => {
    // it does not reason: what such weights think comes to no end
    const nothing = await model({ ...TINY, context: 2048, type: "q8_0", chat: templates["objects in a section"] })
    models.set("weights that know nothing", `file:${nothing}`)
    on = await machine({})
    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
  }, 60_000)

  describe.each(["the bundled model", "weights that know nothing"])("of %s", (name) => {
    // the bundled model was not made for tools, by which this library asks
    const fitting = libraries.filter(([, way]) => way !== "anthropic" || name !== "the bundled model")
    it.each(fitting)("comes to %s %s", { timeout: 120_000 }, async (recipe, ...args) => {
      const cluster = { machine: on, queenUrl: on.queenUrl, model: models.get(name) ?? "" }
      for (let seed = 0; seed < 3; seed++) {
        const ran = await program(cluster, recipe, `Who are you, number ${seed}?`, ...args)
        assert.strictEqual(ran.code, 0, ran.stderr)
        // a library says before it what it takes the model for
        const [last = ""] = ran.stdout.trimEnd().split("\n").slice(-1)
        assert.isTrue(isPerson(JSON.parse(last)), ran.stdout)
      }
    })
  })
})
