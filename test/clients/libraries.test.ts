/** Libraries with tools in a loop: the page's programs as they stand, each with two rounds of calls. */
import { assert, describe, it } from "vitest"
import { useScripted } from "../support/scripted/cluster.ts"
import { isWhole } from "../support/proof.ts"
import { areInstalled, program } from "./programs.ts"

const scripted = useScripted()

const asked = [
  "think: Two cities.",
  "say: Let me see.",
  'call: get_weather {"city":"Paris"}',
  'call: get_weather {"city":"Rome"}',
  "---",
  'call: get_weather {"city":"Oslo"}',
  "---",
  "say: It is {{results}}."
].join("\n")
const answer = "It is sunny in Paris, sunny in Rome, sunny in Oslo."

const libraries: ReadonlyArray<readonly [string, ...ReadonlyArray<string>]> = [
  ["openai"],
  ["ai-sdk", "compatible"],
  ["ai-sdk", "openai"],
  ["ai-sdk", "anthropic"],
  ["anthropic"],
  ["ollama"],
  ["langchain"]
]

describe.runIf(isWhole && areInstalled)("a library", () => {
  it.each(libraries)("%s %s loops with tools", async (name, ...args) => {
    const ran = await program(await scripted(), name, asked, ...args)
    assert.strictEqual(ran.code, 0, ran.stderr)
    assert.include(ran.stdout.replaceAll(/\s+/g, " "), answer)
  })
})
