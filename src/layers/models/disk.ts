/**
 * Models on the hive's disk: `models/NAME.gguf` in its folder, and `models/NAME.gguf.part` while one is on its way;
 * those of the hub in the shared cache. A name is taken only by a rename of a synced, verified file.
 */
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { formatOf, type WorkerKinds } from "../../machines/kinds/kind.ts"
import { partsOf } from "../../machines/formats/gguf/split.ts"
import type { ParsedRef } from "../../machines/formats/model-ref.ts"
import { Kinds } from "../kinds/index.ts"
import { userHome } from "../paths/user-home.ts"
import { toTransferError } from "./disk-errors.ts"
import { ollamaFolders } from "./found/folders.ts"
import { ollama } from "./found/ollama.ts"
import { queenFirst } from "./hugging-face/queen.ts"
import { huggingFace } from "./hugging-face/source.ts"
import { hubSettings } from "./hugging-face/settings.ts"
import { awaited, deleteOlder, freeIn, remove } from "./files.ts"
import { factsOf, invalid, readHeader } from "./header.ts"
import {
  type Fits,
  Models,
  type PublishedModel,
  type PublishError,
  type QueenHub,
  type ResolvedModel,
  type TransferError
} from "./index.ts"
import { head, inspect, judged, patiently } from "./look.ts"
import { modelNotes, notesFolder } from "./notes.ts"
import { OneFile } from "./one-file.ts"
import { sizeOf } from "./receive.ts"
import { bytesOf, type Located, type ModelSource, type Store } from "./source.ts"
import { bundled, bundledFolder, files } from "./sources.ts"

export interface DiskOptions {
  /** the hive's folder; models go to `models` in it */
  readonly folder: string
  /** tried in order; absent: those of this release */
  readonly sources?: ReadonlyArray<ModelSource>
}

/** A partial file that nobody came back for is deleted after this time, in milliseconds. */
const partialAgeMs = 7 * 24 * 60 * 60_000
/** A scan ends with what it has found by then: who asked waits no longer than a minute. */
const scanFor = "40 seconds"

// long: the calls of one port over one folder, each of them short
const make = (options: DiskOptions, kinds: WorkerKinds) => {
  const format = (name: string) => formatOf(kinds, name)
  const folder = join(options.folder, "models")
  let queen: QueenHub | undefined
  const hub = () => {
    const settings = hubSettings(process.env, home(), kinds)
    return queenFirst(settings, () => queen, huggingFace(settings))
  }
  const home = () => userHome() ?? options.folder
  const ofOllama = ollama(() => ollamaFolders(process.env, home()))
  const sources = options.sources ?? [bundled(bundledFolder()), files, ofOllama, hub()]
  const own = (name: string): Store => ({
    part: join(folder, `${name}.part`),
    final: join(folder, name),
    folder: options.folder,
    isNamedByHash: false,
    lock: () => Promise.resolve(() => Promise.resolve()),
    link: () => Promise.resolve(join(folder, name))
  })

  const locate = (ref: ParsedRef, fits?: Fits) => {
    for (const source of sources) {
      const found = source.locate(ref, fits)
      if (found !== undefined) return found
    }
    return Effect.fail(rbeeError("MODEL_NOT_FOUND", `nothing here knows ${ref.ref}`, "Check the reference"))
  }
  /** of the models that were resolved: a resolved model is plain data, what brings it is kept here */
  const filesOf = new Map<string, ReadonlyArray<OneFile>>()
  const place = ({ files: parts, ref }: Located): ReadonlyArray<OneFile> => {
    const before = filesOf.get(ref) ?? []
    const placed = parts.map((file) => {
      const placed = { ...file, store: file.store ?? own(file.name), format: format(file.name) }
      const known = before.find(
        (each) => each.file.store.part === placed.store.part && each.file.sha256 === file.sha256
      )
      return known?.renewed(placed) ?? new OneFile(placed)
    })
    filesOf.set(ref, placed)
    return placed
  }

  const notes = modelNotes(notesFolder(options.folder))

  const transfer = async (model: ResolvedModel, onProgress: (received: number) => void, signal: AbortSignal) => {
    if (model.inPlace !== undefined) {
      onProgress(0)
      return onProgress(model.bytes)
    }
    const parts = filesOf.get(model.ref)
    if (parts === undefined) throw rbeeError("DOWNLOAD_FAILED", `${model.ref} was not resolved`)
    const received = await Promise.all(parts.map((each) => each.received()))
    try {
      for (const [i, each] of parts.entries()) {
        await each.transfer((now) => {
          received[i] = now
          onProgress(sum(received))
        }, signal)
      }
    } catch (error) {
      // what came of it would only keep the disk full
      if (error instanceof RbeeError && error.code === "MODEL_INVALID")
        for (const each of parts) await each.discardLocked(signal)
      throw error
    }
  }

  const publish = async (model: ResolvedModel, signal: AbortSignal): Promise<PublishedModel> => {
    const parts = filesOf.get(model.ref) ?? []
    const releases: Array<() => Promise<void>> = []
    try {
      for (const each of parts) releases.push(await each.lock(signal))
      return await publishLocked(model, parts, signal)
    } finally {
      for (const release of releases) await release()
    }
  }

  const publishLocked = async (
    model: ResolvedModel,
    parts: ReadonlyArray<OneFile>,
    signal: AbortSignal
  ): Promise<PublishedModel> => {
    for (const each of parts) await each.verify(signal)
    const facts = await factsOf(parts, async (each) => readHeader(await each.path(), format(each.file.name)))
    if ("reason" in facts) {
      for (const each of parts) await each.discard(true)
      throw invalid(model.ref, facts.reason)
    }
    const opened: Array<string> = []
    for (const each of parts) opened.push(await each.publish())
    filesOf.delete(model.ref)
    // the first that is opened finds the others beside it
    return { file: opened[0] ?? "", sha256: parts[0]?.file.sha256, facts }
  }

  const sweep = async (now: number) => {
    const names = await readdir(folder).catch(() => [])
    const parts = names.filter((name) => name.endsWith(".part")).map((name) => join(folder, name))
    for (const source of sources) parts.push(...((await source.partials?.()) ?? []))
    await deleteOlder(parts, partialAgeMs, now)
  }

  return Models.of({
    resolve: (ref, fits) =>
      Effect.flatMap(locate(ref, fits), (found) =>
        Effect.promise(async () => {
          const parts = place(found)
          const [first] = found.files
          const inPlace = found.files.every((file) => file.inPlace !== undefined) ? first.inPlace : undefined
          const partial = inPlace === undefined ? sum(await Promise.all(parts.map((each) => each.received()))) : 0
          // A disk that cannot be asked says so when it is written to.
          const freeBytes = await freeIn(parts[0]?.file.store.folder ?? options.folder).catch(() => undefined)
          return {
            ref: found.ref,
            bytes: bytesOf(found),
            inPlace,
            partial,
            why: found.why,
            ...(found.fromQueen === true && inPlace === undefined ? { fromQueen: true } : {}),
            ...(freeBytes === undefined ? {} : { freeBytes })
          }
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
        for (const each of filesOf.get(model.ref) ?? []) await each.discard()
      }),
    scan: (folders) =>
      // seldom asked for
      Effect.flatMap(
        Effect.promise(() => import("./found/scan.ts")),
        ({ scanAll }) => {
          const over = new AbortController()
          const look = awaited(
            (signal) => scanAll(home(), folders, (file) => judged(file, format(file)), signal, over.signal),
            (error) => error
          )
          const timer = Effect.delay(
            Effect.sync(() => over.abort()),
            scanFor
          )
          return Effect.orDie(Effect.scoped(Effect.zipRight(Effect.forkScoped(timer), look)))
        }
      ),
    inspect: (file) => inspect(file, "the model file", format(file)),
    // seldom asked for
    projector: (file, width) =>
      Effect.promise(async () => (await import("./projector.ts")).projectorBeside(file, width)),
    preview: (ref, fits) =>
      patiently(
        Effect.flatMap(locate(ref, fits), (found) => {
          const [{ inPlace }] = found.files
          return inPlace === undefined
            ? head(found, format(found.files[0].name))
            : inspect(inPlace, found.ref, format(inPlace))
        })
      ),
    offered: (hub) => Effect.sync(() => void (queen = hub)),
    isThere: (file, bytes) =>
      Effect.promise(async () => {
        const sizes = await Promise.all(partsOf(file).map(sizeOf))
        return sizes.every((size) => size !== undefined) && sum(sizes.map((size) => size ?? 0)) === bytes
      }),
    stamp: (file) => Effect.promise(async () => (await Promise.all(partsOf(file).map(stampOf))).join(" ")),
    note: (note) => Effect.ignoreLogged(Effect.tryPromise(() => notes.put(note))),
    forget: (ref) => Effect.ignoreLogged(Effect.tryPromise(() => notes.remove(ref))),
    notes: Effect.promise(notes.all),
    remove: (file) =>
      Effect.promise(async () => {
        for (const part of partsOf(file)) await remove(part)
      }),
    diskFree: Effect.promise(() => freeIn(options.folder)),
    sweep: Effect.flatMap(
      Effect.clockWith((clock) => clock.currentTimeMillis),
      (now) => Effect.promise(() => sweep(now))
    )
  })
}

const stampOf = async (file: string): Promise<string> => {
  const found = await stat(file).catch(() => undefined)
  return found === undefined ? "gone" : `${found.size}@${found.mtimeMs}`
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, each) => total + each, 0)

export const layerDisk = (options: DiskOptions): Layer.Layer<Models> =>
  Layer.effect(
    Models,
    Effect.map(Kinds, (kinds) => make(options, kinds))
  )
