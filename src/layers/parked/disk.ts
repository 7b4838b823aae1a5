/** Parked files in the hive's folder, which this user alone can read, sealed by a secret that is made with the first. */
import { createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ensureSecretFile } from "../keys/own-token.ts"
import { filesIn, type Found, remove } from "./folder.ts"
import { type Held, Parked, type Saved } from "./index.ts"

const sum = (files: ReadonlyArray<Found>): Held => ({
  files: files.length,
  bytes: files.reduce((bytes, one) => bytes + one.bytes, 0)
})

/** Undefined: the folder takes no file. */
const secretIn = (file: string): string | undefined => {
  try {
    ensureSecretFile(file, "parked_")
    return readFileSync(file, "utf8").trim()
  } catch {
    return undefined
  }
}

/** `folder`: the hive's. Where nothing may be kept, what was kept before is deleted. */
export const layerDisk = (options: { readonly folder: string; readonly maxBytes: number }): Layer.Layer<never> => {
  const { maxBytes } = options
  const folder = join(options.folder, "parked")
  let secret: string | undefined
  let saved: Saved = { answers: 0, tokens: 0 }
  const files = Effect.promise(() => filesIn(folder))
  const clear = (scope?: string) =>
    Effect.gen(function* () {
      const all = yield* files
      const gone = scope === undefined ? all : all.filter((one) => one.scope === scope)
      yield* Effect.promise(() => Promise.all(gone.map(({ path }) => remove(path).catch(() => undefined))))
      return sum(gone)
    })
  const parked: Parked["Type"] = {
    placeOf: (modelFile) => {
      if (maxBytes === 0) return undefined
      secret ??= secretIn(join(options.folder, "parked.secret"))
      if (secret === undefined) return undefined
      // a worker that its model has taken over can forge nothing that another model's worker believes
      return { folder, maxBytes, key: createHmac("sha256", secret).update(modelFile).digest("hex") }
    },
    clear,
    held: Effect.map(files, sum),
    restored: (tokens) => {
      saved = { answers: saved.answers + 1, tokens: saved.tokens + tokens }
    },
    saved: () => saved
  }
  return Layer.effect(Parked, Effect.as(maxBytes === 0 ? clear() : Effect.void, parked))
}
