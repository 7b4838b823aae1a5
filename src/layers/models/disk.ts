/**
 * Models in the hive's folder: `models/NAME.gguf`, and `models/NAME.gguf.part` while one is on its way. A name is taken
 * only by a rename of a synced, verified file.
 */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { ModelFacts } from "../../machines/gguf.ts"
import { bundledModel, type ModelRef } from "../../machines/model-ref.ts"
import { toTransferError } from "./disk-errors.ts"
import { invalid, readHeader, readHeaderOf } from "./header.ts"
import {
  Models,
  type PublishedModel,
  type PublishError,
  type ResolvedModel,
  type ResolveCode,
  type TransferError
} from "./index.ts"
import type { Located, ModelSource } from "./source.ts"
import { bundled, bundledFolder, files, hubNotYet } from "./sources.ts"

export interface DiskOptions {
  /** the hive's folder; models go to `models` in it */
  readonly folder: string
  /** tried in order; absent: those of this release */
  readonly sources?: ReadonlyArray<ModelSource>
}

/** A partial file that nobody came back for is deleted after this time, in milliseconds. */
const partialAgeMs = 7 * 24 * 60 * 60_000

/** Runs to its end or to its next look at the signal also when it is interrupted: no file is left open behind it. */
const awaited = <A, E>(
  work: (signal: AbortSignal) => Promise<A>,
  onError: (error: unknown) => E
): Effect.Effect<A, E> =>
  Effect.async<A, E>((resume, signal) => {
    const running = work(signal).then(
      (value) => resume(Effect.succeed(value)),
      (error: unknown) => resume(Effect.fail(onError(error)))
    )
    return Effect.promise(() => running)
  })

const sizeOf = (file: string): Promise<number | undefined> =>
  stat(file).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined
  )

const hashOf = async (file: string, signal: AbortSignal): Promise<string> => {
  const hash = createHash("sha256")
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024, signal }))
    hash.update(chunk as Uint8Array)
  return hash.digest("hex")
}

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r")
  await handle.sync().finally(() => handle.close())
}

const make = (options: DiskOptions) => {
  const folder = join(options.folder, "models")
  const sources = options.sources ?? [bundled(bundledFolder()), files, hubNotYet]
  const partOf = (name: string) => join(folder, `${name}.part`)

  const locate = (ref: ModelRef) => {
    for (const source of sources) {
      const found = source.locate(ref)
      if (found !== undefined) return found
    }
    return Effect.fail(rbeeError("MODEL_NOT_FOUND", `nothing here knows ${ref.ref}`, "Check the reference"))
  }
  /** Located again where the bytes are needed: a resolved model is plain data, and a source may have moved. */
  const located = new Map<string, Located>()

  const transfer = async (model: ResolvedModel, onProgress: (received: number) => void, signal: AbortSignal) => {
    if (model.inPlace !== undefined) return onProgress(model.bytes)
    const from = located.get(model.ref)
    if (from === undefined) throw rbeeError("DOWNLOAD_FAILED", `${model.ref} was not resolved`)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const part = partOf(model.name)
    // More than the model has is not a beginning of it.
    if (((await sizeOf(part)) ?? 0) > model.bytes) await rm(part, { force: true })
    let at = (await sizeOf(part)) ?? 0
    const handle = await open(part, "a", 0o644)
    try {
      if (at < model.bytes) {
        for await (const chunk of from.open(at)) {
          if (signal.aborted) return
          await handle.write(chunk)
          at += chunk.length
          onProgress(at)
        }
      } else onProgress(at)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (at !== model.bytes) {
      throw rbeeError("DOWNLOAD_FAILED", `${model.ref} ended after ${at} of ${model.bytes} bytes`, "Try again")
    }
  }

  const publish = async (model: ResolvedModel, signal: AbortSignal): Promise<PublishedModel> => {
    const file = model.inPlace ?? partOf(model.name)
    const sha256 = model.sha256 === undefined ? undefined : await hashOf(file, signal)
    if (sha256 !== model.sha256) {
      throw rbeeError(
        "CHECKSUM_MISMATCH",
        `${model.ref} arrived with a wrong SHA-256`,
        "Try again later, or report it to its author",
        {
          expected: model.sha256,
          received: sha256
        }
      )
    }
    const facts = await readHeader(file)
    if ("reason" in facts) {
      if (model.inPlace === undefined) await rm(file, { force: true })
      throw invalid(model.ref, facts.reason)
    }
    if (model.inPlace !== undefined) return { file, sha256, facts }
    const final = join(folder, model.name)
    await rename(file, final)
    await syncFolder(folder)
    return { file: final, sha256, facts }
  }

  const inspect = (
    file: string,
    name: string
  ): Effect.Effect<ModelFacts, RbeeError<"MODEL_INVALID" | "MODEL_NOT_FOUND">> =>
    Effect.flatMap(
      awaited(
        () => readHeader(file),
        () => rbeeError("MODEL_NOT_FOUND", `${name} cannot be read`, "Check that the file is there and may be read")
      ),
      (facts) => ("reason" in facts ? Effect.fail(invalid(name, facts.reason)) : Effect.succeed(facts))
    )

  const sweep = async (now: number) => {
    for (const name of await readdir(folder).catch(() => [])) {
      if (!name.endsWith(".part")) continue
      const found = await stat(join(folder, name)).catch(() => undefined)
      if (found !== undefined && now - found.mtimeMs > partialAgeMs) await rm(join(folder, name), { force: true })
    }
  }

  return Models.of({
    resolve: (ref) =>
      Effect.flatMap(locate(ref), (found) =>
        Effect.promise(async () => {
          located.set(found.ref, found)
          const { open: _open, ...facts } = found
          const received = found.inPlace === undefined ? ((await sizeOf(partOf(found.name))) ?? 0) : 0
          return { ...facts, partial: received > found.bytes ? 0 : received }
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
    discard: (model) => Effect.promise(() => rm(partOf(model.name), { force: true })),
    inspect: (file) => inspect(file, "the model file"),
    preview: (ref) =>
      Effect.flatMap(locate(ref), (found): Effect.Effect<ModelFacts, RbeeError<ResolveCode | "MODEL_INVALID">> =>
        found.inPlace !== undefined
          ? inspect(found.inPlace, found.ref)
          : Effect.flatMap(
              awaited(
                () => readHeaderOf(found.open(0), found.bytes),
                () => rbeeError("DOWNLOAD_FAILED", `the header of ${found.ref} could not be read`, "Try again")
              ),
              (facts) => ("reason" in facts ? Effect.fail(invalid(found.ref, facts.reason)) : Effect.succeed(facts))
            )
      ),
    isThere: (file, bytes) =>
      Effect.map(
        Effect.promise(() => sizeOf(file)),
        (size) => size === bytes
      ),
    published: Effect.promise(async () => {
      const names = await readdir(folder).catch(() => [])
      return names
        .filter((name) => name === "minillama-q8_0.gguf")
        .map((name) => ({ ref: bundledModel, file: join(folder, name) }))
    }),
    remove: (file) => Effect.promise(() => rm(file, { force: true })),
    diskFree: Effect.promise(async () => {
      await mkdir(options.folder, { recursive: true, mode: 0o700 })
      const { bavail, bsize } = await statfs(options.folder)
      return bavail * bsize
    }),
    sweep: Effect.flatMap(
      Effect.clockWith((clock) => clock.currentTimeMillis),
      (now) => Effect.promise(() => sweep(now))
    )
  })
}

export const layerDisk = (options: DiskOptions): Layer.Layer<Models> => Layer.sync(Models, () => make(options))
