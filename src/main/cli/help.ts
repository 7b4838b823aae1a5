/** Help as people read it: what it is for, examples first, then every flag on one line. */
import { defaultOf, knobs, nameOf, variableOf } from "../config/knobs.ts"
import type { CommandSpec, FlagSpec } from "./spec.ts"
import { wrapped } from "./table.ts"

/** a doc that would have less room stands below what it is of */
const leastRoom = 30

/** Rows of a name and its doc, which goes on in lines below itself where the terminal ends. */
const columns = (rows: ReadonlyArray<readonly [string, string]>, room = Number.POSITIVE_INFINITY): string => {
  const widest = Math.max(...rows.map(([left]) => left.length))
  const isBeside = room - widest - 4 >= leastRoom
  const indent = isBeside ? widest + 4 : 8
  return rows
    .map(([left, right]) => {
      const lines = wrapped(right, room - indent)
      const body = lines.join(`\n${" ".repeat(indent)}`)
      return (isBeside ? `  ${left.padEnd(widest)}  ${body}` : `  ${left}\n${" ".repeat(indent)}${body}`).trimEnd()
    })
    .join("\n")
}
const section = (title: string, body: string) => `${title}\n${body}\n`

const flagName = (flag: FlagSpec): string =>
  `${flag.alias === undefined ? "    " : `-${flag.alias}, `}--${flag.name}${flag.placeholder === undefined ? "" : ` ${flag.placeholder}`}`

const everywhere: ReadonlyArray<readonly [string, string]> = [
  ["-h, --help", "this help"],
  ["    --no-color", "no colours (NO_COLOR works too)"]
]

const wordsOf = ({ words }: CommandSpec): string => {
  if (words.max === 0) return ""
  const shown = words.max > 1 ? `${words.name}...` : words.name
  return words.min === 0 ? ` [${shown}]` : ` ${shown}`
}

export const commandHelp = (spec: CommandSpec, room?: number): string => {
  const words = spec.words.max === 0 ? [] : [[spec.words.name, spec.words.doc] as const]
  return [
    `${wrapped(`rbee ${spec.path.join(" ")}: ${spec.summary}`, room ?? Number.POSITIVE_INFINITY).join("\n")}\n`,
    section("EXAMPLES", spec.examples.map((example) => `  ${example}`).join("\n")),
    section("USAGE", `  rbee ${spec.path.join(" ")}${wordsOf(spec)} [flags]`),
    ...(words.length === 0 ? [] : [section("ARGUMENTS", columns(words, room))]),
    section("FLAGS", columns([...spec.flags.map((flag) => [flagName(flag), flag.doc] as const), ...everywhere], room))
  ].join("\n")
}

const commandsOf = (specs: ReadonlyArray<CommandSpec>, room?: number): string =>
  columns(
    specs.map((spec) => [`${spec.path.join(" ")}${wordsOf(spec)}`, spec.summary] as const),
    room
  )

export const groupHelp = (group: string, specs: ReadonlyArray<CommandSpec>, room?: number): string => {
  const own = specs.filter((spec) => spec.path[0] === group)
  return [
    section("EXAMPLES", own.map((spec) => `  ${spec.examples[0] ?? ""}`).join("\n")),
    section("COMMANDS", commandsOf(own, room))
  ].join("\n")
}

export const settingsHelp = (room?: number): string => {
  const rows = knobs.map((knob) => {
    const value = defaultOf(knob)
    const unit = knob.unit === "name" || knob.unit === "address" || knob.unit === "port" ? "" : ` ${knob.unit}`
    const isUnset = value === undefined || (typeof value === "object" && value.length === 0)
    const shown = isUnset ? "" : ` (default ${value}${unit})`
    return [`--${nameOf(knob).replace(/[._]/g, "-")}`, variableOf(knob), `${knob.doc}${shown}`] as const
  })
  const widest = Math.max(...rows.map(([flag]) => flag.length))
  const named = rows.map(([flag, variable, doc]) => [`${flag.padEnd(widest)}  ${variable}`, doc] as const)
  return [
    ...wrapped(
      "Every setting is a flag of every command, an environment variable, and a key of the config file " +
        "($RBEE_HOME/config.toml, else $XDG_CONFIG_HOME/rbee/config.toml): --queen-port, RBEE_QUEEN_PORT, " +
        "`port` under [queen]. A flag wins over the environment, that over the file, that over the default. " +
        "A daemon keeps the settings that it was started with.",
      Math.min(room ?? 100, 100)
    ),
    "",
    section("SETTINGS", columns(named, room))
  ].join("\n")
}

export const rootHelp = (version: string, specs: ReadonlyArray<CommandSpec>, room?: number): string =>
  [
    `rbee ${version}: your machines as one inference cluster\n`,
    section(
      "EXAMPLES",
      [
        '  rbee infer "hello"                 ask the bundled model; wakes whatever sleeps',
        '  rbee infer --model HF:author/repo:Q8_0 "Why is the sky blue?"',
        "  rbee status                        what runs",
        "  rbee down                          shut everything down"
      ].join("\n")
    ),
    section("COMMANDS", commandsOf(specs, room)),
    section(
      "MORE",
      columns([
        ["rbee COMMAND --help", "its examples and flags"],
        ["rbee help settings", "every setting: flag, environment variable, default"],
        ["rbee version", "the version; also -v"]
      ])
    ),
    section(
      "EXIT CODES",
      wrapped(
        "0 ok · 1 error · 2 usage · 3 not running · 129 terminal closed · 130 interrupted · 143 terminated",
        (room ?? Number.POSITIVE_INFINITY) - 2
      )
        .map((line) => `  ${line}`)
        .join("\n")
    )
  ].join("\n")
