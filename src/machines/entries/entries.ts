/** Entries by all of their names: which names can be one, and what an entry is that stands on another. */
import * as Either from "effect/Either"
import * as Struct from "effect/Struct"
import { acceptedForms, bundledModel, parseModelRef } from "../formats/model-ref.ts"
import { isName } from "../formats/model-name.ts"
import type { ModelEntry } from "./entry.ts"

/** An entry with all that it has of those that it stands on: `ref` is no other entry's name. */
export interface Entry extends ModelEntry {
  readonly name: string
}

export interface Entries {
  /** each once, as they are written */
  readonly all: ReadonlyArray<Entry>
  /** by every name and alias, folded */
  readonly named: ReadonlyMap<string, Entry>
  /** what runs where no model is named */
  readonly defaultModel: string | undefined
}

export const noEntries: Entries = { all: [], named: new Map(), defaultModel: undefined }

/** What is wrong, and where. */
export interface Fault {
  readonly name: string
  readonly field: "" | "aliases" | "only_there" | "ref"
  readonly problem: string
  readonly accepts: string
}

/** In any case, and with the tag that Ollama's users write. */
const folded = (name: string): string => name.toLowerCase().replace(/:latest$/, "")

export const entryNamed = ({ named }: Pick<Entries, "named">, name: string): Entry | undefined =>
  named.size === 0 ? undefined : named.get(folded(name))

/** By what a model is found: an entry's name is not, what it stands for is. */
export const unaliased = (entries: Pick<Entries, "named">, name: string): string =>
  entryNamed(entries, name)?.ref ?? name

/** The same name, to those who ask for it. */
export const isSameName = (one: string, other: string): boolean => folded(one) === folded(other)

const nameForm = /^[\p{L}\p{N}](?:[\p{L}\p{N}_.:/@+ -]{0,126}[\p{L}\p{N}_.+-])?$/u

/** Why this can be no entry's name; undefined: it can. */
const unfit = (name: string): string | undefined => {
  if (!nameForm.test(name)) return "is no name: letters, digits and _ . : / @ + - make one, 128 at most"
  if (/^(hf|file|https?):|^(www\.)?(hf\.co|huggingface\.co)\//i.test(name))
    return "is a reference, which says itself what it is"
  if (folded(name) === bundledModel)
    return `is the model that ships with rbee: give the entry a name of its own, with ref = "${bundledModel}"`
  return undefined
}

const nameFaults = (name: string, { aliases = [] }: ModelEntry): ReadonlyArray<Fault> =>
  [name, ...aliases].flatMap((each, at) => {
    const problem = unfit(each)
    return problem === undefined
      ? []
      : [{ name, field: at === 0 ? "" : "aliases", problem: `"${each.slice(0, 60)}" ${problem}`, accepts: "" } as const]
  })

type Written = ReadonlyMap<string, ModelEntry>

/** Who has which name; two that have the same one are a fault. */
const ownersOf = (written: Written): Either.Either<ReadonlyMap<string, string>, Fault> => {
  const owners = new Map<string, string>()
  for (const [name, entry] of written) {
    const [bad] = nameFaults(name, entry)
    if (bad !== undefined) return Either.left(bad)
    for (const each of new Set([name, ...(entry.aliases ?? [])].map(folded))) {
      const other = owners.get(each)
      if (other !== undefined) {
        const problem = `"${each}" is a name of [models.${other}] already`
        return Either.left({ name, field: folded(name) === each ? "" : "aliases", problem, accepts: "Each name once." })
      }
      owners.set(each, name)
    }
  }
  return Either.right(owners)
}

/** Where one says where it is to run, the other's place is none. */
const over = (below: ModelEntry, own: ModelEntry): ModelEntry => {
  const isPlaced = own.hive !== undefined || own.device !== undefined
  return {
    ...(isPlaced ? Struct.omit(below, "aliases", "device", "hive", "only_there") : Struct.omit(below, "aliases")),
    ...own,
    ref: below.ref
  }
}

/** With all that it has of those that it stands on. */
const standing = (
  name: string,
  written: Written,
  owners: ReadonlyMap<string, string>,
  above: ReadonlyArray<string> = []
): Either.Either<ModelEntry, Fault> => {
  const own = written.get(name)
  if (own === undefined) return Either.left({ name, field: "ref", problem: "is not there", accepts: "" })
  const base = owners.get(folded(own.ref))
  const path = [...above, name]
  if (base === undefined) return Either.right(own)
  if (path.includes(base)) {
    const round = [...path.slice(path.indexOf(base)), base].join(" → ")
    return Either.left({
      name,
      field: "ref",
      problem: `the entries go round: ${round}`,
      accepts: "One of them has to name a model."
    })
  }
  return Either.map(standing(base, written, owners, path), (below) => over(below, own))
}

export const isModel = (text: string): boolean => Either.isRight(parseModelRef(text)) || isName(text)

/** Of tables whose fields were read. */
export const entriesOf = (written: Written): Either.Either<Omit<Entries, "defaultModel">, Fault> =>
  Either.gen(function* () {
    const owners = yield* ownersOf(written)
    const all: Array<Entry> = []
    const named = new Map<string, Entry>()
    for (const name of written.keys()) {
      const entry = { ...(yield* standing(name, written, owners)), name }
      if (!isModel(entry.ref))
        return yield* Either.left({
          name,
          field: "ref",
          problem: "names no model",
          accepts: `Accepted: ${acceptedForms}.`
        } as const)
      if (entry.only_there !== undefined && entry.hive === undefined && entry.device === undefined)
        return yield* Either.left({
          name,
          field: "only_there",
          problem: "says nothing where neither hive nor device is said",
          accepts: 'For example hive = "gpu-box".'
        } as const)
      all.push(entry)
      for (const each of [name, ...(entry.aliases ?? [])]) named.set(folded(each), entry)
    }
    return { all, named }
  })
