/** How the models of a hive write, by their chat templates: learned once, by a worker or for who asks. */
import * as Effect from "effect/Effect"
import type { ModelRow } from "../../../layers/hive-catalog/index.ts"
import type { Dialect, LearnedDialect } from "../../../machines/dialect/dialect.ts"
import { kindFor } from "../../../machines/kinds/kind.ts"
import type { Ports } from "../common/ports.ts"
import type { ModelRef } from "../../../machines/vocabulary/ids.ts"

/** What a process of this version found of the model's template. A store that fails has it learned anew. */
export const knownDialect = (ports: Ports, ref: string): Effect.Effect<LearnedDialect | undefined> =>
  Effect.gen(function* () {
    const { catalog, settings } = ports
    const hash = (yield* catalog.models.all).find((row) => row.ref === ref)?.templateHash
    if (hash === undefined) return undefined
    const row = (yield* catalog.dialects.all).find(({ template }) => template === hash)
    return row?.version === settings.version ? { template: row.template, dialect: row.dialect } : undefined
  }).pipe(Effect.orElseSucceed(() => undefined))

/** So that nobody need learn it again. */
export const keepDialect = (
  ports: Ports,
  ref: ModelRef,
  { dialect, template }: LearnedDialect
): Effect.Effect<void> => {
  const { catalog, settings } = ports
  return Effect.zipRight(
    catalog.dialects.put({ template, version: settings.version, dialect }),
    catalog.models.mark(ref, { templateHash: template })
  ).pipe(Effect.ignoreLogged)
}

/** The same, and of a model that was never loaded it is learned now. Undefined: it has no template. */
export const learnedDialect = (ports: Ports, { file, ref }: ModelRow): Effect.Effect<Dialect | undefined> =>
  Effect.gen(function* () {
    const known = yield* knownDialect(ports, ref)
    if (known !== undefined) return known.dialect
    const found = yield* ports.runtimes.learn(kindFor(ports.kinds, ref).id, file)
    if (found?.template !== undefined)
      yield* keepDialect(ports, ref, { template: found.template, dialect: found.dialect })
    return found?.dialect
  })
