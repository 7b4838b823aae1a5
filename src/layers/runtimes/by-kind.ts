/** The runtimes of all kinds of workers, out of those of each. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { rbeeError } from "../../machines/errors.ts"
import type { KindId } from "../../machines/vocabulary/kind.ts"
import { type KindRuntimes, Runtimes } from "./index.ts"

/** A kind that needs nothing but what rbee itself was installed with. */
export const builtIn = (version: string): KindRuntimes => {
  const place = { version, folder: undefined }
  return {
    find: () => Effect.succeed(place),
    install: () => Effect.succeed(place),
    prove: () => Effect.succeed("unclear" as const),
    learn: () => Effect.succeed(undefined),
    read: () => Effect.succeed(undefined),
    sweep: Effect.void
  }
}

/** Of a kind that nobody knows. */
const none: KindRuntimes = {
  find: () => Effect.succeed(undefined),
  install: (backend) =>
    Effect.fail(
      rbeeError("BACKEND_UNAVAILABLE", "this hive has no such kind of worker", "Choose another model", { backend })
    ),
  prove: () => Effect.succeed("unclear" as const),
  learn: () => Effect.succeed(undefined),
  read: () => Effect.succeed(undefined),
  sweep: Effect.void
}

/** By the id of the kind. */
export const layerByKind = <R>(
  kinds: Readonly<Record<string, Effect.Effect<KindRuntimes, never, R>>>
): Layer.Layer<Runtimes, never, R> =>
  Layer.effect(
    Runtimes,
    Effect.map(Effect.all(kinds), (made) => {
      const of = (kind: KindId): KindRuntimes => made[kind] ?? none
      return {
        find: (kind, backend) => of(kind).find(backend),
        install: (kind, backend, onProgress) => of(kind).install(backend, onProgress),
        prove: (kind, device) => of(kind).prove(device),
        learn: (kind, file) => of(kind).learn(file),
        read: (kind, file, question) => of(kind).read(file, question),
        sweep: Effect.forEach(Object.values(made), ({ sweep }) => sweep, { discard: true })
      }
    })
  )
