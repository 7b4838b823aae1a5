/** The CLI's own grammar, asked without running anything. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { readArguments } from "../../src/main/cli/arguments.ts"
import { commands } from "../../src/main/cli/commands.ts"
import { layerUnused, silent } from "../../src/main/cli/silent.ts"

const specs = commands.map((one) => one.spec)
const layer = Layer.merge(layerUnused, CliConfig.layer({ isCaseSensitive: true, showBuiltIns: false }))

/** What is wrong with it; the parser is run and what it would start is not. */
export const problemOf = async (words: ReadonlyArray<string>): Promise<string | undefined> => {
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
