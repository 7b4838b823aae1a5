/** Help as people read it: what it is for, examples first, then every flag on one line. */
import { defaultOf, knobs, nameOf, variableOf } from "../config/knobs.ts"
import type { CommandSpec, FlagSpec } from "./spec.ts"

const columns = (rows: ReadonlyArray<readonly [string, string]>): string => {
  const widest = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(widest)}  ${right}`.trimEnd()).join("\n")
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

export const commandHelp = (spec: CommandSpec): string => {
  const words = spec.words.max === 0 ? [] : [[spec.words.name, spec.words.doc] as const]
  return [
    `rbee ${spec.path.join(" ")}: ${spec.summary}\n`,
    section("EXAMPLES", spec.examples.map((example) => `  ${example}`).join("\n")),
    section("USAGE", `  rbee ${spec.path.join(" ")}${wordsOf(spec)} [flags]`),
    ...(words.length === 0 ? [] : [section("ARGUMENTS", columns(words))]),
    section("FLAGS", columns([...spec.flags.map((flag) => [flagName(flag), flag.doc] as const), ...everywhere]))
  ].join("\n")
}

const commandsOf = (specs: ReadonlyArray<CommandSpec>): string =>
  columns(specs.map((spec) => [`${spec.path.join(" ")}${wordsOf(spec)}`, spec.summary] as const))

export const groupHelp = (group: string, specs: ReadonlyArray<CommandSpec>): string => {
  const own = specs.filter((spec) => spec.path[0] === group)
  return [
    section("EXAMPLES", own.map((spec) => `  ${spec.examples[0] ?? ""}`).join("\n")),
    section("COMMANDS", commandsOf(own))
  ].join("\n")
}

export const settingsHelp = (): string => {
  const rows = knobs.map((knob) => {
    const value = defaultOf(knob)
    const unit = knob.unit === "name" || knob.unit === "address" || knob.unit === "port" ? "" : ` ${knob.unit}`
    const isUnset = value === undefined || (typeof value === "object" && value.length === 0)
    const shown = isUnset ? "" : ` (default ${value}${unit})`
    return [`--${nameOf(knob).replace(/[._]/g, "-")}`, variableOf(knob), `${knob.doc}${shown}`] as const
  })
  const [flag, variable] = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map(([a, b, c]) => `  ${a.padEnd(flag ?? 0)}  ${b.padEnd(variable ?? 0)}  ${c}`)
  return [
    "Every setting is a flag of every command, an environment variable, and a key of the config file",
    "($RBEE_HOME/config.toml, else $XDG_CONFIG_HOME/rbee/config.toml): --queen-port, RBEE_QUEEN_PORT,",
    "`port` under [queen]. A flag wins over the environment, that over the file, that over the default.",
    "A daemon keeps the settings that it was started with.\n",
    section("SETTINGS", lines.join("\n"))
  ].join("\n")
}

export const rootHelp = (version: string, specs: ReadonlyArray<CommandSpec>): string =>
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
    section("COMMANDS", commandsOf(specs)),
    section(
      "MORE",
      columns([
        ["rbee COMMAND --help", "its examples and flags"],
        ["rbee help settings", "every setting: flag, environment variable, default"],
        ["rbee --version", "the version"]
      ])
    ),
    section(
      "EXIT CODES",
      "  0 ok · 1 error · 2 usage · 3 not running · 129 terminal closed · 130 interrupted · 143 terminated"
    )
  ].join("\n")
