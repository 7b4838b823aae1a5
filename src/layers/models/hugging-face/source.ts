/** Models of Hugging Face, or of anything that has its routes: resolved here, kept in the shared cache. */
import { realpath } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import { candidatesOf, choose, type Chosen, type HubFile, type HubModel } from "../../../machines/formats/hub-files.ts"
import { formatOf, isModelFile } from "../../../machines/kinds/kind.ts"
import { diskError } from "../disk-errors.ts"
import { inSteps, type Read, readHeader, readHeaderOf } from "../header.ts"
import type { Fits, ResolveError } from "../index.ts"
import { bytesOf, type Located, type LocatedFile, type ModelSource } from "../source.ts"
import { type HubRef, makeApi } from "./api.ts"
import { partialsIn, repoCache } from "./cache.ts"
import { acquire } from "./lock.ts"
import type { HubSettings } from "./settings.ts"
import { fact } from "../../../machines/facts.ts"

const nameOf = (path: string): string => path.split(/[/\\]/).at(-1) ?? path

/** What an earlier download, of whatever tool, left in the cache. Undefined: nothing that the reference may mean. */
const fromCache = async (settings: HubSettings, ref: HubRef, fits: Fits | undefined): Promise<Located | undefined> => {
  const cache = repoCache(settings.cache, ref)
  const here = await cache.offline()
  if (here === undefined) return undefined
  const candidates = candidatesOf(
    ref,
    here.files.filter(({ path }) => isModelFile(settings.kinds, path))
  )
  if (Either.isLeft(candidates)) return undefined
  const fileOf = async ({ bytes, path }: HubFile): Promise<LocatedFile> => {
    const file = cache.snapshot(here.commit, path)
    // a blob is named by its hash, so it can be verified without anybody's word
    const blob = nameOf(await realpath(file).catch(() => ""))
    const sha256 = /^[0-9a-f]{64}$/.test(blob) ? blob : undefined
    const open = () => {
      throw rbeeError("DOWNLOAD_FAILED", `${ref.ref} is used where it lies`)
    }
    return { name: nameOf(path), bytes, sha256, inPlace: file, open }
  }
  const { model, why } = await chosen(candidates.right, fits, async ({ path }) =>
    readHeader(cache.snapshot(here.commit, path), formatOf(settings.kinds, path))
  )
  const [first, ...others] = model.files
  return {
    ref: ref.ref,
    files: [await fileOf(first), ...(await Promise.all(others.map(fileOf)))],
    why: `${why} (cached)`
  }
}

/** Quantisations of one model differ in their size alone, so the header of one speaks for all. */
const chosen = async (
  candidates: readonly [HubModel, ...ReadonlyArray<HubModel>],
  fits: Fits | undefined,
  headerOf: (file: HubFile) => Promise<Read>
): Promise<Chosen> => {
  const [{ files }, second] = candidates
  const header = fits === undefined || second === undefined ? undefined : await headerOf(files[0])
  // where it cannot be told, the best is as good as any: the hive asks for room once more when it starts a worker
  return choose(candidates, ({ bytes }) =>
    header === undefined || "reason" in header ? true : fits?.({ ...header.facts, fileBytes: bytes }) !== false
  )
}

const locate = async (
  settings: HubSettings,
  ref: HubRef,
  fits: Fits | undefined,
  signal: AbortSignal
): Promise<Located> => {
  const cache = repoCache(settings.cache, ref)
  if (settings.offline) {
    const found = await fromCache(settings, ref, fits)
    if (found !== undefined) return found
    throw rbeeError(
      "MODEL_NOT_FOUND",
      `${ref.ref} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it`,
      "Unset HF_HUB_OFFLINE, or use file:/absolute/path.gguf"
    )
  }
  const api = makeApi(settings)
  const candidates = candidatesOf(ref, await api.list(ref, signal))
  if (Either.isLeft(candidates)) throw candidates.left
  const fileOf = async (file: HubFile): Promise<LocatedFile> => {
    const pinned = await api.pin(ref, file, signal)
    const { bytes, commit, sha256 } = pinned
    return {
      name: nameOf(file.path),
      bytes,
      sha256,
      inPlace: await cache.find(sha256, bytes, commit, file.path),
      open: (offset, stop, length) => api.read(ref, file.path, pinned, { offset, length }, stop),
      store: {
        part: cache.part(sha256),
        final: cache.blob(sha256),
        folder: settings.cache,
        isNamedByHash: true,
        lock: (onWait, stop) => acquire(cache.lock(sha256), onWait, stop),
        link: () => cache.link(sha256, commit, file.path)
      }
    }
  }
  const { model, why } = await chosen(candidates.right, fits, async (file) => {
    const { bytes, open } = await fileOf(file)
    return readHeaderOf(
      inSteps((at, length) => open(at, signal, length), bytes),
      bytes,
      formatOf(settings.kinds, file.path)
    )
  })
  const [first, ...others] = model.files
  return { ref: ref.ref, files: [await fileOf(first), ...(await Promise.all(others.map(fileOf)))], why }
}

const toResolveError = (error: unknown): ResolveError => {
  // What is thrown above and in api.ts has these codes only; anything else is the disk of the cache.
  if (error instanceof RbeeError) return error as ResolveError
  const { code, details, todo, what } = diskError(error)
  return rbeeError(code === "DISK_FULL" ? "DOWNLOAD_FAILED" : code, what, todo, details)
}

/** A hub that cannot be reached does not matter where the model is here. */
const orCached = (settings: HubSettings, ref: HubRef, fits: Fits | undefined) => (error: ResolveError) =>
  fact(error, "unreachable") !== true
    ? Effect.fail(error)
    : Effect.flatMap(
        Effect.promise(() => fromCache(settings, ref, fits)),
        (found) => (found === undefined ? Effect.fail(error) : Effect.succeed(found))
      )

/** As the hub tells it; nothing of the cache is taken for an answer. */
export const asTold = (
  settings: HubSettings,
  ref: HubRef,
  fits: Fits | undefined
): Effect.Effect<Located, ResolveError> =>
  Effect.tryPromise({ try: (signal) => locate(settings, ref, fits, signal), catch: toResolveError })

export const huggingFace = (settings: HubSettings): ModelSource => ({
  locate: (ref, fits) => {
    if (ref._tag !== "Hub") return undefined
    return asTold(settings, ref, fits).pipe(
      Effect.catchAll(orCached(settings, ref, fits)),
      Effect.tap((found) =>
        Effect.logInfo(`${ref.ref} is ${found.files[0].name} (${found.why}), ${bytesOf(found)} bytes`)
      )
    )
  },
  partials: () => partialsIn(settings.cache)
})
