/**
 * The normal form of the arguments: command, flags, `--`, words. @effect/cli reads flags that stand behind a repeated
 * word as words, also mistyped ones; in the normal form both orders mean the same and a typo is an error.
 */
import { distance } from "../../machines/formats/nearest.ts"
import { typedWord } from "../../machines/formats/shell-quote.ts"
import { knobs, nameOf } from "../config/knobs.ts"
import type { CommandSpec, FlagSpec } from "./spec.ts"

export interface Normal {
  readonly _tag: "Normal"
  readonly spec: CommandSpec
  readonly words: ReadonlyArray<string>
  /** for the parser: [...path, ...flags, "--", ...words] */
  readonly args: ReadonlyArray<string>
  /** settings that were given as flags, by knob name */
  readonly settings: Readonly<Record<string, string>>
  readonly noColour: boolean
}
export type Read =
  | Normal
  /** `spec` undefined: of everything, or of the group `group` */
  | { readonly _tag: "Help"; readonly spec: CommandSpec | undefined; readonly group: string | undefined }
  | { readonly _tag: "Version" }
  | { readonly _tag: "Usage"; readonly problem: string; readonly spec: CommandSpec | undefined }

/** Every setting is a flag of every command: `--queen-port` sets `queen.port`. */
const settingFlags = new Map(knobs.map((knob) => [nameOf(knob).replace(/[._]/g, "-"), nameOf(knob)]))

/** `rbee COMMAND`, with the settings that were given as flags: so that a hint is about the same cluster. */
export const typedAgain =
  (settings: Readonly<Record<string, string>>) =>
  (command: string): string =>
    [
      "rbee",
      command,
      ...Object.entries(settings).map(([name, value]) => {
        return `--${name.replace(/[._]/g, "-")} ${typedWord(value)}`
      })
    ].join(" ")

/** The commands that an advice names, as they have to be typed for the same cluster. */
export const adviceTyped = (todo: string, typed: (command: string) => string): string =>
  todo
    .replace(/`rbee ([^`]+)`/g, (_, command: string) => `\`${typed(command)}\``)
    .replace(/^rbee ([a-z][^.,;]*)/, (_, command: string) => typed(command))

const nearest = (name: string, known: ReadonlyArray<string>): string => {
  const [best] = known.map((one) => [distance(name, one), one] as const).sort(([a], [b]) => a - b)
  return best !== undefined && best[0] <= Math.max(2, Math.floor(name.length / 3)) ? ` Did you mean '${best[1]}'?` : ""
}

/** What other programs call it, whose users type it here too. */
const elsewhere: Readonly<Record<string, string>> = {
  ls: "list",
  rm: "models rm",
  show: "models show",
  create: "models set",
  cp: "models set",
  search: "models search",
  start: "up",
  update: "upgrade",
  config: "help settings"
}
const elsewhereInGroups: Readonly<Record<string, string>> = { list: "ls", remove: "rm", delete: "rm", download: "pull" }

const meant = (name: string, known: ReadonlyArray<string>, others: Readonly<Record<string, string>>): string => {
  const other = others[name]
  return other === undefined ? nearest(name, known) : ` Did you mean '${other}'?`
}

const commandOf = (args: ReadonlyArray<string>, specs: ReadonlyArray<CommandSpec>) => {
  const group = args[0] ?? ""
  const exact = specs.find((spec) => spec.path.every((part, index) => args[index] === part))
  const inGroup = specs.filter((spec) => spec.path[0] === group && spec.path.length > 1)
  return { group, exact, inGroup }
}

const unknownCommand = (args: ReadonlyArray<string>, specs: ReadonlyArray<CommandSpec>): Read => {
  const { group, inGroup } = commandOf(args, specs)
  if (inGroup.length > 0) {
    const name = args[1]
    const known = inGroup.map((spec) => spec.path[1] ?? "")
    if (name === undefined) return { _tag: "Help", spec: undefined, group }
    const problem = `unknown command '${group} ${name}'; known: ${known.map((one) => `${group} ${one}`).join(", ")}.`
    const others = known.includes(elsewhereInGroups[name] ?? "") ? elsewhereInGroups : {}
    return { _tag: "Usage", problem: `${problem}${meant(name, known, others)}`, spec: undefined }
  }
  const known = [...new Set(specs.map((spec) => spec.path[0] ?? ""))]
  return { _tag: "Usage", problem: `unknown command '${group}'.${meant(group, known, elsewhere)}`, spec: undefined }
}

const isHelp = (arg: string) => arg === "--help" || arg === "-h"

export const readArguments = (given: ReadonlyArray<string>, specs: ReadonlyArray<CommandSpec>): Read => {
  const settings: Record<string, string> = {}
  let noColour = false
  const head: Array<string> = []
  const flags: Array<string> = []
  const words: Array<string> = []
  let spec: CommandSpec | undefined
  const byName = (name: string): FlagSpec | undefined =>
    spec?.flags.find((one) => `--${one.name}` === name || (one.alias !== undefined && `-${one.alias}` === name))

  const end = given.indexOf("--")
  const asksHelp = given.slice(0, end === -1 ? given.length : end)
  for (let i = 0; i < given.length; i++) {
    const arg = given[i] ?? ""
    if (arg === "--" && spec !== undefined) {
      words.push(...given.slice(i + 1))
      break
    }
    if (i === 0 && arg === "version") return { _tag: "Version" }
    if (!arg.startsWith("-") || arg === "-" || /^-\d/.test(arg)) {
      if (spec !== undefined) words.push(arg)
      else {
        head.push(arg)
        spec = commandOf(head, specs).exact
        if (spec === undefined && (head.length > 1 || commandOf(head, specs).inGroup.length === 0))
          return head[0] === "help" ? helpFor(given.slice(i + 1), specs) : unknownCommand(head, specs)
      }
      continue
    }
    if (isHelp(arg)) return helpFor(head, specs)
    if (["--version", "-v", "-V"].includes(arg) && byName(arg) === undefined) return { _tag: "Version" }
    const equals = arg.startsWith("--") ? arg.indexOf("=") : -1
    const name = equals === -1 ? arg : arg.slice(0, equals)
    if (name === "--no-color" || name === "--no-colour") {
      noColour = true
      continue
    }
    const setting = settingFlags.get(name.slice(2))
    const known = byName(name)
    if (known === undefined && setting === undefined) {
      // a help that is asked for wins over a mistake
      if (asksHelp.some(isHelp)) return helpFor(head, specs)
      if (spec === undefined && head.length === 0)
        return { _tag: "Usage", problem: `unknown option '${name}'; a command comes first.`, spec }
      const names = [
        ...(spec?.flags.map((one) => `--${one.name}`) ?? []),
        ...[...settingFlags.keys()].map((one) => `--${one}`)
      ]
      return { _tag: "Usage", problem: `unknown option '${name}'.${nearest(name, names)}`, spec }
    }
    if (known !== undefined && known.placeholder === undefined) {
      if (equals !== -1) return { _tag: "Usage", problem: `option '${name}' takes no value.`, spec }
      flags.push(`--${known.name}`)
      continue
    }
    const value = equals === -1 ? given[++i] : arg.slice(equals + 1)
    if (value === undefined) return { _tag: "Usage", problem: `option '${name}' needs a value.`, spec }
    // a command's own flag is nearer than the setting of the same name
    if (known !== undefined) flags.push(`--${known.name}`, value)
    else if (setting !== undefined) settings[setting] = value
  }
  if (spec === undefined)
    return head.length === 0 ? { _tag: "Help", spec, group: undefined } : unknownCommand(head, specs)
  const { min, max, name } = spec.words
  if (words.length < min) return { _tag: "Usage", problem: `${name} is missing.`, spec }
  if (words.length > max) return { _tag: "Usage", problem: `unexpected argument '${words[max] ?? ""}'.`, spec }
  return { _tag: "Normal", spec, words, args: [...spec.path, ...flags, "--", ...words], settings, noColour }
}

const helpFor = (head: ReadonlyArray<string>, specs: ReadonlyArray<CommandSpec>): Read => {
  const { exact, inGroup, group } = commandOf(head, specs)
  if (exact === undefined && head.length > 0 && group !== "settings" && inGroup.length === 0)
    return unknownCommand(head, specs)
  return { _tag: "Help", spec: exact, group: head.length === 0 ? undefined : group }
}
