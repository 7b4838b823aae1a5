/** The engines of a configuration, judged: only loaded where there are some. */
import * as Either from "effect/Either"
import { isTable, lineOfKey, refuse, type Table } from "../../layers/settings/toml.ts"
import { decoder } from "../../machines/formats/json/decode.ts"
import { fact } from "../../machines/facts.ts"
import { commandOf, EngineEntry, engineFields } from "../../machines/kinds/engine-entry.ts"
import { workerKinds } from "../../machines/kinds/index.ts"
import type { Engines } from "../../layers/settings/index.ts"
import { explain } from "../../protocol/explain.ts"

const decode = decoder(EngineEntry)

/** Those whose program is the machine's own. */
const names = workerKinds.filter(({ hasProcess }) => hasProcess).map(({ id }) => id)

/** Throws what is wrong, with its line. */
export const readEngines = (path: string, source: string, engines: unknown): Engines => {
  if (!isTable(engines))
    throw refuse(path, lineOfKey(source, "", "engines"), "engines", "is no table", "Write [engines.NAME].")
  return Object.fromEntries(Object.entries(engines).map(([name, value]) => [name, readOne(path, source, name, value)]))
}

const readOne = (path: string, source: string, name: string, value: unknown): Engines[string] => {
  const section = ["engines", name]
  const at = (key: string, problem: string, accepts: string) =>
    refuse(path, lineOfKey(source, section, key), [...section, key].filter(Boolean).join("."), problem, accepts)
  if (!names.some((known) => known === name)) throw at("", "unknown", `Known: ${names.join(", ")}.`)
  if (!isTable(value)) throw at("", "is no table", `Write [engines.${name}], and its fields below.`)
  const unknown = Object.keys(value).find((key) => !engineFields.some((field) => field === key))
  if (unknown !== undefined) throw at(unknown, "unknown", `Known: ${engineFields.join(", ")}.`)
  return { command: commandOf(entryIn(value, at)) }
}

const entryIn = (value: Table, at: (key: string, problem: string, accepts: string) => Error): EngineEntry =>
  Either.getOrThrowWith(decode(value), (error) => {
    const why = explain(error)
    const expected = fact(why, "expected")
    return at(fact(why, "field") ?? "", expected === undefined ? why.what : `must be ${String(expected)}`, why.todo)
  })
