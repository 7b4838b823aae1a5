/** What the README shows is what there is. */
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { shown } from "../support/transcript.ts"

const root = new URL("../../", import.meta.url)
const readme = readFileSync(new URL("README.md", root), "utf8")

describe("the README", () => {
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
})

it("the README says that not every worker is exact, and leads to which are", () => {
  const [, anchor = ""] = /\[which workers are exact\]\(docs\/design\.md#([\w-]+)\)/.exec(readme) ?? []
  const design = readFileSync(new URL("docs/design.md", root), "utf8")
  const headings = [...design.matchAll(/^## (.+)$/gm)].map(([, heading = ""]) =>
    heading.toLowerCase().replaceAll(" ", "-")
  )
  assert.include(headings, anchor)
  const table = design.slice(design.indexOf("| the worker is |"))
  for (const row of ["| exact |", "| not exact |"]) assert.include(table, row)
})

it("the quick start shows what a cold and a warm start say", () => {
  for (const mark of ["transcript:cold", "transcript:warm"]) {
    const lines = shown("docs/quickstart.md", mark)
    assert.include(lines, "[DONE]", mark)
    assert.include(lines, "bee-keeper: starting inference request for minillama", mark)
  }
})
