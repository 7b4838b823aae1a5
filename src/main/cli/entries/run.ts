/** `rbee models set|unset|entries`: models under names of one's own, in the configuration's file. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Struct from "effect/Struct"
import { decoder } from "../../../machines/formats/json/decode.ts"
import type { Value } from "../../../layers/model-entries/edit.ts"
import { entriesNow } from "../../../layers/model-entries/file.ts"
import { pathRef } from "../../../layers/model-entries/path-ref.ts"
import { setEntry, unsetDefault, unsetEntry } from "../../../layers/model-entries/one-entry.ts"
import { didYouMean } from "../../../layers/model-entries/read.ts"
import { type Entry, entryNamed } from "../../../machines/entries/entries.ts"
import { entryFields, ModelEntry } from "../../../machines/entries/entry.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { askedFor } from "../asked-for.ts"
import type { Listed } from "../../../protocol/queen/finding.ts"
import type { Context } from "../spec.ts"
import { roomOf, table } from "../table.ts"

const usage = (what: string, todo: string) => rbeeError("INVALID_REQUEST", what, todo, { usage: true })

const isField = (key: string): boolean => entryFields.some((field) => field === key)

const takes = (field: string, value: unknown): boolean =>
  Either.isRight(decoder(ModelEntry)({ ref: "minillama", [field]: value }))

/** As the field takes it: a text, a number, yes or no. Lists are said item by item; of names, with commas too. */
const valueOf = (field: string, texts: ReadonlyArray<string>): Exclude<Value, undefined> => {
  if (takes(field, ["a"])) return field === "aliases" ? texts.flatMap((text) => text.split(",")) : [...texts]
  const text = texts.at(-1) ?? ""
  if (field === "ref") return pathRef(process.cwd(), text)
  if (takes(field, text)) return text
  if (text === "true" || text === "false") return text === "true"
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text
}

/** `temperature=0.2 stop=a stop=b` */
const given = (words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const texts = new Map<string, Array<string>>()
    for (const word of words) {
      const [, field, text] = /^([^=]+)=(.*)$/s.exec(word) ?? []
      if (field === undefined || text === undefined)
        return yield* Effect.fail(usage(`${word.slice(0, 60)} is no FIELD=VALUE`, "For example temperature=0.2"))
      if (!isField(field)) return yield* Effect.fail(usage(`${field.slice(0, 60)} is no field`, didYouMean(field)))
      texts.set(field, [...(texts.get(field) ?? []), text])
    }
    return Object.fromEntries([...texts].map(([field, all]) => [field, valueOf(field, all)] as const))
  })

const say = (context: Context, text: string): number => {
  context.terminal.stdout.write(`${text}\n`)
  return 0
}

export const set = (
  words: ReadonlyArray<string>,
  isDefault: boolean,
  context: Context
): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const [name = "", ...rest] = words
    const fields = yield* given(rest)
    if (rest.length === 0 && !isDefault)
      return yield* Effect.fail(usage("nothing is set", `For example rbee models set ${name} temperature=0.2`))
    const { config } = context.settings.home
    const now = yield* setEntry(config, { name, fields, isDefault }, askedFor, usage)
    if (rest.length > 0) say(context, `model ${now.name} is ${now.entry?.ref ?? ""} (${config})`)
    return isDefault ? say(context, `${now.model} runs where no model is named (${config})`) : 0
  })

export const unset = (
  words: ReadonlyArray<string>,
  isDefault: boolean,
  context: Context
): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const [name, ...fields] = words
    if (name === undefined && !isDefault)
      return yield* Effect.fail(usage("NAME is missing", "`rbee models entries` lists them"))
    const { config } = context.settings.home
    if (name === undefined) {
      yield* unsetDefault(config)
      return say(context, `no default model is set (${config})`)
    }
    const odd = fields.find((field) => !isField(field))
    if (odd !== undefined) return yield* Effect.fail(usage(`${odd.slice(0, 60)} is no field`, didYouMean(odd)))
    const was = yield* unsetEntry(config, name, fields, isDefault)
    say(
      context,
      was.isWhole ? `model ${was.name} is no name any more (${config})` : `model ${was.name} changed (${config})`
    )
    return was.wasDefault ? say(context, "it was the default, which is minillama again") : 0
  })

const heads = ["NAME", "MODEL", "ALIASES", "DEFAULTS"]

const shown = (entry: Entry): string =>
  Object.entries(Struct.omit(entry, "aliases", "name", "ref"))
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => `${field}=${JSON.stringify(value)}`)
    .join(" ")

export const list = (json: boolean, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.map(entriesNow(context.settings.home.config), (entries) => {
    const { all, defaultModel } = entries
    const listed: Listed = { default_model: defaultModel ?? null, models: all }
    if (json) return say(context, JSON.stringify(listed))
    const byDefault = entryNamed(entries, defaultModel ?? "")?.name
    const rows = all.map((entry) => [
      entry.name === byDefault ? `${entry.name} (default)` : entry.name,
      entry.ref,
      (entry.aliases ?? []).join(", "),
      shown(entry)
    ])
    if (rows.length === 0) say(context, "no names of your own; `rbee models set NAME ref=MODEL` gives one")
    else context.terminal.stdout.write(table(heads, rows, roomOf(context.terminal.stdout)))
    return defaultModel === undefined || byDefault !== undefined
      ? 0
      : say(context, `${defaultModel} runs where no model is named`)
  })
