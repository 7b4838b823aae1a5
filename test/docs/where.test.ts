/** "Where is …?" of CONTRIBUTING.md: each file is there and defines what is named. */
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"

const rows = [...readFileSync("CONTRIBUTING.md", "utf8").matchAll(/^\| *(.*?) *\| `(src\/[^`]+)` *\| `(\w+)` *\|$/gm)]

it("at least ten questions are answered, each by at most three files", () => {
  const files: Array<number> = []
  for (const [, question = ""] of rows) {
    if (question.trim() !== "") files.push(0)
    files[files.length - 1] = (files.at(-1) ?? 0) + 1
  }
  expect(files.length).toBeGreaterThanOrEqual(10)
  expect(Math.max(...files)).toBeLessThanOrEqual(3)
})

it.each(rows.map(([, , file = "", name = ""]) => ({ file, name })))("$name is defined in $file", ({ file, name }) => {
  const definition = new RegExp(`(?:\\b(?:const|class|interface|function) |^ {2}(?:readonly )?)${name}\\b`, "m")
  expect(readFileSync(file, "utf8")).toMatch(definition)
})
