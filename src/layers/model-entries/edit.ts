/**
 * Changes the configuration as its user would by hand: line by line, all else stays, comments too. What it came to is
 * read again after each step: a file that is laid out so that a line cannot be changed alone is left as it is.
 */
import { isDeepStrictEqual } from "node:util"
import { parse, stringify, type TomlTable } from "smol-toml"
import { rbeeError } from "../../machines/errors.ts"
import { isTable, lineOfKey } from "../settings/toml.ts"

type Path = ReadonlyArray<string>
/** A number, a text, a list; undefined: the field goes. */
export type Value = TomlTable[string] | undefined

/** With `value` at `path`, and without what that leaves empty. */
const changed = (table: TomlTable, [key = "", ...rest]: Path, value: Value): TomlTable => {
  const { [key]: old, ...others } = table
  if (rest.length === 0) return value === undefined ? others : { ...table, [key]: value }
  const below = changed(isTable(old) ? (old as TomlTable) : {}, rest, value)
  return Object.keys(below).length === 0 ? others : { ...table, [key]: below }
}

const valueAt = (table: unknown, path: Path): unknown =>
  path.reduce((below, key) => (isTable(below) ? below[key] : undefined), table)

const readAs = (source: string, wanted: TomlTable): boolean => {
  try {
    // a table that is empty says nothing; the parser's have no prototype
    const [is, shall] = structuredClone([parse(source), wanted])
    return isDeepStrictEqual({ models: {}, ...is }, { models: {}, ...shall })
  } catch {
    return false
  }
}

/** `lines` in the place of as few as it takes from `at` on; `kept`: of more than one, the remarks among them stay. */
const spliced = (source: string, at: number, lines: ReadonlyArray<string>, wanted: TomlTable, kept: boolean) => {
  const all = source.split("\n")
  for (let count = 1; at + count <= all.length; count++) {
    const old =
      kept && count > 1 ? all.slice(at, at + count).flatMap((line) => /(?<=^|[\s,[\]])#[^"']*$/.exec(line) ?? []) : []
    const candidate = all.toSpliced(at, count, ...old, ...lines).join("\n")
    if (readAs(candidate, wanted)) return candidate
  }
  return undefined
}

/** What comes after the value on its line, if it is a remark. */
const remarkOn = (line: string, key: string): string => {
  const remark = /\s+#[^"']*$/.exec(line)?.[0] ?? ""
  try {
    return Object.keys(parse(line.slice(0, line.length - remark.length))).includes(key) ? remark : ""
  } catch {
    return ""
  }
}

const lineFor = (key: string, value: Value): string => stringify({ [key]: value }).trimEnd()

/** After what stands in the table already, however many lines that takes. */
const inserted = (source: string, table: Path, key: string, value: Value, wanted: TomlTable): string | undefined => {
  const own = Object.keys(valueAt(parse(source), table) ?? {}).filter(
    (name) => !isTable(valueAt(parse(source), [...table, name]))
  )
  const all = source.split("\n")
  const from = own.length === 0 ? 0 : Math.max(...own.map((name) => lineOfKey(source, table, name)))
  for (let at = from; at <= all.length; at++) {
    const candidate = all.toSpliced(at, 0, lineFor(key, value), ...(at === 0 ? [""] : [])).join("\n")
    if (readAs(candidate, wanted)) return candidate
  }
  return undefined
}

const step = (source: string, path: Path, value: Value): string | undefined => {
  const now = parse(source)
  const wanted = changed(now, path, value)
  const [key = "", table] = [path.at(-1), path.slice(0, -1)]
  if (valueAt(now, path) !== undefined) {
    const at = lineOfKey(source, table, key) - 1
    if (value === undefined) return spliced(source, at, [], wanted, false)
    const remark = remarkOn(source.split("\n")[at] ?? "", key)
    return spliced(source, at, [lineFor(key, value) + remark], wanted, Array.isArray(valueAt(now, path)))
  }
  if (value === undefined) return source
  if (!isTable(value)) return inserted(source, table, key, value, wanted)
  const block = stringify(path.reduceRight<TomlTable>((below, name) => ({ [name]: below }), value as TomlTable))
  const candidate = `${source}${source === "" ? "" : source.endsWith("\n") ? "\n" : "\n\n"}${block.trim()}\n`
  return readAs(candidate, wanted) ? candidate : undefined
}

/** @throws RbeeError INVALID_REQUEST where the file is laid out otherwise: nothing is changed */
export const edited = (source: string, changes: ReadonlyArray<readonly [Path, Value]>): string => {
  let text = source
  for (const [path, value] of changes) {
    const next = step(text, path, value)
    if (next === undefined) {
      const line = lineOfKey(text, path.slice(0, -1), path.at(-1) ?? "")
      const what = `${path.join(".")} stands in the configuration (line ${line}) in a way that is not changed here`
      throw rbeeError("INVALID_REQUEST", what, "Change it by hand.", { field: path.join(".") })
    }
    text = next
  }
  return text
}
