/** The port by which the queen changes entries of the configuration. */
import type * as Effect from "effect/Effect"
import type { ModelEntry } from "../../machines/entries/entry.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"

export interface WantedEntry {
  readonly name: string
  readonly fields: { readonly [Field in keyof ModelEntry]?: ModelEntry[Field] | undefined }
  readonly unset: ReadonlyArray<keyof ModelEntry>
  readonly isDefault: boolean
}

export interface EntryWriter {
  readonly set: (wanted: WantedEntry) => Effect.Effect<void, RbeeError<"INVALID_REQUEST">>
  readonly remove: (name: string) => Effect.Effect<void, RbeeError<"CONFLICT" | "INVALID_REQUEST" | "MODEL_NOT_FOUND">>
}

const none = () => rbeeError("INVALID_REQUEST", "there is no configuration that could be changed here", "")

/** Where there is no file. */
export const noWriter: EntryWriter = { set: none, remove: none }
