/** docs/json.md and docs/schemas say what is printed with `--json`; `npx vitest run test/docs -u` writes them anew. */
import { expect, it } from "vitest"
import { commands } from "../../src/main/cli/commands.ts"
import { fileOf, jsonSchemaOf, outputs } from "./outputs.ts"
import { filesBelow, textOf, withBlock } from "./pages.ts"

const page = "docs/json.md"
const printing = commands.map(({ spec }) => spec).filter(({ flags }) => flags.some(({ name }) => name === "json"))

it("every command that prints JSON has its schema, and no other", () => {
  expect(Object.keys(outputs).toSorted()).toEqual(printing.map(({ path }) => path.join(" ")).toSorted())
  expect(filesBelow("docs/schemas")).toEqual([...new Set(Object.keys(outputs).map(fileOf))].toSorted())
})

it.each(Object.keys(outputs))("the schema of rbee %s is written down", async (command) => {
  await expect(`${JSON.stringify(jsonSchemaOf(command), null, 1)}\n`).toMatchFileSnapshot(`../../${fileOf(command)}`)
})

it("the page lists them", async () => {
  const rows = printing.map(({ path, summary }) => {
    const command = path.join(" ")
    const form = outputs[command]?.form === "lines" ? "an object a line" : "one document"
    return `| \`rbee ${command} --json\` | ${form} | [schema](${fileOf(command).slice("docs/".length)}) | ${summary} |`
  })
  const table = ["| command | what is printed | | what it is |", "|---|---|---|---|", ...rows].join("\n")
  await expect(withBlock(textOf(page), "outputs", table)).toMatchFileSnapshot(`../../${page}`)
})
