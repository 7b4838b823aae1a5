/** The entries in a configuration, judged: field by field, then among each other. */
import { dirname } from "node:path"
import * as Either from "effect/Either"
import { decoder } from "../../machines/formats/json/decode.ts"
import { explain } from "../../protocol/explain.ts"
import { type Entries, entriesOf, entryNamed, isModel } from "../../machines/entries/entries.ts"
import { entryFields, ModelEntry } from "../../machines/entries/entry.ts"
import { nearest } from "../../machines/formats/nearest.ts"
import type { RbeeError } from "../../machines/errors.ts"
import { fact } from "../../machines/facts.ts"
import { isTable, lineOfKey, refuse, type Table } from "../settings/toml.ts"
import { pathRef } from "./path-ref.ts"

type Invalid = RbeeError<"INVALID_REQUEST">

/** A configuration, parsed. */
export interface Written {
  readonly path: string
  readonly source: string
  readonly table: Table
}

const decode = decoder(ModelEntry)

export const didYouMean = (key: string): string => {
  const meant = nearest(key, entryFields)
  return `${meant === undefined ? "" : `Did you mean ${meant}? `}Known: ${entryFields.join(", ")}.`
}

/** One entry; `at` says where a field of it stands. */
export const readEntry = (
  value: Table,
  at: (field: string, problem: string, accepts: string) => Invalid
): Either.Either<ModelEntry, Invalid> =>
  Either.gen(function* () {
    const unknown = Object.keys(value).find((key) => !entryFields.some((field) => field === key))
    if (unknown !== undefined) return yield* Either.left(at(unknown, "unknown", didYouMean(unknown)))
    if (value["ref"] === undefined)
      return yield* Either.left(
        at("ref", "is missing: the model that it is", 'For example ref = "HF:author/repo:Q4_K_M".')
      )
    return yield* Either.mapLeft(decode(value), (error) => {
      const why = explain(error)
      const expected = fact(why, "expected")
      return at(fact(why, "field") ?? "", expected === undefined ? why.what : `must be ${String(expected)}`, why.todo)
    })
  })

const tablesOf = ({ path, source, table }: Written): Either.Either<ReadonlyArray<readonly [string, Table]>, Invalid> =>
  Either.gen(function* () {
    const { models = {} } = table
    if (!isTable(models))
      return yield* Either.left(
        refuse(path, lineOfKey(source, "", "models"), "models", "is no table", "Write [models.NAME].")
      )
    const found: Array<readonly [string, Table]> = []
    for (const [name, value] of Object.entries(models)) {
      if (!isTable(value))
        return yield* Either.left(
          refuse(
            path,
            lineOfKey(source, "models", name),
            `models.${name}`,
            "is no table",
            `Write [models.${name}], and its fields below.`
          )
        )
      found.push([name, value])
    }
    return found
  })

const defaultOf = (
  { path, source, table }: Written,
  { named }: Pick<Entries, "named">
): Either.Either<string | undefined, Invalid> => {
  const { default_model: name } = table
  if (name === undefined) return Either.right(undefined)
  const model = typeof name === "string" ? pathRef(dirname(path), name) : ""
  if (entryNamed({ named }, model) !== undefined || isModel(model)) return Either.right(model)
  const accepts = "Accepted: an entry's name, or a model's reference."
  return Either.left(refuse(path, lineOfKey(source, "", "default_model"), "default_model", "names no model", accepts))
}

/** All of them, or the first thing that is wrong, with its line. */
export const readEntries = (written: Written): Either.Either<Entries, Invalid> =>
  Either.gen(function* () {
    const { path, source } = written
    const folder = dirname(path)
    const read = new Map<string, ModelEntry>()
    for (const [name, value] of yield* tablesOf(written)) {
      const section = ["models", name]
      const at = (field: string, problem: string, accepts: string) => {
        const [key = ""] = field.split(/[.[]/)
        return refuse(path, lineOfKey(source, section, key), [...section, field].join("."), problem, accepts)
      }
      const entry = yield* readEntry(value, at)
      read.set(name, { ...entry, ref: pathRef(folder, entry.ref) })
    }
    const entries = yield* Either.mapLeft(entriesOf(read), ({ accepts, field, name, problem }) =>
      field === ""
        ? refuse(path, lineOfKey(source, "models", name), `models.${name}`, problem, accepts)
        : refuse(path, lineOfKey(source, ["models", name], field), `models.${name}.${field}`, problem, accepts)
    )
    return { ...entries, defaultModel: yield* defaultOf(written, entries) }
  })
