/** The config file: TOML, read strictly, so that a typo is an error with a line and never a silent default. */
import { readFileSync } from "node:fs"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { type Knob, knobs, type Value } from "./knobs.ts"

type Invalid = RbeeError<"INVALID_REQUEST">

export interface FileSettings {
  /** by knob name, `queen.port` */
  readonly values: ReadonlyMap<Knob, Value>
  readonly tokenFile: string | undefined
}

const empty: FileSettings = { values: new Map(), tokenFile: undefined }

const sections = [...new Set(knobs.map((knob) => knob.section))]

/** The line, from 1, where `key` of `section` stands (top level: section ""), or where the section starts. */
export const lineOfKey = (source: string, section: string, key: string): number => {
  let current = ""
  let header = 0
  const bare = (name: string) => name.trim().replace(/^["']|["']$/g, "")
  for (const [index, line] of source.split("\n").entries()) {
    const table = /^\s*\[+([^\]]*)\]/.exec(line)
    if (table?.[1] !== undefined) {
      current = bare(table[1])
      if (current === section) header ||= index + 1
      continue
    }
    const name = /^\s*([^=#]+?)\s*=/.exec(line)?.[1]
    if (name === undefined) continue
    const path = name.split(".").map(bare)
    const full = current === "" ? path : [current, ...path]
    const wanted = section === "" ? [key] : [section, key]
    if (wanted.every((part, at) => full[at] === part)) return index + 1
    if (section !== "" && full.length === 1 && full[0] === section) header ||= index + 1
  }
  return Math.max(header, 1)
}

const refuse = (path: string, line: number, field: string, problem: string, accepts: string): Invalid =>
  rbeeError("INVALID_REQUEST", `${path}, line ${line}: ${field}: ${problem}`, accepts, { line, field })

const show = (value: unknown): string => {
  const shown = typeof value === "object" ? "a table or list" : JSON.stringify(String(value).slice(0, 60))
  return `${shown} is not accepted`
}

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)

const interpret = (path: string, source: string, table: Readonly<Record<string, unknown>>): FileSettings => {
  const values = new Map<Knob, Value>()
  let tokenFile: string | undefined
  for (const [name, content] of Object.entries(table)) {
    const section = sections.find((known) => known === name)
    if (name === "token_file") {
      if (typeof content !== "string" || content === "")
        throw refuse(path, lineOfKey(source, "", name), name, show(content), "Accepted: the path of a file.")
      tokenFile = content
      continue
    }
    if (section === undefined)
      throw refuse(
        path,
        lineOfKey(source, isTable(content) ? name : "", name),
        name,
        "unknown",
        `Known: token_file, ${sections.map((known) => `[${known}]`).join(", ")}.`
      )
    if (!isTable(content))
      throw refuse(path, lineOfKey(source, "", name), name, show(content), `Write it as a table: [${name}].`)
    for (const [key, value] of Object.entries(content)) {
      const line = lineOfKey(source, section, key)
      const known = knobs.filter((knob) => knob.section === section)
      const knob = known.find((candidate) => candidate.key === key)
      const field = `${section}.${key}`
      if (knob === undefined)
        throw refuse(path, line, field, "unknown", `Known in [${section}]: ${known.map((one) => one.key).join(", ")}.`)
      // the file has types: a quoted number is a mistake there, unlike in the environment
      const mistyped = typeof value === "string" && Number.isFinite(knob.kind.read(value))
      const read = mistyped ? undefined : knob.kind.read(value)
      if (read === undefined)
        throw refuse(path, line, field, show(value), `Accepted: ${knob.kind.accepts}${mistyped ? ", unquoted" : ""}.`)
      values.set(knob, read)
    }
  }
  return { values, tokenFile }
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"
    if (code === "ENOENT" || code === "ENOTDIR") return undefined
    throw rbeeError("INVALID_REQUEST", `${path} cannot be read (${code})`, "Correct its permissions, or remove it.")
  }
}

/** Reads the file; a missing one is empty. The TOML parser is only loaded when there is something to parse. */
export const readConfigFile = async (path: string): Promise<FileSettings> => {
  const source = read(path)
  if (source === undefined) return empty
  const { parse, TomlError } = await import("smol-toml")
  let table: Readonly<Record<string, unknown>>
  try {
    table = parse(source)
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const said = cause.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML"
    const text = source.split("\n")[cause.line - 1] ?? ""
    const field = /^\s*([^=#]+?)\s*=/.exec(text)?.[1] ?? text.trim().slice(0, 60)
    throw refuse(path, cause.line, field, said, `Accepted: TOML, for example port = 8500 under [queen].`)
  }
  return interpret(path, source, table)
}
