/**
 * Models on the hive's disk: `models/NAME.gguf` in its folder, and `models/NAME.gguf.part` while one is on its way;
 * those of the hub in the shared cache. A name is taken only by a rename of a synced, verified file.
 */
import { readdir, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { rbeeError } from "../../machines/errors.ts"
import type { ModelRef } from "../../machines/model-ref.ts"
import { toTransferError, wrongHash } from "./disk-errors.ts"
import { huggingFace } from "./hugging-face/source.ts"
import { hubSettings } from "./hugging-face/settings.ts"
import { awaited, deleteOlder, freeIn, remove, syncFolder } from "./files.ts"
import { invalid, readHeader } from "./header.ts"
import { Models, type PublishedModel, type PublishError, type ResolvedModel, type TransferError } from "./index.ts"
import { head, inspect, patiently } from "./look.ts"
import { type Hashed, hashOf, receive, sizeOf } from "./receive.ts"
import { modelNotes } from "./notes.ts"
import type { Located, ModelSource, Store } from "./source.ts"
import { bundled, bundledFolder, files } from "./sources.ts"

export interface DiskOptions {
  /** the hive's folder; models go to `models` in it */
  readonly folder: string
  /** tried in order; absent: those of this release */
  readonly sources?: ReadonlyArray<ModelSource>
}

/** A partial file that nobody came back for is deleted after this time, in milliseconds. */
const partialAgeMs = 7 * 24 * 60 * 60_000

const make = (options: DiskOptions) => {
  const folder = join(options.folder, "models")
  const sources = options.sources ?? [bundled(bundledFolder()), files, huggingFace(hubSettings(process.env))]
  const own = (name: string): Store => ({
    part: join(folder, `${name}.part`),
    final: join(folder, name),
    folder: options.folder,
    lock: () => Promise.resolve(() => Promise.resolve()),
    link: () => Promise.resolve(join(folder, name))
  })
  const storeOf = (model: ResolvedModel): Store => located.get(model.ref)?.store ?? own(model.name)

  const locate = (ref: ModelRef) => {
    for (const source of sources) {
      const found = source.locate(ref)
      if (found !== undefined) return found
    }
    return Effect.fail(rbeeError("MODEL_NOT_FOUND", `nothing here knows ${ref.ref}`, "Check the reference"))
  }
  /** Located again where the bytes are needed: a resolved model is plain data, and a source may have moved. */
  const located = new Map<string, Located>()

  const notes = modelNotes(join(options.folder, "notes"))
  /** what was hashed while it arrived */
  const hashes = new Map<string, Hashed>()

  const transfer = async (model: ResolvedModel, onProgress: (received: number) => void, signal: AbortSignal) => {
    if (model.inPlace !== undefined) {
      onProgress(0)
      return onProgress(model.bytes)
    }
    const from = located.get(model.ref)
    if (from === undefined) throw rbeeError("DOWNLOAD_FAILED", `${model.ref} was not resolved`)
    const { final, lock, part } = storeOf(model)
    const release = await lock(async () => onProgress((await sizeOf(part)) ?? 0), signal)
    try {
      // Whoever had the lock before us may have finished it; a name like that of a hash is never taken by another file.
      if (from.store !== undefined && (await sizeOf(final)) === model.bytes) return onProgress(model.bytes)
      const keep = (hashed: Hashed) => hashes.set(model.ref, hashed)
      await receive(from, part, hashes.get(model.ref), keep, onProgress, signal)
    } finally {
      await release()
    }
  }

  const sha256Of = async (model: ResolvedModel, file: string, signal: AbortSignal): Promise<string> => {
    const known = model.inPlace === undefined ? hashes.get(model.ref) : undefined
    const whole = known?.at === model.bytes ? known : await hashOf(file, signal)
    return whole.hash.copy().digest("hex")
  }

  const publish = async (model: ResolvedModel, signal: AbortSignal): Promise<PublishedModel> => {
    const { final, link, part } = storeOf(model)
    const isReceived = model.inPlace === undefined && (await sizeOf(part)) !== undefined
    const file = model.inPlace ?? (isReceived ? part : final)
    const sha256 = model.sha256 === undefined ? undefined : await sha256Of(model, file, signal)
    if (sha256 !== model.sha256) {
      // nothing of it can be of use; a file in place is somebody else's
      if (isReceived) await rm(part, { force: true })
      hashes.delete(model.ref)
      throw wrongHash(model, sha256)
    }
    const facts = await readHeader(file)
    if ("reason" in facts) {
      if (isReceived) await rm(file, { force: true })
      hashes.delete(model.ref)
      throw invalid(model.ref, facts.reason)
    }
    if (model.inPlace !== undefined) return { file, sha256, facts }
    if (isReceived) {
      await rename(file, final)
      await syncFolder(dirname(final))
    }
    hashes.delete(model.ref)
    return { file: await link(), sha256, facts }
  }

  const sweep = async (now: number) => {
    const names = await readdir(folder).catch(() => [])
    const parts = names.filter((name) => name.endsWith(".part")).map((name) => join(folder, name))
    for (const source of sources) parts.push(...((await source.partials?.()) ?? []))
    await deleteOlder(parts, partialAgeMs, now)
  }

  return Models.of({
    resolve: (ref) =>
      Effect.flatMap(locate(ref), (found) =>
        Effect.promise(async () => {
          located.set(found.ref, found)
          const { open: _open, store, ...facts } = found
          const { folder: onto, part } = store ?? own(found.name)
          const received = found.inPlace === undefined ? ((await sizeOf(part)) ?? 0) : 0
          // A disk that cannot be asked says so when it is written to.
          const freeBytes = await freeIn(onto).catch(() => undefined)
          const partial = received > found.bytes ? 0 : received
          return { ...facts, partial, ...(freeBytes === undefined ? {} : { freeBytes }) }
        })
      ),
    transfer: (model, onProgress) =>
      awaited(
        (signal) => transfer(model, onProgress, signal),
        (error): TransferError => toTransferError(error)
      ),
    publish: (model) =>
      awaited(
        (signal) => publish(model, signal),
        // its own errors pass as they are, the disk's are translated
        (error): PublishError => toTransferError(error) as PublishError
      ),
    discard: (model) =>
      Effect.promise(async () => {
        hashes.delete(model.ref)
        await rm(storeOf(model).part, { force: true })
      }),
    inspect: (file) => inspect(file, "the model file"),
    preview: (ref) =>
      patiently(
        Effect.flatMap(locate(ref), (found) =>
          found.inPlace !== undefined ? inspect(found.inPlace, found.ref) : head(found)
        )
      ),
    isThere: (file, bytes) =>
      Effect.map(
        Effect.promise(() => sizeOf(file)),
        (size) => size === bytes
      ),
    note: (note) => Effect.ignoreLogged(Effect.tryPromise(() => notes.put(note))),
    forget: (ref) => Effect.ignoreLogged(Effect.tryPromise(() => notes.remove(ref))),
    notes: Effect.promise(notes.all),
    remove: (file) => Effect.promise(() => remove(file)),
    diskFree: Effect.promise(() => freeIn(options.folder)),
    sweep: Effect.flatMap(
      Effect.clockWith((clock) => clock.currentTimeMillis),
      (now) => Effect.promise(() => sweep(now))
    )
  })
}

export const layerDisk = (options: DiskOptions): Layer.Layer<Models> => Layer.sync(Models, () => make(options))
