/** Entries changed in a configuration's file, for the queen. */
import * as Effect from "effect/Effect"
import * as Struct from "effect/Struct"
import type { Value } from "./edit.ts"
import type { EntryWriter } from "./index.ts"
import { setEntry, unsetEntry } from "./one-entry.ts"

/** As the file takes it: lists of its own. */
const valuesOf = (fields: object): Readonly<Record<string, Exclude<Value, undefined>>> =>
  Object.fromEntries(Object.entries(structuredClone(fields)).filter(([, value]) => value !== undefined))

/** Two that change the file at once would lose one's change. */
export const fileWriter = (config: string): EntryWriter => {
  const turns = Effect.unsafeMakeSemaphore(1)
  return {
    set: (wanted) =>
      Effect.asVoid(
        setEntry(config, { ...Struct.omit(wanted, "fields"), fields: valuesOf(wanted.fields) }, Effect.succeed)
      ).pipe(turns.withPermits(1)),
    remove: (name) => Effect.asVoid(unsetEntry(config, name, [], false)).pipe(turns.withPermits(1))
  }
}
