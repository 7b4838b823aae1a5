/** Every `rbee` of every block of commands is taken by the CLI's own grammar, also where it is not run. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { existsSync } from "node:fs"
import { expect, it } from "vitest"
import { readArguments } from "../../src/main/cli/arguments.ts"
import { commands } from "../../src/main/cli/commands.ts"
import { layerUnused, silent } from "../../src/main/cli/silent.ts"
import { beginsWith, callsIn, elsewhere, shellBlocks } from "./shell.ts"

const specs = commands.map((one) => one.spec)
const layer = Layer.merge(layerUnused, CliConfig.layer({ isCaseSensitive: true, showBuiltIns: false }))

/** What is wrong with it; the parser is run and what it would start is not. */
const problemOf = async (words: ReadonlyArray<string>): Promise<string | undefined> => {
  const read = readArguments(words, specs)
  if (read._tag === "Usage") return read.problem
  if (read._tag !== "Normal") return undefined
  const declared = commands.find((one) => one.spec === read.spec)
  if (declared === undefined) return "unknown command"
  const parse = Command.run(
    declared.command(() => Effect.void),
    { name: "rbee", version: "0" }
  )
  const parsed = silent(parse(["node", "rbee", ...read.args.slice(read.spec.path.length)]))
  const result = await Effect.runPromise(Effect.either(Effect.provide(parsed, layer)))
  return Either.isLeft(result) ? JSON.stringify(result.left) : undefined
}

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
