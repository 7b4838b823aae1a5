/**
 * A process that runs tests: vitest, kept warm from one mutant to the next. Told `{ mutant, only, files, … }` by the
 * program, it answers what became of the tests. It is started as CI is (`CI=1`): no snapshot is written.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import { createVitest } from "vitest/node"

const { changes, tests, without } = JSON.parse(process.argv[2])
const sources = JSON.parse(readFileSync(changes, "utf8"))

// vitest ends its threads after each run, where all that lives in them is to be new. Ours may live: the modules are made
// anew for each file (tried.mjs), and what the libraries have loaded need not be.
const vitestRequire = createRequire(fileURLToPath(import.meta.resolve("vitest/node")))
const { default: Tinypool } = await import(pathToFileURL(vitestRequire.resolve("tinypool")).href)
Tinypool.prototype.recycleWorkers = async () => {}

/** Nearest first, as the program has them. */
class AsGiven {
  shard = (files) => files
  sort = (files) => files
}

const vitest = await createVitest(
  "test",
  {
    config: false,
    watch: false,
    include: tests,
    exclude: without,
    setupFiles: [fileURLToPath(new URL("tried.mjs", import.meta.url))],
    pool: "threads",
    poolOptions: { threads: { isolate: false } },
    fileParallelism: false,
    sequence: { sequencer: AsGiven },
    cache: false,
    bail: 1,
    hookTimeout: 60_000,
    reporters: [{}]
  },
  { plugins: [{ name: "changes", enforce: "pre", load: (id) => sources[id.split("?")[0]] }] }
)

const testsOf = (task) => (task.type === "test" ? [task] : task.tasks.flatMap(testsOf))
const nameOf = ({ name, suite }) => (suite === undefined ? name : `${nameOf(suite)} > ${name}`)

const run = async ({ bail, files, fresh, hitLimit, mutant, only, patience }) => {
  vitest.state.filesMap.clear()
  vitest.state.errorsSet.clear()
  vitest.config.bail = bail
  // here and not by `vi.setConfig`: that one knows the configuration of the thread's first run alone
  vitest.config.testTimeout = patience
  vitest.provide("tried", { fresh, hitLimit, mutant, only })
  const all = await vitest.globTestSpecifications()
  const chosen = files ?? all.map(({ moduleId }) => moduleId)
  const byPath = new Map(all.map((spec) => [spec.moduleId, spec]))
  await vitest.runTestSpecifications(chosen.map((path) => byPath.get(path)))
  return vitest.state.getFiles().map((file) => ({
    path: file.filepath,
    failed: file.result?.state === "fail",
    error: file.result?.errors?.[0]?.message,
    loadMs: file.collectDuration ?? 0,
    reached: file.meta.reached,
    tests: testsOf(file).flatMap((test) =>
      test.result === undefined || test.mode === "skip"
        ? []
        : [
            {
              name: nameOf(test),
              failed: test.result.state === "fail",
              ms: test.result.duration ?? 0,
              error: test.result.errors?.[0]?.message
            }
          ]
    )
  }))
}

process.on("message", (order) => {
  run(order).then(
    (files) => process.send({ files }),
    (error) => process.send({ broken: String(error?.stack ?? error) })
  )
})
process.on("disconnect", () => process.exit())
process.send({ ready: true })
