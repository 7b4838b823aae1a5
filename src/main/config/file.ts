/** The config file: TOML, read strictly, so that a typo is an error with a line and never a silent default. */
import { readFileSync } from "node:fs"
import * as Either from "effect/Either"
import type { Engines } from "../../layers/settings/index.ts"
import { isTable, lineOfKey, parseToml, refuse, type Table } from "../../layers/settings/toml.ts"
import { rbeeError } from "../../machines/errors.ts"
import { type Knob, knobs, type Value } from "./knobs.ts"

export interface FileSettings {
  /** by knob name, `queen.port` */
  readonly values: ReadonlyMap<Knob, Value>
  readonly tokenFile: string | undefined
  readonly defaultModel: string | undefined
  readonly engines: Engines | undefined
}

const empty: FileSettings = { values: new Map(), tokenFile: undefined, defaultModel: undefined, engines: undefined }

const sections = [...new Set(knobs.map((knob) => knob.section))]

const show = (value: unknown): string => {
  const shown = typeof value === "object" ? "a table or list" : JSON.stringify(String(value).slice(0, 60))
  return `${shown} is not accepted`
}

/** `cert` under `[queen.tls]` is `tls_cert` under `[queen]`. */
const flat = (content: Table): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(content).flatMap(([key, value]) =>
    key === "tls" && isTable(value)
      ? Object.entries(value).map(([inner, one]) => [`${key}_${inner}`, one] as const)
      : [[key, value] as const]
  )

const interpret = (path: string, source: string, table: Table): FileSettings => {
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
        `Known: token_file, default_model, [models.NAME], [engines.NAME], ${sections.map((known) => `[${known}]`).join(", ")}.`
      )
    if (!isTable(content))
      throw refuse(path, lineOfKey(source, "", name), name, show(content), `Write it as a table: [${name}].`)
    for (const [key, value] of flat(content)) {
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
  return { ...empty, values, tokenFile }
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

const enginesIn = async (path: string, source: string, engines: unknown): Promise<Engines | undefined> =>
  engines === undefined ? undefined : (await import("./engines.ts")).readEngines(path, source, engines)

/** Reads the file; a missing one is empty. What reads entries of models is only loaded where there are some. */
export const readConfigFile = async (path: string): Promise<FileSettings> => {
  const source = read(path)
  if (source === undefined) return empty
  const table = await parseToml(path, source)
  const { default_model, engines, models, ...rest } = table
  const settings = { ...interpret(path, source, rest), engines: await enginesIn(path, source, engines) }
  if (models === undefined && default_model === undefined) return settings
  const { readEntries } = await import("../../layers/model-entries/read.ts")
  const { defaultModel } = Either.getOrThrowWith(readEntries({ path, source, table }), (error) => error)
  return { ...settings, defaultModel }
}
