/** docs/troubleshooting.md says of each code of an error what to do. */
import { expect, it } from "vitest"
import { statusOf } from "../../src/machines/errors.ts"
import { rowsOf, textOf } from "./pages.ts"

const rows = rowsOf(textOf("docs/troubleshooting.md")).flatMap(([code = "", todo = ""]) =>
  /^`[A-Z_]+`$/.test(code) ? [[code.replaceAll("`", ""), todo] as const] : []
)

it("says of every code what to do, in their order", () => {
  expect(rows.map(([code]) => code)).toEqual(Object.keys(statusOf))
})

it("says something of each, and names no code that there is not", () => {
  expect(rows.filter(([, todo]) => todo.length < 8)).toEqual([])
  const named = rows.flatMap(([, todo]) => todo.match(/\b[A-Z]{3,}(?:_[A-Z]+)+\b/g) ?? [])
  const variables = /^(?:RBEE|HF|HTTPS?|NO)_/
  expect(named.filter((name) => !variables.test(name) && !Object.hasOwn(statusOf, name))).toEqual([])
})
