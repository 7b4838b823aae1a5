/**
 * Brings the bytes of a file that are missing. They are hashed on their way, while the disk writes: what was received
 * needs not be read again to be verified. What an earlier process left is hashed once before more is added.
 */
import { createHash, type Hash } from "node:crypto"
import { createReadStream } from "node:fs"
import { type FileHandle, mkdir, open, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { rbeeError } from "../../machines/errors.ts"
import type { ModelFormat } from "../../machines/formats/model-format.ts"
import { EarlyLook } from "./early-look.ts"
import type { LocatedFile } from "./source.ts"

/** SHA-256 of the first `at` bytes of a partial file. */
export interface Hashed {
  readonly hash: Hash
  at: number
}

/** Written at once: large enough that a write's cost does not show, small enough that a kill wastes little. */
const batchBytes = 1024 * 1024

export const sizeOf = (file: string): Promise<number | undefined> =>
  stat(file).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined
  )

export const hashOf = async (file: string, signal: AbortSignal): Promise<Hashed> => {
  const hash = createHash("sha256")
  let at = 0
  for await (const chunk of createReadStream(file, { highWaterMark: batchBytes, signal })) {
    // without an encoding a file's stream gives bytes
    const bytes = chunk as Uint8Array
    hash.update(bytes)
    at += bytes.length
  }
  return { hash, at }
}

class Writer {
  private readonly handle: FileHandle
  private readonly hashed: Hashed | undefined
  private batch: Array<Uint8Array> = []
  private gathered = 0
  private writing: Promise<void> = Promise.resolve()

  constructor(handle: FileHandle, hashed: Hashed | undefined) {
    this.handle = handle
    this.hashed = hashed
  }

  /** Waits only while the batch before the full one is still being written. */
  async add(chunk: Uint8Array): Promise<void> {
    this.batch.push(chunk)
    this.gathered += chunk.length
    if (this.gathered >= batchBytes) await this.flush()
  }

  async flush(): Promise<void> {
    await this.writing
    const { batch, gathered, hashed } = this
    this.batch = []
    this.gathered = 0
    if (gathered === 0) return
    this.writing = this.handle.writev(batch).then(
      ({ bytesWritten }) => {
        if (hashed !== undefined) hashed.at += gathered
        if (bytesWritten !== gathered) throw Object.assign(new Error("a write came short"), { code: "ENOSPC" })
      },
      (error: unknown) => {
        // the hash is ahead of the file: it must not be taken for the file's
        if (hashed !== undefined) hashed.at = -1
        throw error
      }
    )
    // awaited by the next flush; a rejection in between is not unhandled
    this.writing.catch(() => {})
    if (hashed !== undefined) for (const chunk of batch) hashed.hash.update(chunk)
  }

  async end(): Promise<void> {
    await this.flush()
    await this.writing
  }
}

/** A file, and how its beginning is read. */
export interface Arriving extends LocatedFile {
  readonly format: ModelFormat
}

/**
 * `known`: the hash that an earlier try in this process has come to. Gives the hash of what is there now, also for the
 * next try when this one fails: `keep` hears of it first. A file that is no model for chat is given up as soon as its
 * header is here.
 */
export const receive = async (
  from: Arriving,
  part: string,
  known: Hashed | undefined,
  keep: (hashed: Hashed) => void,
  onProgress: (received: number) => void,
  signal: AbortSignal
): Promise<void> => {
  await mkdir(dirname(part), { recursive: true, mode: 0o700 })
  // More than the model has is not a beginning of it.
  if (((await sizeOf(part)) ?? 0) > from.bytes) await rm(part, { force: true })
  let at = (await sizeOf(part)) ?? 0
  let look = new EarlyLook(from, from.format)
  if (at > 0 && !(await look.hearPart(part, at, signal))) {
    // damaged, or no model at all: what comes anew decides
    await rm(part, { force: true })
    at = 0
    look = new EarlyLook(from, from.format)
  }
  onProgress(at)
  const fresh = () => (at === 0 ? { hash: createHash("sha256"), at } : hashOf(part, signal))
  const hashed = from.sha256 === undefined ? undefined : known?.at === at ? known : await fresh()
  if (hashed !== undefined) keep(hashed)
  const handle = await open(part, "a", 0o644)
  const writer = new Writer(handle, hashed)
  try {
    try {
      if (at < from.bytes) {
        for await (const chunk of from.open(at, signal)) {
          if (signal.aborted) break
          const wanted = chunk.length > from.bytes - at ? chunk.subarray(0, from.bytes - at) : chunk
          at += wanted.length
          look.hear(wanted, at)
          await writer.add(wanted)
          onProgress(at)
          if (at === from.bytes) break
        }
      }
    } finally {
      // also what came before a cut: the next try goes on from there
      await writer.end()
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  if (at !== from.bytes && !signal.aborted) {
    throw rbeeError("DOWNLOAD_FAILED", `${from.name} ended after ${at} of ${from.bytes} bytes`, "Try again")
  }
}
