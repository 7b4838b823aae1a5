/** One entry of the configuration's file, made, changed or taken out: by a command and by the queen's page alike. */
import * as Effect from "effect/Effect"
import { type Entries, type Entry, entryNamed } from "../../machines/entries/entries.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { isTable, type Table } from "../settings/toml.ts"
import type { Value } from "./edit.ts"
import { entriesNow } from "./file.ts"
import { readEntry } from "./read.ts"
import { change, written } from "./write.ts"

export interface EntryChange {
  readonly name: string
  readonly fields: Readonly<Record<string, Exclude<Value, undefined>>>
  readonly unset?: ReadonlyArray<string>
  readonly isDefault: boolean
}

type Refuse = (what: string, todo: string) => RbeeError<"INVALID_REQUEST">

const refused: Refuse = (what, todo) => rbeeError("INVALID_REQUEST", what, todo)

const tableAt = (whole: Table, name: string): Table | undefined => {
  const models = whole["models"]
  const own = isTable(models) ? models[name] : undefined
  return isTable(own) ? own : undefined
}

const without = (table: Table, names: ReadonlyArray<string>): Table =>
  Object.fromEntries(Object.entries(table).filter(([name]) => !names.includes(name)))

/**
 * What the entry is called, and what it is then. `modelOf`: what a name stands for that is no entry's, where that is to
 * be the default.
 */
export const setEntry = <E>(
  config: string,
  { fields, isDefault, name, unset = [] }: EntryChange,
  modelOf: (name: string) => Effect.Effect<string, E>,
  refuse: Refuse = refused
) =>
  Effect.gen(function* () {
    const now = yield* written(config)
    // by another of its names it is the same entry
    const own = entryNamed(yield* entriesNow(config), name)?.name ?? name
    const there = tableAt(now.table, own)
    const said = Object.entries(fields)
    const isChanged = said.length > 0 || unset.length > 0
    if (isChanged)
      yield* readEntry({ ...without(there ?? {}, unset), ...fields }, (field, problem, accepts) =>
        refuse(`${field} ${problem}`, accepts)
      )
    const model = there !== undefined || isChanged ? own : yield* modelOf(name)
    const changes: Parameters<typeof change>[1] =
      there === undefined
        ? said.length === 0
          ? []
          : [[["models", own], { ...fields }]]
        : [
            ...said.map(([field, value]) => [["models", own, field], value] as const),
            ...unset.filter((field) => field in there).map((field) => [["models", own, field], undefined] as const)
          ]
    const entries = yield* change(now, [...changes, ...(isDefault ? [[["default_model"], model] as const] : [])])
    return { name: own, model, entry: entryNamed(entries, own) }
  })

/** Entries that stand on this one, by the file. */
const standingOn = (entry: Entry, entries: Entries, whole: Table): ReadonlyArray<string> =>
  entries.all.flatMap(({ name }) => {
    const ref = tableAt(whole, name)?.["ref"]
    return typeof ref === "string" && entryNamed(entries, ref)?.name === entry.name ? [name] : []
  })

const noDefault = [["default_model"], undefined] as const

/** No model is the default any more. */
export const unsetDefault = (config: string) =>
  Effect.flatMap(written(config), (now) => Effect.asVoid(change(now, [noDefault])))

/** The fields, or where none is named the whole entry; `isDefault`: it is the default no more either. */
export const unsetEntry = (config: string, name: string, fields: ReadonlyArray<string>, isDefault: boolean) =>
  Effect.gen(function* () {
    const now = yield* written(config)
    const entries = yield* entriesNow(config)
    const entry = entryNamed(entries, name)
    if (entry === undefined)
      return yield* rbeeError("MODEL_NOT_FOUND", `there is no entry ${name}`, "`rbee models entries` lists them")
    const isWhole = fields.length === 0
    const [other] = isWhole ? standingOn(entry, entries, now.table) : []
    if (other !== undefined)
      return yield* rbeeError("CONFLICT", `[models.${other}] stands on it`, `First: \`rbee models unset ${other}\``)
    const wasDefault = isWhole && entryNamed(entries, entries.defaultModel ?? "")?.name === entry.name
    const gone = isWhole
      ? [[["models", entry.name], undefined] as const]
      : fields.map((field) => [["models", entry.name, field], undefined] as const)
    yield* change(now, [...gone, ...(isDefault || wasDefault ? [noDefault] : [])])
    return { name: entry.name, isWhole, wasDefault }
  })
