/** Which mutants are tried, and by which tests: pure. */
import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"

/**
 * `size` of all, evenly over the files and the lines of each: they come in this order, and every so-many-th is taken,
 * the first by the seed.
 */
export const sampled = (mutants, size, seed) => {
  if (size === undefined || size >= mutants.length) return mutants
  const step = mutants.length / size
  const first = ((seed * 0.6180339887498949) % 1) * step
  return Array.from({ length: size }, (_, index) => mutants[Math.floor(first + index * step)])
}

/** By how many imports each source is away from a test file: 1 is imported by it. */
export const distancesFrom = (test) => {
  const distances = new Map([[test, 0]])
  for (const file of distances.keys()) {
    const text = readFileSync(file, "utf8")
    for (const [, path] of text.matchAll(/ from "(\.[^"]+\.ts)"/g)) {
      const to = resolve(dirname(file), path)
      if (!distances.has(to)) distances.set(to, distances.get(file) + 1)
    }
  }
  return distances
}

/** a file that a test loads by a path it computes is as far as one that another one imports */
const computed = 2

/**
 * The tests that come to the mutant's place, those of the nearest files first, the short ones of each before the long:
 * as many as have time in `budgetMs`, at least one. What is reached as a file is loaded may be noticed by each of its tests.
 */
export const testsFor = (mutant, files, budgetMs) => {
  const reaching = files
    .map((file) => ({
      ...file,
      near: file.distances.get(resolve(mutant.file)) ?? computed,
      tests: file.tests
        .filter(({ name }) => file.reached.static[mutant.id] ?? file.reached.perTest[name]?.[mutant.id])
        .toSorted((a, b) => a.ms - b.ms)
    }))
    .filter(({ tests }) => tests.length > 0)
    .toSorted((a, b) => a.near - b.near || costOf(a) - costOf(b))
  const only = {}
  let costMs = 0
  let longestMs = 0
  let left = 0
  let fresh = false
  for (const { loadMs, path, reached, tests } of reaching)
    for (const { ms, name } of tests) {
      const more = ms + (only[path] === undefined ? loadMs : 0)
      if (costMs > 0 && costMs + more > budgetMs) {
        left += 1
        continue
      }
      costMs += more
      longestMs = Math.max(longestMs, ms)
      only[path] = [...(only[path] ?? []), name]
      fresh ||= reached.static[mutant.id] !== undefined
    }
  return {
    only,
    files: Object.keys(only),
    fresh,
    costMs,
    longestMs,
    left,
    hitLimit: 1000 + 100 * hitsOf(mutant, files)
  }
}

const costOf = ({ loadMs, tests }) => tests.reduce((sum, { ms }) => sum + ms, loadMs)

const hitsOf = ({ id }, files) => {
  let hits = 0
  for (const { reached } of files)
    for (const counts of [reached.static, ...Object.values(reached.perTest)]) hits += counts[id] ?? 0
  return hits
}

/** 95 % of samples of this size lie in it (Wilson), in percent */
export const intervalOf = (noticed, of) => {
  const z = 1.96
  const share = noticed / of
  const middle = (share + z ** 2 / (2 * of)) / (1 + z ** 2 / of)
  const half = (z * Math.sqrt((share * (1 - share)) / of + z ** 2 / (4 * of ** 2))) / (1 + z ** 2 / of)
  return [100 * (middle - half), 100 * (middle + half)]
}
