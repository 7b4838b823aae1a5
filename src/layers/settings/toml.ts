/** TOML as the configuration has it: read strictly, so that a typo is an error with a line and never a silent default. */
import { type RbeeError, rbeeError } from "../../machines/errors.ts"

export type Table = Readonly<Record<string, unknown>>

export const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)

const namePart = /"(?:[^"\\]|\\.)*"|'[^']*'|[^.\s"']+/g

/** `models."a.b"` → models, a.b */
const partsOf = (name: string): ReadonlyArray<string> =>
  (name.match(namePart) ?? []).map((part) => part.replace(/^(["'])(.*)\1$/, "$2"))

/** The line, from 1, where `key` of the table at `section` stands (top level: no section), or where the table starts. */
export const lineOfKey = (source: string, section: string | ReadonlyArray<string>, key: string): number => {
  const table = typeof section === "string" ? (section === "" ? [] : [section]) : section
  const wanted = [...table, key]
  const isBelow = (path: ReadonlyArray<string>, top: ReadonlyArray<string>) =>
    top.every((part, at) => path[at] === part)
  let current: ReadonlyArray<string> = []
  let header = 0
  for (const [index, line] of source.split("\n").entries()) {
    const opened = /^\s*\[+((?:"[^"]*"|'[^']*'|[^\]"'])*)\]/.exec(line)?.[1]
    if (opened !== undefined) {
      current = partsOf(opened)
      if (isBelow(current, wanted)) return index + 1
      if (table.length > 0 && isBelow(current, table)) header ||= index + 1
      continue
    }
    const name = /^\s*((?:"[^"]*"|'[^']*'|[^=#"'])+?)\s*=/.exec(line)?.[1]
    if (name === undefined) continue
    const full = [...current, ...partsOf(name)]
    if (isBelow(full, wanted)) return index + 1
    if (table.length > 0 && full.length === table.length && isBelow(full, table)) header ||= index + 1
  }
  return Math.max(header, 1)
}

/** What is wrong in the file, where it stands, and what would be right. */
export const refuse = (
  path: string,
  line: number,
  field: string,
  problem: string,
  accepts: string
): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", `${path}, line ${line}: ${field}: ${problem}`, accepts, { line, field })

/** The parser is only loaded when there is something to parse. */
export const parseToml = async (path: string, source: string): Promise<Table> => {
  const { parse, TomlError } = await import("smol-toml")
  try {
    return parse(source)
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause
    const said = cause.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "not TOML"
    const text = source.split("\n")[cause.line - 1] ?? ""
    const field = /^\s*([^=#]+?)\s*=/.exec(text)?.[1] ?? text.trim().slice(0, 60)
    throw refuse(path, cause.line, field, said, `Accepted: TOML, for example port = 8500 under [queen].`)
  }
}
