/** What a hive does with its catalog before anything else: it ends what an earlier hive left, and starts even. */
import * as Effect from "effect/Effect"
import type { CatalogError } from "../../../layers/hive-catalog/index.ts"
import { RbeeError } from "../../../machines/errors.ts"
import { runtimeNamed } from "../../../machines/kinds/kind.ts"
import { rebuild } from "./models.ts"
import { HiveWorld } from "../common/ports.ts"

/** Workers die with their hive; what is still there gets no time to say goodbye. */
const reapGraceMs = 0

export const openStore: Effect.Effect<void, CatalogError, HiveWorld> = Effect.gen(function* () {
  const ports = yield* HiveWorld
  const { catalog, kinds, models, processes, runtimes } = ports
  if (catalog.movedAside !== undefined && (yield* catalog.models.all).length === 0) {
    const count = yield* rebuild(ports)
    yield* Effect.logWarning(
      `the hive's catalog was damaged: moved to ${catalog.movedAside} and rebuilt with ${count} model(s) from disk`
    )
  }
  // By pid and start time, never by name: a pid may belong to somebody else by now.
  yield* Effect.forEach(
    yield* catalog.workers.all,
    ({ pid, start, worker }) =>
      Effect.gen(function* () {
        if (yield* processes.alive({ pid, start })) {
          yield* Effect.logWarning(`ending worker ${worker} (pid ${pid}) of a hive that is gone`)
          yield* processes.end({ pid, start }, reapGraceMs)
        }
        yield* catalog.workers.remove(worker)
      }),
    { concurrency: "unbounded", discard: true }
  )
  // Whoever held them is gone now.
  for (const { id } of yield* catalog.leases.all) yield* catalog.leases.remove(id)
  for (const { folder, kind } of yield* catalog.runtimes.all) {
    const named = runtimeNamed(kinds, kind)
    const place = named instanceof RbeeError ? undefined : yield* runtimes.find(named.kind, named.backend)
    if (place?.folder !== folder) yield* catalog.runtimes.remove(kind)
  }
  yield* runtimes.sweep
  yield* models.sweep
})
