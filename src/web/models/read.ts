/** What the queen says of models, as the page shows it. */
import { maybeNumber, maybeText, number, objects, text, texts, type Fields, fields } from "../kit/fields.ts"

export interface Copy {
  readonly ref: string
  readonly hive: string
  readonly bytes: number
  readonly quantization: string
  readonly context: number
  readonly purpose: string
  readonly isPinned: boolean
  readonly isInUse: boolean
}

export const copiesIn = (answer: unknown): ReadonlyArray<Copy> =>
  objects(answer).map((copy) => ({
    ref: text(copy["model_ref"]),
    hive: text(copy["hive"]),
    bytes: number(copy["bytes"]),
    quantization: text(copy["quantization"]),
    context: number(copy["context"]),
    purpose: text(copy["purpose"]),
    isPinned: copy["pinned"] === true,
    isInUse: copy["in_use"] === true
  }))

export interface Download {
  readonly hive: string
  readonly id: string
  readonly ref: string
  readonly received: number
  /** undefined: it is still looked for */
  readonly total: number | undefined
  readonly rate: number
}

export const downloadsIn = (answer: unknown): ReadonlyArray<Download> =>
  objects(answer).map((one) => ({
    hive: text(one["hive"]),
    id: text(one["id"]),
    ref: text(one["model_ref"]),
    received: number(one["received"]),
    total: maybeNumber(one["total"]),
    rate: number(one["rate"])
  }))

export interface Offered {
  readonly ref: string
  readonly name: string
  readonly bytes: number
}

export interface Repository {
  readonly repo: string
  readonly downloads: number | undefined
  readonly likes: number | undefined
  readonly isGated: boolean
  readonly models: ReadonlyArray<Offered>
  readonly problem: string | undefined
}

const offeredIn = (one: Fields): Offered => ({
  ref: text(one["ref"]),
  name: text(one["quantization"]) || text(one["file"]),
  bytes: number(one["bytes"])
})

export const repositoriesIn = (answer: unknown): ReadonlyArray<Repository> =>
  objects(answer).map((repo) => ({
    repo: text(repo["repo"]),
    downloads: maybeNumber(repo["downloads"]),
    likes: maybeNumber(repo["likes"]),
    isGated: repo["gated"] === true,
    models: objects(repo["models"]).map(offeredIn),
    problem: maybeText(repo["problem"])
  }))

export interface Place {
  readonly hive: string
  readonly device: string
  readonly name: string
  readonly fits: "yes" | "if_unloaded" | "no"
  readonly context: number
  readonly slots: number
  readonly memoryMb: number
  readonly availableMb: number
  /** undefined: nothing is known that would tell */
  readonly tokensPerS: number | undefined
}

/** One of a repository's models, on every device. */
export interface Fit extends Offered {
  readonly places: ReadonlyArray<Place>
}

const placeIn = (row: Fields): Place => ({
  hive: text(row["hive"]),
  device: text(row["device"]),
  name: text(row["name"]),
  fits: row["fits"] === "yes" || row["fits"] === "if_unloaded" ? row["fits"] : "no",
  context: number(row["context"]),
  slots: number(row["slots"]),
  memoryMb: number(row["memory_mb"]),
  availableMb: number(row["available_mb"]),
  tokensPerS: maybeNumber(row["tokens_per_s"])
})

/** The queen tells a row for each model and device. */
export const fitsIn = (answer: unknown): ReadonlyArray<Fit> => {
  const found = new Map<string, Fit>()
  for (const row of objects(answer)) {
    const offered = offeredIn(row)
    const { places } = found.get(offered.ref) ?? { places: [] }
    found.set(offered.ref, { ...offered, places: [...places, placeIn(row)] })
  }
  return [...found.values()]
}

/** Names of one's own: what each is, and what it sets. */
export interface Entry {
  readonly name: string
  readonly ref: string
  readonly aliases: ReadonlyArray<string>
  /** as the configuration has them */
  readonly sets: Fields
}

export interface Entries {
  readonly all: ReadonlyArray<Entry>
  readonly defaultModel: string | undefined
}

export const entriesIn = (answer: unknown): Entries => {
  const { default_model, models } = fields(answer)
  return {
    defaultModel: maybeText(default_model),
    all: objects(models).map(({ aliases, name, ref, ...sets }) => ({
      name: text(name),
      ref: text(ref),
      aliases: texts(aliases),
      sets
    }))
  }
}

const shown = (value: unknown): string =>
  typeof value === "string" ? (value.length > 60 ? `${value.slice(0, 59)}…` : value) : JSON.stringify(value)

/** `temperature 0.2 · system You are …` */
export const whatIsSet = ({ sets }: Entry): string =>
  Object.entries(sets)
    .map(([field, value]) => `${field.replaceAll("_", " ")} ${shown(value)}`)
    .join(" · ")
