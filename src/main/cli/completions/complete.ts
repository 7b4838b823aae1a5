/** What can stand at the cursor of a command line, by the declarations of the commands alone. */
import type { CommandSpec, FlagSpec, ValueKind } from "../spec.ts"

export interface Candidate {
  readonly value: string
  readonly doc: string
}

export interface Asked {
  /** what of the word at the cursor stands before each value: `--model=` */
  readonly before: string
  readonly fixed: ReadonlyArray<Candidate>
  /** and what there is of this kind */
  readonly kind: Exclude<ValueKind, ReadonlyArray<string>> | undefined
  /** flags that were given, by name: a setting says which cluster is meant, a hive whose devices */
  readonly given: ReadonlyMap<string, string>
}

/** Every setting is a flag of every command. */
export interface SettingFlag {
  readonly name: string
  readonly doc: string
}

interface Line {
  readonly spec: CommandSpec | undefined
  /** the words of the command so far */
  readonly head: ReadonlyArray<string>
  readonly words: ReadonlyArray<string>
  readonly used: ReadonlySet<string>
  readonly given: ReadonlyMap<string, string>
  /** the word at the cursor is the value of this flag */
  readonly valueOf: FlagSpec | undefined
  /** behind `--` there are only words */
  readonly isOnlyWords: boolean
}

const flagOf = (
  spec: CommandSpec | undefined,
  settings: ReadonlyArray<SettingFlag>,
  word: string
): FlagSpec | undefined => {
  const own = spec?.flags.find(
    ({ alias, name }) => word === `--${name}` || (alias !== undefined && word === `-${alias}`)
  )
  const setting = own ?? settings.find(({ name }) => word === `--${name}`)
  return setting === undefined ? undefined : { alias: undefined, placeholder: "VALUE", ...setting }
}

const readLine = (
  before: ReadonlyArray<string>,
  specs: ReadonlyArray<CommandSpec>,
  settings: ReadonlyArray<SettingFlag>
): Line => {
  const [head, words]: [Array<string>, Array<string>] = [[], []]
  const used = new Set<string>()
  const given = new Map<string, string>()
  let spec: CommandSpec | undefined
  let valueOf: FlagSpec | undefined
  let isOnlyWords = false
  for (const word of before) {
    if (valueOf !== undefined) {
      given.set(valueOf.name, word)
      valueOf = undefined
    } else if (isOnlyWords || word === "-" || !word.startsWith("-")) {
      if (spec !== undefined) words.push(word)
      else {
        head.push(word)
        spec = specs.find(({ path }) => path.length === head.length && path.every((part, at) => part === head[at]))
      }
    } else if (word === "--") isOnlyWords = spec !== undefined
    else {
      const [name = "", ...value] = word.split("=")
      const flag = flagOf(spec, settings, name)
      if (flag === undefined) continue
      used.add(flag.name)
      if (value.length > 0) given.set(flag.name, value.join("="))
      else if (flag.placeholder !== undefined) valueOf = flag
    }
  }
  return { spec, head, words, used, given, valueOf, isOnlyWords }
}

const everywhere: ReadonlyArray<Candidate> = [
  { value: "--help", doc: "help" },
  { value: "--no-color", doc: "no colours" }
]

/** Commands, or the second words of a group: each once, a group with what it is about. */
const namesAt = (head: ReadonlyArray<string>, specs: ReadonlyArray<CommandSpec>): ReadonlyArray<Candidate> => {
  const found = new Map<string, string>()
  for (const { path, summary } of specs) {
    const name = path[head.length]
    if (name === undefined || !head.every((part, at) => path[at] === part)) continue
    const rest = specs.flatMap((one) => (one.path[0] === name && head.length === 0 ? (one.path[1] ?? []) : []))
    found.set(name, rest.length > 0 ? rest.join(", ") : summary)
  }
  return [...found].map(([value, doc]) => ({ value, doc }))
}

const flagsOf = ({ spec, used }: Line, settings: ReadonlyArray<SettingFlag>, current: string) => {
  const own = (spec?.flags ?? []).filter(({ name }) => !used.has(name))
  // some fifty of them: for who begins to type one
  const more = /^--\w/.test(current) ? settings.filter(({ name }) => !used.has(name)) : []
  return [...[...own, ...more].map(({ doc, name }) => ({ value: `--${name}`, doc })), ...everywhere]
}

/** `typed`: the words behind `rbee` up to the cursor; the last is unfinished, and may be empty. */
export const complete = (
  typed: ReadonlyArray<string>,
  specs: ReadonlyArray<CommandSpec>,
  settings: ReadonlyArray<SettingFlag>
): Asked => {
  const current = typed.at(-1) ?? ""
  const line = readLine(typed.slice(0, -1), specs, settings)
  const { given, head, isOnlyWords, spec, valueOf, words } = line
  const asked = (candidates: ReadonlyArray<Candidate>, kind?: ValueKind, before = ""): Asked => {
    const own = typeof kind === "object" ? kind.map((value) => ({ value, doc: "" })) : candidates
    const fixed = own.filter(({ value }) => value.startsWith(current.slice(before.length)))
    return { before, fixed, kind: typeof kind === "object" ? undefined : kind, given }
  }
  if (valueOf !== undefined) return asked([], valueOf.values)
  const equals = current.startsWith("--") && !isOnlyWords ? current.indexOf("=") : -1
  if (equals !== -1)
    return asked([], flagOf(spec, settings, current.slice(0, equals))?.values, current.slice(0, equals + 1))
  if (current.startsWith("-") && !isOnlyWords) return asked(flagsOf(line, settings, current))
  if (spec === undefined) return asked(namesAt(head, specs))
  // of several words the first is what has a name
  if (words.length === 0 && spec.words.values !== undefined) return asked([], spec.words.values)
  return asked(current === "" && words.length >= spec.words.min && !isOnlyWords ? flagsOf(line, settings, "") : [])
}
