/** Entries beside the models that are there. */
import * as Either from "effect/Either"
import { type Named, resolveName } from "../formats/model-name.ts"
import type { ModelRef } from "../vocabulary/ids.ts"
import type { Entries, Entry } from "./entries.ts"

export interface OwnName {
  readonly entry: Entry
  readonly name: string
  readonly ref: ModelRef
}

/** Each name of an entry, and what it stands for; what is not here and no reference is left out. */
export const namesAmong = ({ all }: Entries, copies: ReadonlyArray<Named>): ReadonlyArray<OwnName> =>
  all.flatMap((entry) => {
    const ref = Either.getOrUndefined(resolveName(entry.ref, copies))
    return ref === undefined ? [] : [entry.name, ...(entry.aliases ?? [])].map((name) => ({ entry, name, ref }))
  })
