/** `rbee completions SHELL`: the script that @effect/cli makes of the declared commands. */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Context, Declared } from "../spec.ts"

const tree = (commands: ReadonlyArray<Declared>) => {
  const leaves = (group: string) =>
    commands
      .filter((one) => one.spec.path[0] === group)
      .map((one) => ({ spec: one.spec, leaf: one.command(() => Effect.void) }))
  const groups = [...new Set(commands.map((one) => one.spec.path[0] ?? ""))].map((group) => {
    const own = leaves(group)
    const [first] = own
    if (first !== undefined && first.spec.path.length === 1) return first.leaf
    return Command.make(group).pipe(Command.withSubcommands(asNonEmpty(own.map((one) => one.leaf))))
  })
  return Command.make("rbee").pipe(Command.withSubcommands(asNonEmpty(groups)))
}

const asNonEmpty = <A>(values: ReadonlyArray<A>): readonly [A, ...Array<A>] => {
  const [first, ...rest] = values
  if (first === undefined) throw new Error("a group of commands is empty")
  return [first, ...rest]
}

export const completions = (
  shell: string,
  commands: ReadonlyArray<Declared>,
  context: Context
): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const make = {
      bash: Command.getBashCompletions,
      sh: Command.getBashCompletions,
      fish: Command.getFishCompletions,
      zsh: Command.getZshCompletions
    }
    const known = Object.entries(make).find(([name]) => name === shell)?.[1]
    if (known === undefined)
      return yield* Effect.fail(
        rbeeError("INVALID_REQUEST", `there are no completions for '${shell}'`, "Known: bash, zsh, fish.", {
          usage: true
        })
      )
    const lines = yield* known(tree(commands), "rbee")
    context.terminal.stdout.write(`${lines.join("\n")}\n`)
    return 0
  })
