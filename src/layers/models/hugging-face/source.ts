/** Models of Hugging Face, or of anything that has its routes: resolved here, kept in the shared cache. */
import { realpath } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import { chooseFile } from "../../../machines/hub-files.ts"
import type { ResolveError } from "../index.ts"
import type { Located, ModelSource } from "../source.ts"
import { type HubRef, makeApi } from "./api.ts"
import { partialsIn, repoCache } from "./cache.ts"
import { acquire } from "./lock.ts"
import type { HubSettings } from "./settings.ts"

const nameOf = (path: string): string => path.split(/[/\\]/).at(-1) ?? path

/** What an earlier download, of whatever tool, left in the cache. Undefined: nothing that fits. */
const fromCache = async (settings: HubSettings, ref: HubRef): Promise<Located | undefined> => {
  const cache = repoCache(settings.cache, ref)
  const here = await cache.offline()
  if (here === undefined) return undefined
  const chosen = chooseFile(ref, here.files)
  if (Either.isLeft(chosen)) return undefined
  const { bytes, path } = chosen.right.file
  const file = cache.snapshot(here.commit, path)
  // a blob is named by its hash, so it can be verified without anybody's word
  const blob = nameOf(await realpath(file).catch(() => ""))
  return {
    ref: ref.ref,
    name: nameOf(path),
    bytes,
    sha256: /^[0-9a-f]{64}$/.test(blob) ? blob : undefined,
    inPlace: file,
    open: () => {
      throw rbeeError("DOWNLOAD_FAILED", `${ref.ref} is used where it lies`)
    }
  }
}

const locate = async (settings: HubSettings, ref: HubRef, signal: AbortSignal): Promise<readonly [Located, string]> => {
  const cache = repoCache(settings.cache, ref)
  if (settings.offline) {
    const found = await fromCache(settings, ref)
    if (found !== undefined) return [found, "the cache has it"]
    throw rbeeError(
      "MODEL_NOT_FOUND",
      `${ref.ref} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it`,
      "Unset HF_HUB_OFFLINE, or use file:/absolute/path.gguf"
    )
  }
  const api = makeApi(settings)
  const chosen = chooseFile(ref, await api.list(ref, signal))
  if (Either.isLeft(chosen)) throw chosen.left
  const { file, why } = chosen.right
  const pinned = await api.pin(ref, file, signal)
  const { bytes, commit, sha256 } = pinned
  const located: Located = {
    ref: ref.ref,
    name: nameOf(file.path),
    bytes,
    sha256,
    inPlace: await cache.find(sha256, bytes, commit, file.path),
    open: (offset, stop, length) => api.read(ref, file.path, pinned, { offset, length }, stop),
    store: {
      part: cache.part(sha256),
      final: cache.blob(sha256),
      folder: settings.cache,
      lock: (onWait, stop) => acquire(cache.lock(sha256), onWait, stop),
      link: () => cache.link(sha256, commit, file.path)
    }
  }
  return [located, why]
}

const toResolveError = (error: unknown): ResolveError =>
  // What is thrown above and in api.ts has these codes only; anything else is the disk of the cache.
  error instanceof RbeeError
    ? (error as ResolveError)
    : rbeeError("INTERNAL", `the cache of models cannot be used (${error instanceof Error ? error.message : "?"})`)

/** A hub that cannot be reached does not matter where the model is here. */
const orCached = (settings: HubSettings, ref: HubRef) => (error: ResolveError) =>
  error.details["unreachable"] !== true
    ? Effect.fail(error)
    : Effect.flatMap(
        Effect.promise(() => fromCache(settings, ref)),
        (found) => (found === undefined ? Effect.fail(error) : Effect.succeed([found, "the cache has it"] as const))
      )

export const huggingFace = (settings: HubSettings): ModelSource => ({
  locate: (ref) => {
    if (ref._tag !== "Hub") return undefined
    return Effect.tryPromise({
      try: (signal) => locate(settings, ref, signal),
      catch: toResolveError
    }).pipe(
      Effect.catchAll(orCached(settings, ref)),
      Effect.tap(([found, why]) => Effect.logInfo(`${ref.ref} is ${found.name} (${why}), ${found.bytes} bytes`)),
      Effect.map(([found]) => found)
    )
  },
  partials: () => partialsIn(settings.cache)
})
