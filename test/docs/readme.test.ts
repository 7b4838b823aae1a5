/** What the README shows is what there is. */
import { readdirSync, readFileSync } from "node:fs"
import { dependsOnRows } from "../../src/machines/kinds/llama/exact-types.ts"
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

  it("names every package that is installed or bundled, with its reason", () => {
    const { dependencies, optionalDependencies } = JSON.parse(
      readFileSync(new URL("package.json", root), "utf8")
    ) as Record<"dependencies" | "optionalDependencies", Record<string, string>>
    const sources = readdirSync(new URL("src", root), { recursive: true, encoding: "utf8" })
    const imported = sources
      .filter((path) => /\.tsx?$/.test(path))
      .flatMap((path) => [
        ...readFileSync(new URL(`src/${path}`, root), "utf8").matchAll(
          /^(?:import|export|\}) .*from "((?:@[\w-]+\/)?[a-z][\w-]*)/gm
        )
      ])
      .map(([, name = ""]) => name)
    assert.include(imported, "xstate")
    for (const name of new Set([...Object.keys(dependencies), ...imported].filter((one) => one !== "node")))
      assert.include(readme, `\`${name}\``)
    for (const name of Object.keys(optionalDependencies)) assert.match(name, /^@node-llama-cpp\//)
  })

  it("says which answers are exact as the engine decides it, by the types of a file", () => {
    const row = (name: string) =>
      readme
        .split("\n")
        .find((line) => line.startsWith(`| ${name} | `))
        ?.split(" | ")[1] ?? ""
    const typesIn = (text: string) =>
      (text.match(/\b(I?Q\d_\w+|F16|F32)\b/g) ?? []).map((name) => name.replace(/_[SML]$/, ""))
    const number: Readonly<Record<string, number>> = {
      F32: 0,
      F16: 1,
      Q4_0: 2,
      Q5_0: 6,
      Q8_0: 8,
      Q2_K: 10,
      Q3_K: 11,
      Q4_K: 12,
      Q5_K: 13,
      Q6_K: 14,
      IQ4_NL: 20,
      IQ4_XS: 23
    }
    const byRows = (name: string) => dependsOnRows(new Set([number[name] ?? -1]))
    const [exact, not] = [typesIn(row("exact")), typesIn(row("not exact"))]
    assert.isAbove(exact.length, 4)
    assert.deepEqual(exact.filter(byRows), [])
    // Q3_K_M has tensors of Q4_K too
    assert.deepEqual(
      not.filter((name) => !byRows(name)),
      ["Q3_K"]
    )
  })

  it("shows transcripts of the lines that the code says", () => {
    for (const mark of ["transcript:cold", "transcript:warm"]) {
      assert.include(between(mark), "[DONE]", mark)
      assert.include(between(mark), "bee-keeper: starting inference request for minillama", mark)
    }
  })
})
