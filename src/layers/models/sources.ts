/** Sources without a network: the model in the package, and files on the hive's machine. */
import { createReadStream, existsSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { rbeeError } from "../../machines/errors.ts"
import { partsOf } from "../../machines/formats/gguf/split.ts"
import type { ResolveError } from "./index.ts"
import type { Located, LocatedFile, ModelSource } from "./source.ts"

/** What the package ships. A copy with another hash is damaged. */
const minillama = {
  name: "minillama-q8_0.gguf",
  sha256: "937e20bf0689dd4384958ce2419567781e11b401d48bdb6e22b8e332c7fed221"
}
const chunkBytes = 1024 * 1024

/** The package's models, found from this file upwards: it runs from src, and bundled from dist and dist/chunks. */
export const bundledFolder = (): string | undefined => {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const models = join(folder, "models", "minillama")
    if (existsSync(join(models, minillama.name))) return models
    const parent = dirname(folder)
    if (parent === folder) return undefined
    folder = parent
  }
}

/** The model in the package, if it is there. */
export const bundledFile = (): string | undefined => {
  const folder = bundledFolder()
  return folder === undefined ? undefined : join(folder, minillama.name)
}

const sizeOf = (file: string): number | undefined => {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat?.isFile() === true ? stat.size : undefined
}

const openFile =
  (file: string) =>
  (offset: number, _?: AbortSignal, length = Number.POSITIVE_INFINITY) =>
    createReadStream(file, {
      start: offset,
      end: offset + length - 1,
      highWaterMark: Math.min(chunkBytes, length)
    }) as AsyncIterable<Uint8Array>

export const bundled = (folder: string | undefined): ModelSource => ({
  locate: (ref) => {
    if (ref._tag !== "Bundled") return undefined
    return Effect.suspend((): Effect.Effect<Located, ResolveError> => {
      const file = folder === undefined ? undefined : join(folder, minillama.name)
      const bytes = file === undefined ? undefined : sizeOf(file)
      if (file === undefined || bytes === undefined) {
        return Effect.fail(
          rbeeError("MODEL_NOT_FOUND", "the bundled model is missing from this installation", "Install rbee anew")
        )
      }
      return Effect.succeed<Located>({
        ref: ref.ref,
        files: [{ ...minillama, bytes, inPlace: undefined, open: openFile(file) }]
      })
    })
  }
})

/** A split model is named by any of its files; all of them have to be there. */
export const files: ModelSource = {
  locate: (ref) => {
    if (ref._tag !== "File") return undefined
    const [first, ...others] = partsOf(ref.path)
    return Effect.map(Effect.all([fileAt(first), Effect.forEach(others, fileAt)]), ([head, rest]): Located => ({
      ref: ref.ref,
      files: [head, ...rest]
    }))
  }
}

const fileAt = (path: string): Effect.Effect<LocatedFile, ResolveError> =>
  Effect.suspend(() => {
    const bytes = statSafely(path)
    if (typeof bytes === "number") {
      return Effect.succeed({ name: basename(path), bytes, sha256: undefined, inPlace: path, open: openFile(path) })
    }
    return Effect.fail(
      bytes === "denied"
        ? rbeeError(
            "MODEL_ACCESS_DENIED",
            `file:${path} cannot be read`,
            "Give the user of the hive access to the file"
          )
        : rbeeError(
            "MODEL_NOT_FOUND",
            `there is no file:${path} on the hive's machine`,
            "Check the path; it must be there, not here"
          )
    )
  })

const statSafely = (file: string): number | "denied" | undefined => {
  try {
    return sizeOf(file)
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    return code === "EACCES" || code === "EPERM" ? "denied" : undefined
  }
}
