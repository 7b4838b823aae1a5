/**
 * `npm run mutate [-- ROOM...] [--file GLOB]`: changes the source a little, one change at a time, and says which changes
 * no test has noticed (Stryker, in a copy of the tree). Exit code 1 where a room has too few that were.
 */
import { parseArgs } from "node:util"
import { Stryker } from "@stryker-mutator/core"
import { leastScore, rooms } from "./mutants.mjs"

const { positionals, values } = parseArgs({ allowPositionals: true, options: { file: { type: "string" } } })
const chosen = rooms.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
if (positionals.some((name) => rooms.every((room) => room.name !== name))) {
  process.stderr.write(
    `usage: npm run mutate [-- ROOM...] [--file GLOB]\nrooms: ${rooms.map(({ name }) => name).join(", ")}\n`
  )
  process.exit(2)
}

for (const { name, source } of chosen) {
  // read by test/mutants/vitest.config.ts, in the processes that run the tests
  process.env.RBEE_MUTANTS = name
  await new Stryker({
    testRunner: "vitest",
    // tests of the core load it by a path that is computed: what is related to what cannot be read off the imports
    vitest: { configFile: "test/mutants/vitest.config.ts", related: false },
    mutate: values.file === undefined ? source : [values.file],
    coverageAnalysis: "perTest",
    concurrency: 2,
    reporters: ["clear-text", "json"],
    clearTextReporter: { logTests: false, reportTests: false, allowColor: false },
    jsonReporter: { fileName: `.mutants/${name}.json` },
    thresholds: { high: 95, low: leastScore, break: leastScore },
    tempDirName: ".mutants/tmp",
    ignorePatterns: ["dist", ".ci", ".mutants"],
    disableTypeChecks: false,
    // the compiler is its native build, which has no API for Stryker to rewrite the configuration with
    tsconfigFile: "none.json",
    allowConsoleColors: false
  }).runMutationTest()
}
