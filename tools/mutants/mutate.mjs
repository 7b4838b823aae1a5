/**
 * `npm run mutate [-- ROOM...] [--file PATH] [--sample N --seed S] [--seconds T] [--jobs N]`: changes the source a little,
 * one change at a time, and says which changes neither a test nor the compiler has noticed. `--sample` tries N of a room,
 * evenly over its files; a mutant is tried by at most T seconds of the tests that come to it, the nearest first.
 * `--again` has what the tests come to from the last run, for a test or a file that changed little since. `--left` tries
 * what the last run of a room has left once more, with the tests that were written since, and tells of all of that run.
 * Exit code 1 where a room has too few that were noticed.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { changesOf } from "./changes.mjs"
import { noticed, report } from "./report.mjs"
import { leastScore, rooms } from "./rooms.mjs"
import { distancesFrom, sampled, testsFor } from "./selection.mjs"
import { Tests } from "./tests.mjs"
import { refused } from "./types.mjs"

const option = (fallback) => ({ type: "string", ...(fallback === undefined ? {} : { default: fallback }) })
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    file: option(),
    sample: option(),
    seed: option("1"),
    seconds: option("20"),
    jobs: option("2"),
    again: { type: "boolean" },
    left: { type: "boolean" }
  }
})
if (positionals.some((name) => rooms.every((room) => room.name !== name))) {
  process.stderr.write(
    `usage: npm run mutate [-- ROOM...] [--file PATH] [--sample N --seed S] [--seconds T] [--jobs N]\n` +
      `rooms: ${rooms.map(({ name }) => name).join(", ")}\n`
  )
  process.exit(2)
}

/** all tests of a room, each as slow as its switches make it, on a machine that does other things beside */
const firstMostMs = 3_600_000

/** All tests without a change: what each comes to, and how long it takes. `--again`: as the last run had it. */
const first = async (tests, known) => {
  const files =
    values.again && existsSync(known)
      ? JSON.parse(readFileSync(known, "utf8"))
      : await tests.run({ only: {}, fresh: true, patience: 60_000, bail: 0 }, firstMostMs)
  if (files === "timeout") throw new Error(`the tests do not end in ${firstMostMs / 60_000} minutes`)
  writeFileSync(known, JSON.stringify(files))
  for (const { error, failed, path, tests: all } of files) {
    if (!failed) continue
    const first = all.find((test) => test.failed)
    const what = first === undefined ? error : `${first.name}: ${first.error}`
    process.stderr.write(`fails without a change as well: ${path} ${what}\n`)
  }
  return files
    .filter(({ reached }) => reached !== undefined)
    .map((file) => ({
      ...file,
      tests: file.tests.filter(({ failed }) => !failed),
      distances: distancesFrom(file.path)
    }))
}

const orderOf = (mutant, { costMs, files, fresh, hitLimit, longestMs, only }) => ({
  order: { mutant, only, files, fresh, hitLimit, bail: 1, patience: 4000 + 5 * longestMs },
  limitMs: 15_000 + 3 * costMs
})

const outcomeOf = (files) =>
  files === "timeout" ? "timeout" : files.some(({ failed }) => failed) ? "killed" : "survived"

/**
 * Takes mutants from the queue until it is empty. Now and then it runs tests without a change: where those fail, what an
 * earlier change left behind is the reason, and all since the last time are tried again in a new process.
 */
const tryAll = async (tests, queue, files, budgetMs, tell) => {
  let since = []
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const chosen = testsFor(mutant, files, budgetMs)
    mutant.left = chosen.left
    if (chosen.files.length === 0) mutant.outcome = "unreached"
    else {
      const { limitMs, order } = orderOf(mutant.id, chosen)
      mutant.outcome = outcomeOf(await tests.run(order, limitMs))
      since.push(mutant)
    }
    tell(mutant)
    if (since.length < 30 && queue.length > 0) continue
    const { limitMs, order } = orderOf("none", testsFor(since.at(-1) ?? mutant, files, budgetMs))
    const clean = order.files.length === 0 || outcomeOf(await tests.run(order, limitMs)) === "survived"
    if (!clean) {
      process.stderr.write(`${since.length} mutants tried again: tests fail without a change\n`)
      tests.stop()
      queue.push(...since.filter(({ again }) => again === undefined).map((one) => Object.assign(one, { again: true })))
    }
    since = []
  }
}

/** What is tried of those that were asked for, and what an earlier run has settled. */
const chosen = (asked, last) => {
  if (!values.left)
    return { tried: sampled(asked, values.sample && Number(values.sample), Number(values.seed)), settled: [] }
  const before = JSON.parse(readFileSync(last, "utf8"))
  const left = new Set(before.filter((mutant) => !noticed(mutant)).map(({ id }) => id))
  return { tried: asked.filter(({ id }) => left.has(id)), settled: before.filter(noticed) }
}

const runRoom = async (room) => {
  const began = Date.now()
  mkdirSync(".mutants", { recursive: true })
  const last = `.mutants/${room.name}.json`
  const changes = resolve(`.mutants/${room.name}-changes.json`)
  const { mutants, sources } = await changesOf((path) => room.source.test(path))
  writeFileSync(changes, JSON.stringify(sources))
  const asked = mutants.filter(({ file }) => values.file === undefined || file.startsWith(values.file))
  const { settled, tried } = chosen(asked, last)
  const workers = Array.from(
    { length: Number(values.jobs) },
    () => new Tests({ changes, tests: room.tests, without: room.without })
  )
  try {
    const files = await first(workers[0], `.mutants/${room.name}-tests.json`)
    process.stderr.write(`${room.name}: ${tried.length} mutants of ${asked.length}, ${files.length} test files\n`)
    // those for which the modules are made anew come last
    const isFresh = ({ id }) => files.some(({ reached }) => reached.static[id] !== undefined)
    const queue = [...tried.filter((mutant) => !isFresh(mutant)), ...tried.filter(isFresh)]
    const tell = ({ column, file, line, outcome }) =>
      process.stderr.write(`${String(queue.length).padStart(5)} ${outcome.padEnd(9)} ${file}:${line}:${column}\n`)
    await Promise.all(workers.map((tests) => tryAll(tests, queue, files, 1000 * Number(values.seconds), tell)))
  } finally {
    for (const tests of workers) tests.stop()
  }
  const types = refused(
    tried.filter((mutant) => !noticed(mutant)),
    `.mutants/${room.name}-types`
  )
  for (const mutant of tried) if (types.has(mutant.id)) mutant.outcome = "types"
  const all = [...settled, ...tried]
  writeFileSync(last, JSON.stringify(all, null, 1))
  process.stdout.write(`${report(room.name, asked.length, all, (Date.now() - began) / 1000)}\n`)
  return all.filter(noticed).length / all.length
}

for (const room of rooms.filter(({ name }) => positionals.length === 0 || positionals.includes(name)))
  if ((await runRoom(room)) * 100 < leastScore) process.exitCode = 1
