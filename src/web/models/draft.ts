/** A preset while it is written, and what of it is to be told to the queen. */
import type { Entry } from "./read.ts"

/** Texts as they are typed; empty: not said. */
export interface Draft {
  readonly name: string
  readonly ref: string
  readonly system: string
  readonly temperature: string
  readonly max_tokens: string
  readonly context: string
  readonly reasoning: string
  readonly keep_loaded: boolean
}

const typed = ["ref", "system", "temperature", "max_tokens", "context", "reasoning"] as const
const numbers: ReadonlySet<string> = new Set(["temperature", "max_tokens", "context"])

const asTyped = (value: unknown): string => (value === undefined ? "" : String(value))

export const draftOf = (entry: Entry | undefined): Draft => ({
  name: entry?.name ?? "",
  ref: entry?.ref ?? "",
  system: asTyped(entry?.sets["system"]),
  temperature: asTyped(entry?.sets["temperature"]),
  max_tokens: asTyped(entry?.sets["max_tokens"]),
  context: asTyped(entry?.sets["context"]),
  reasoning: asTyped(entry?.sets["reasoning"]),
  keep_loaded: entry?.sets["keep_loaded"] === true
})

/** What differs alone, so that the rest of the entry stays as its owner wrote it. */
export const changeOf = (
  entry: Entry | undefined,
  draft: Draft
): { readonly fields: Readonly<Record<string, unknown>>; readonly unset: ReadonlyArray<string> } => {
  const before = draftOf(entry)
  const changed = typed.filter((field) => draft[field].trim() !== before[field].trim())
  const said = changed.filter((field) => draft[field].trim() !== "")
  const kept = draft.keep_loaded === before.keep_loaded ? [] : [draft.keep_loaded]
  return {
    fields: {
      ...Object.fromEntries(
        said.map((field) => [field, numbers.has(field) ? Number(draft[field]) : draft[field].trim()])
      ),
      ...(kept[0] === true ? { keep_loaded: true } : {})
    },
    unset: [...changed.filter((field) => !said.includes(field)), ...(kept[0] === false ? ["keep_loaded"] : [])]
  }
}
