/** What the README shows is what there is. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { defaultOf, knobs, nameOf, textOf, variableOf } from "../../src/main/config/knobs.ts"

const root = new URL("../../", import.meta.url)
const readme = readFileSync(new URL("README.md", root), "utf8")
const between = (mark: string) => readme.split(`<!-- ${mark} -->\n`)[1]?.split(`<!-- /${mark} -->`)[0] ?? ""

/** The configuration table, from the one list of settings. */
const table = [
  "| key | environment | default | unit | what it is |",
  "|---|---|---|---|---|",
  ...knobs.map((knob) => {
    const value = defaultOf(knob)
    return `| \`${nameOf(knob)}\` | \`${variableOf(knob)}\` | ${value === undefined ? "unset" : `\`${textOf(value)}\``} | ${knob.unit} | ${knob.doc} |`
  })
].join("\n")

describe("the README", () => {
  it("lists every setting with its variable, unit and default", () => {
    assert.strictEqual(between("knobs").trim(), table)
  })

  it("names every dependency with its reason", () => {
    const { dependencies, optionalDependencies } = JSON.parse(
      readFileSync(new URL("package.json", root), "utf8")
    ) as Record<"dependencies" | "optionalDependencies", Record<string, string>>
    for (const name of Object.keys(dependencies)) assert.include(readme, `\`${name}\``)
    for (const name of Object.keys(optionalDependencies)) assert.match(name, /^@node-llama-cpp\//)
  })

  it("shows transcripts of the lines that the code says", () => {
    for (const mark of ["transcript:cold", "transcript:warm"]) {
      assert.include(between(mark), "[DONE]", mark)
      assert.include(between(mark), "bee-keeper: starting inference request for minillama", mark)
    }
  })
})
