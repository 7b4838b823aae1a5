/** Runs one command line: reads it, loads the settings, hands over to the command, and returns the exit code. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { errorLine } from "../../actors/keeper/infer.ts"
import { layerNode as layerTerminal } from "../../layers/terminal/node.ts"
import { paint, plain, Terminal } from "../../layers/terminal/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { lineOf } from "../../machines/narration.ts"
import { defaultSettings, loadSettings, version } from "../config.ts"
import { adviceTyped, type Normal, readArguments, typedAgain } from "./arguments.ts"
import { commands } from "./commands.ts"
import { commandHelp, groupHelp, rootHelp, settingsHelp } from "./help.ts"
import { roomOf } from "./table.ts"
import { layerUnused, silent } from "./silent.ts"
import type { CommandSpec, Run } from "./spec.ts"
import { fact } from "../../machines/facts.ts"

const specs = commands.map((one) => one.spec)

const usage = (terminal: Terminal["Type"], problem: string, spec: CommandSpec | undefined): number => {
  const help = `rbee ${spec === undefined ? "" : `${spec.path.join(" ")} `}--help`
  // not one of what is looked at before
  const own = spec?.examples.find((one) => one.startsWith(`rbee ${spec.path.join(" ")}`))
  const example = own ?? spec?.examples[0]
  terminal.stderr.write(`rbee: ${plain(problem)}${example === undefined ? "" : ` Example: ${example}`} (see ${help})\n`)
  return 2
}

const failed = (terminal: Terminal["Type"], error: RbeeError, typed: (command: string) => string): number => {
  const { code, details, todo, what } = error
  const shown = rbeeError(code, what, adviceTyped(todo, typed), details)
  terminal.stderr.write(paint("red", plain(lineOf(errorLine(shown)))), "\n")
  return fact(error, "usage") === true ? 2 : 1
}

const run = (normal: Normal, programs: string): Effect.Effect<number, never, Terminal> =>
  Effect.gen(function* () {
    const terminal = yield* Terminal
    const declared = commands.find((one) => one.spec === normal.spec)
    if (declared === undefined) return usage(terminal, "unknown command", undefined)
    let code = 0
    const typed = typedAgain(normal.settings)
    const execute = (command: Run) =>
      Effect.gen(function* () {
        const loaded = yield* Effect.either(
          loadSettings({
            flags: normal.settings,
            env: process.env,
            onNote: (note) => terminal.stderr.write(`bee-keeper: ${note}\n`)
          })
        )
        const trouble = loaded._tag === "Left" ? loaded.left : undefined
        if (trouble !== undefined && (normal.spec.lenient !== true || fact(trouble, "usage") === true)) yield* trouble
        const settings = loaded._tag === "Right" ? loaded.right : yield* defaultSettings(process.env)
        code = yield* command({ settings, trouble, terminal, programs, typed })
      })
    const parse = Command.run(declared.command(execute), { name: "rbee", version })
    // the parser's own messages are printed by us: on stderr, without colours, and once
    yield* silent(parse(["node", "rbee", ...normal.args.slice(normal.spec.path.length)])).pipe(
      Effect.catchAll((error) =>
        Effect.sync(() => {
          code = ValidationError.isValidationError(error)
            ? usage(terminal, problemOf(error), normal.spec)
            : failed(terminal, error, typed)
        })
      ),
      Effect.provide(Layer.merge(layerUnused, CliConfig.layer({ isCaseSensitive: true, showBuiltIns: false })))
    )
    return code
  })

/** The text of the parser's document, in one line. */
const problemOf = (error: ValidationError.ValidationError): string => {
  const texts: Array<string> = []
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return
    if ("_tag" in value && value._tag === "Text" && "value" in value) texts.push(String(value.value))
    else for (const inner of Object.values(value)) collect(inner)
  }
  collect(error.error)
  return texts.join("").replace(/\s+/g, " ").trim()
}

const start = (given: ReadonlyArray<string>, programs: string) => {
  const read = readArguments(given, specs)
  const noColour = read._tag === "Normal" ? read.noColour : given.includes("--no-color")
  return Effect.gen(function* () {
    const terminal = yield* Terminal
    const room = roomOf(terminal.stdout)
    switch (read._tag) {
      case "Version":
        terminal.stdout.write(`${version}\n`)
        return 0
      case "Usage":
        return usage(terminal, read.problem, read.spec)
      case "Help":
        // a group without its command is an unfinished call; what is known helps, but it did nothing
        if (read.spec === undefined && given.length === 1 && read.group !== undefined && given[0] === read.group) {
          terminal.stderr.write(groupHelp(read.group, specs, roomOf(terminal.stderr)))
          return 2
        }
        terminal.stdout.write(
          read.spec !== undefined
            ? commandHelp(read.spec, room)
            : read.group === "settings"
              ? settingsHelp(room)
              : read.group !== undefined
                ? groupHelp(read.group, specs, room)
                : rootHelp(version, specs, room)
        )
        return 0
      case "Normal":
        return yield* run(read, programs)
    }
  }).pipe(Effect.provide(layerTerminal({ noColour })))
}

/** A CLI keeps its stdout for answers: what is logged (a bug) goes to stderr. */
const logger = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.stringLogger))

/** `programs`: the folder where queen.js and its siblings are. Never rejects. */
export const main = async (given: ReadonlyArray<string>, programs: string): Promise<number> => {
  const exit = await Effect.runPromiseExit(Effect.provide(start(given, programs), logger))
  if (Exit.isSuccess(exit)) return exit.value
  process.stderr.write(`bee-keeper: INTERNAL: this is a bug in rbee. Please report it with these lines.\n`)
  process.stderr.write(`${plain(Cause.pretty(exit.cause))}\n`)
  return 1
}
