/** docs/cli.md lists what the CLI declares; `npx vitest run test/docs -u` writes it anew. */
import { expect, it } from "vitest"
import { commands } from "../../src/main/cli/commands.ts"
import type { CommandSpec, FlagSpec } from "../../src/main/cli/spec.ts"

const specs = commands.map((one) => one.spec)
const cell = (text: string) => text.replaceAll("|", "\\|")

const called = ({ path, words }: CommandSpec): string => {
  const shown = words.max > 1 ? `${words.name}...` : words.name
  const word = words.max === 0 ? "" : words.min === 0 ? ` [${shown}]` : ` ${shown}`
  return `rbee ${path.join(" ")}${word}`
}
const flagOf = ({ alias, doc, name, placeholder }: FlagSpec): string => {
  const short = alias === undefined ? "" : `\`-${alias}\`, `
  return `| ${short}\`--${name}${placeholder === undefined ? "" : ` ${cell(placeholder)}`}\` | ${cell(doc)} |`
}
const section = (spec: CommandSpec): string =>
  [
    `### ${spec.path.join(" ")}`,
    `\`${called(spec)}\`: ${spec.summary}${spec.words.max === 0 ? "" : `. ${spec.words.name} is ${spec.words.doc}`}`,
    ...(spec.flags.length === 0 ? [] : [["| flag | what it is |", "|---|---|", ...spec.flags.map(flagOf)].join("\n")])
  ].join("\n\n")

const anchor = ({ path }: CommandSpec) => path.join("-")

const page = `# Commands

Every command with its flags, as \`rbee COMMAND --help\` says them, with examples; \`rbee help\` has the list. \`--help\` and
\`--no-color\` are flags of all. So is [every setting](configuration.md): \`--queen-port\` is \`queen.port\`.

Answers and lists go to stdout, all else to stderr. Exit codes: 0 ok, 1 error, 2 wrong usage, 3 not running (status
and lists), 129 the terminal was closed, 130 interrupted, 143 terminated.

| command | what it does |
|---|---|
${specs.map((spec) => `| [\`${cell(called(spec))}\`](#${anchor(spec)}) | ${cell(spec.summary)} |`).join("\n")}

## Flags

${specs.map(section).join("\n\n")}
`

it("the page on commands lists what the CLI declares", async () => {
  await expect(page).toMatchFileSnapshot("../../docs/cli.md")
})
