/** docs/security.md names a test behind each line that is held. */
import { existsSync, readFileSync } from "node:fs"
import { expect, it } from "vitest"

const page = readFileSync("docs/security.md", "utf8")

it("names only tests that are there", () => {
  const named = [...page.matchAll(/`(test\/[^`]+)`/g)].map(([, file]) => file ?? "")
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((file) => !existsSync(file))).toEqual([])
})

it("has a test, or the reason why there is none, behind each line of its tables", () => {
  const rows = page
    .split("\n")
    .filter((line) => /^\| (?!who|anybody|the |a )/.test(line) && line.split("|").length === 4)
  const bare = rows.filter((row) => !/`test\/|`npm run fuzz`|none|by construction|\| Test \|/.test(row))
  expect(bare).toEqual([])
})
