/** What came of a run, in words: the mutants that nobody noticed, then the files, then the room. */
import { readFileSync } from "node:fs"
import { leastScore } from "./rooms.mjs"
import { intervalOf } from "./selection.mjs"

export const noticed = ({ outcome }) => outcome !== "survived" && outcome !== "unreached"

const count = (mutants, outcome) => mutants.filter((mutant) => mutant.outcome === outcome).length
const short = (text) => (text.length > 90 ? `${text.slice(0, 88)} …` : text).replaceAll(/\s+/g, " ")

const survivor = ({ column, file, left, line, outcome, range, to, what }) => {
  const from = readFileSync(file, "utf8").slice(...range)
  const tests = outcome === "unreached" ? " (no test comes here)" : left > 0 ? ` (${left} slow tests not tried)` : ""
  return `${file}:${line}:${column} ${what}${tests}\n  - ${short(from)}\n  + ${short(to)}`
}

const row = (name, mutants) =>
  [
    name.padEnd(52),
    ...["killed", "timeout", "types", "survived", "unreached"].map((outcome) =>
      String(count(mutants, outcome)).padStart(9)
    ),
    `${((100 * mutants.filter(noticed).length) / mutants.length).toFixed(1)} %`.padStart(9)
  ].join("")

export const report = (room, all, tried, seconds) => {
  const files = [...new Set(tried.map(({ file }) => file))]
  const score = (100 * tried.filter(noticed).length) / tried.length
  const [low, high] = intervalOf(tried.filter(noticed).length, tried.length)
  const sample =
    tried.length < all ? `, a sample of ${all} (95 % of such: ${low.toFixed(1)} to ${high.toFixed(1)} %)` : ""
  return [
    ...tried.filter((mutant) => !noticed(mutant)).map(survivor),
    "",
    `${"file".padEnd(52)}   killed  timeout    types survived unreached  noticed`,
    ...files.map((file) =>
      row(
        file,
        tried.filter((mutant) => mutant.file === file)
      )
    ),
    row(room, tried),
    `${room}: ${score.toFixed(1)} % of ${tried.length} mutants noticed${sample}, in ${Math.round(seconds)} s; ` +
      `at least ${leastScore} % are to be`
  ].join("\n")
}
