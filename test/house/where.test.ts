/** The programs are built with short names; what a stack trace of theirs tells is found in the source all the same. */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"

/** Words of the source; the programs' lines are short, and some are cut where they stand. */
const words = [...readFileSync("src/protocol/hive.ts", "utf8").matchAll(/summary: "([^"]{20,})"/g)].map(
  ([, one = ""]) => one
)

it("finds a place of a program in its source", () => {
  const lines = readFileSync("dist/hive.cjs", "utf8").split("\n")
  const said = words.find((each) => lines.some((text) => text.includes(each))) ?? ""
  const line = lines.findIndex((text) => text.includes(said))
  const place = `hive.cjs:${line + 1}:${(lines[line] ?? "").indexOf(said) + 1}`
  const { stdout } = spawnSync(process.execPath, ["tools/where.mjs", `    at f (${place})`], { encoding: "utf8" })
  const [, source = "", at] = /^hive\.cjs\S+ {2}(\S+?):(\d+):\d+$/m.exec(stdout) ?? []
  expect(readFileSync(source, "utf8").split("\n")[Number(at) - 1]).toContain(said)
})
