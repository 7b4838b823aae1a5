/**
 * `npm run where -- queen.cjs:231:1021 …`: the source of places in the programs, as stack traces tell them, where this is
 * the source that they were built of.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { SourceMap } from "node:module"
import { tmpdir } from "node:os"
import { join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { programsInto } from "./build.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const places = process.argv.slice(2).map((place) => /([a-z]+\.cjs):(\d+):(\d+)/.exec(place))
if (places.length === 0 || places.includes(null)) {
  process.stderr.write("usage: npm run where -- queen.cjs:LINE:COLUMN …\n")
  process.exit(2)
}
const folder = mkdtempSync(join(tmpdir(), "rbee-where-"))
try {
  await programsInto(relative(root, folder), { sourcemap: "external" })
  for (const [place, program, line, column] of places) {
    const map = new SourceMap(JSON.parse(readFileSync(join(folder, `${program}.map`), "utf8")))
    const { originalColumn, originalLine, originalSource } = map.findEntry(Number(line) - 1, Number(column) - 1)
    const source = relative(root, resolve(folder, originalSource))
    process.stdout.write(`${place}  ${source}:${originalLine + 1}:${originalColumn + 1}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
