/** Which mutants `npm run mutate` tries, and by which tests (tools/mutants). */
import { resolve } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { intervalOf, sampled, testsFor } from "../../tools/mutants/selection.mjs"

const testFile = (path: string, near: number, tests: Record<string, number>, reached: ReadonlyArray<string>) => ({
  path,
  loadMs: 100,
  tests: Object.entries(tests).map(([name, ms]) => ({ name, ms })),
  distances: new Map([[resolve("src/a.ts"), near]]),
  reached: { static: {}, perTest: Object.fromEntries(reached.map((name) => [name, { "7": 1 }])) }
})
const mutant = { id: "7", file: "src/a.ts" }

describe("a sample of mutants", () => {
  const all = [..."aaaaaaaabbbbcccc"].map((file, index) => ({ file, index }))

  it("has of each file as large a part", () => {
    const files = sampled(all, 4, 3).map(({ file }) => file)
    assert.deepStrictEqual(files, ["a", "a", "b", "c"])
  })

  it("is another one for another seed, and the same for the same", () => {
    assert.deepStrictEqual(sampled(all, 4, 1), sampled(all, 4, 1))
    assert.notDeepEqual(sampled(all, 4, 1), sampled(all, 4, 2))
  })

  it("has no mutant twice, and is all of them where so many are asked for", () => {
    assert.strictEqual(new Set(sampled(all, 15, 5)).size, 15)
    assert.deepStrictEqual(sampled(all, 16, 5), all)
  })
})

describe("a mutant is tried", () => {
  it("by the tests that come to it, and by no others", () => {
    const { only } = testsFor(mutant, [testFile("t", 1, { one: 5, two: 5 }, ["two"])], 1000)
    assert.deepStrictEqual(only, { t: ["two"] })
  })

  it("by those of the file nearest to it first, in each the shortest first", () => {
    const far = testFile("far", 3, { one: 1 }, ["one"])
    const near = testFile("near", 1, { long: 50, short: 5 }, ["long", "short"])
    const { files, only } = testsFor(mutant, [far, near], 1000)
    assert.deepStrictEqual(files, ["near", "far"])
    assert.deepStrictEqual(only["near"], ["short", "long"])
  })

  it("by as many as there is time for, and it says how many are left", () => {
    const { left, only } = testsFor(mutant, [testFile("t", 1, { long: 500, short: 5 }, ["long", "short"])], 300)
    assert.deepStrictEqual(only, { t: ["short"] })
    assert.strictEqual(left, 1)
  })

  it("by one at least, however long that takes", () => {
    const { only } = testsFor(mutant, [testFile("t", 1, { long: 500 }, ["long"])], 10)
    assert.deepStrictEqual(only, { t: ["long"] })
  })
})

it("a score of a sample has the interval that the share of the whole is in", () => {
  const [low, high] = intervalOf(255, 300)
  assert.closeTo(low, 80.5, 0.1)
  assert.closeTo(high, 88.6, 0.1)
})
