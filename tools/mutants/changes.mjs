/**
 * All changes of a room's sources, each behind a switch: the source with its switches takes the place of the file in
 * every process that runs tests, and which one is on is said there (tried.mjs). No file is written.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Instrumenter } from "@stryker-mutator/instrumenter"

const silent = { debug() {}, info() {}, warn() {}, isDebugEnabled: () => false }

/** XState reads no value of `setup({ types: … })`. */
const chartTypes = {
  shouldIgnore: ({ node, parentPath }) =>
    node.type === "ObjectProperty" && node.key.name === "types" && parentPath?.parent?.callee?.name === "setup"
      ? "types alone"
      : undefined
}

/** `{ sources: { path: text with switches }, mutants: [{ id, file, line, column, from, to, what }] }` */
export const changesOf = async (where) => {
  const files = readdirSync("src", { recursive: true })
    .map((path) => join("src", path))
    .filter((path) => path.endsWith(".ts") && where(path))
    .toSorted()
  const texts = new Map(files.map((file) => [file, readFileSync(file, "utf8")]))
  const made = await new Instrumenter(silent).instrument(
    files.map((name) => ({ name, mutate: true, content: texts.get(name) })),
    { plugins: [], excludedMutations: [], ignorers: [chartTypes] }
  )
  return {
    sources: Object.fromEntries(made.files.map(({ content, name }) => [resolve(name), content])),
    mutants: made.mutants
      .filter(({ status }) => status === undefined)
      .map(({ fileName, id, location, mutatorName, replacement }) => ({
        id,
        file: fileName,
        line: location.start.line + 1,
        column: location.start.column + 1,
        range: rangeOf(texts.get(fileName), location),
        what: mutatorName,
        to: replacement
      }))
  }
}

/** where in the text the change is, first and after last */
const rangeOf = (text, { end, start }) => {
  const lines = text.split("\n")
  const offset = ({ column, line }) => lines.slice(0, line).reduce((sum, { length }) => sum + length + 1, column)
  return [offset(start), offset(end)]
}
