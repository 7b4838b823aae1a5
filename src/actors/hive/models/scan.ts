/** What other programs have left on this machine becomes models of the hive: used where it lies, never copied. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { CatalogError, ModelRow } from "../../../layers/hive-catalog/index.ts"
import type { FoundModel, Scan } from "../../../layers/models/index.ts"
import type { Ports } from "../common/ports.ts"
import { findModel, keepModel, rowOf } from "./models.ts"

export interface Remembered {
  readonly found: FoundModel
  readonly row: ModelRow
  readonly isNew: boolean
}

/** The row by which it is known already: by this name, by another, or by the same contents. */
const knownAs = (found: FoundModel, rows: ReadonlyArray<ModelRow>): ModelRow | undefined =>
  rows.find(({ ref }) => ref === found.ref) ??
  rows.find(({ ref }) => found.names.includes(ref)) ??
  rows.find(({ file, sha256 }) => file === found.file || (sha256 !== undefined && sha256 === found.sha256))

/** `others`: what is called by these names is another model now. */
const rowFor = (found: FoundModel, known: ModelRow | undefined, others: ReadonlySet<string>, now: number): ModelRow => {
  const fresh = rowOf(
    {
      ref: known?.ref ?? found.ref,
      file: found.file,
      sha256: found.sha256,
      owned: false,
      pinned: known?.pinned ?? false,
      why: "found on this machine",
      addedAt: known?.addedAt ?? now,
      lastUsedAt: known?.lastUsedAt
    },
    found.facts
  )
  const earlier = (known?.names ?? []).filter((name) => !others.has(name))
  const names = [found.ref, ...found.names, ...earlier].filter((name) => name !== fresh.ref)
  // what rbee brought stays what it is
  return { ...(known?.owned === true ? known : fresh), names: [...new Set(names)] }
}

/** Those whose files are gone are forgotten. */
export const scanModels = (
  ports: Ports,
  folders: ReadonlyArray<string>
): Effect.Effect<{ readonly scan: Scan; readonly models: ReadonlyArray<Remembered> }, CatalogError> =>
  Effect.gen(function* () {
    const scan = yield* ports.models.scan(folders)
    const there = yield* Effect.forEach(yield* ports.catalog.models.all, ({ ref }) => findModel(ports, ref))
    const rows = there.flatMap((row) => row ?? [])
    const now = yield* Clock.currentTimeMillis
    const models = yield* Effect.forEach(scan.models, (found) => {
      const known = knownAs(found, rows)
      const others = scan.models.filter((each) => each !== found).flatMap(({ names, ref }) => [ref, ...names])
      const row = rowFor(found, known, new Set<string>(others), now)
      return Effect.as(keepModel(ports, row), { found, row, isNew: known === undefined })
    })
    return { scan, models }
  })
