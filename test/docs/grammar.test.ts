/** Every `rbee` of every block of commands is taken by the CLI's own grammar, also where it is not run. */
import { existsSync } from "node:fs"
import { expect, it } from "vitest"
import { problemOf } from "./grammar.ts"
import { beginsWith, callsIn, elsewhere, shellBlocks } from "./shell.ts"

const naming = shellBlocks.filter(({ text }) => /(?:^|[\s|&;("])rbee [a-z-]/m.test(text.replaceAll(/#.*$/gm, "")))

it.each(naming)("the calls of rbee in $page are those of its grammar: $text", async ({ text }) => {
  const calls = callsIn(text)
  expect(calls.length).toBeGreaterThan(0)
  const wrong = await Promise.all(calls.map(async (words) => [words.join(" "), await problemOf(words)] as const))
  expect(wrong.filter(([, problem]) => problem !== undefined)).toEqual([])
})

it("a mistyped command, flag or value in a page would be found", async () => {
  for (const script of ["rbee modles ls", "rbee up --forground", "echo hello | rbee infer --temperature 5 | cat"]) {
    const [words = []] = callsIn(script)
    expect(await problemOf(words)).toBeTypeOf("string")
  }
})

it("at most 15 blocks are run by nobody, each with its reason", () => {
  const unrun = shellBlocks.flatMap(({ fate }) => (fate.runs === "nowhere" ? [fate.reason] : []))
  expect(unrun.length).toBeLessThanOrEqual(15)
  expect(unrun.filter((reason) => reason.length < 10)).toEqual([])
})

it("what is run elsewhere is run by a file that is there, and still stands in a page", () => {
  const gone = elsewhere.filter(
    ([start, by]) => !existsSync(by) || !shellBlocks.some(({ text }) => beginsWith(text, start))
  )
  expect(gone).toEqual([])
})
