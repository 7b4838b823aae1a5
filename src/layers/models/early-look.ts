/** Gigabytes that could not be used are not fetched: the header, which says what a file is, comes first. */
import { createReadStream } from "node:fs"
import { RbeeError } from "../../machines/errors.ts"
import type { ModelFormat } from "../../machines/formats/model-format.ts"
import { HeaderWatch, invalid } from "./header.ts"
import type { LocatedFile } from "./source.ts"

const pieceBytes = 256 * 1024

/** Hashes of files that were looked at before they were sent for: nothing is saved by a second look at what comes in. */
const seen = new Set<string>()
const seenMax = 64

export const wasSeen = (sha256: string | undefined): void => {
  if (sha256 === undefined) return
  if (seen.size >= seenMax) seen.clear()
  seen.add(sha256)
}

export class EarlyLook {
  private readonly file: LocatedFile
  private readonly watch: HeaderWatch
  private isSeen: boolean

  constructor(file: LocatedFile, format: ModelFormat) {
    this.file = file
    this.isSeen = file.sha256 !== undefined && seen.has(file.sha256)
    this.watch = new HeaderWatch(file.bytes, format)
  }

  /**
   * The file's next bytes, which end at `at`; true once its header is known. Throws MODEL_INVALID where the rest of a
   * file that is no model is still to come: of one that is whole, its hash speaks first.
   */
  hear(bytes: Uint8Array, at: number): boolean {
    if (this.isSeen || at >= this.file.bytes) return true
    const read = this.watch.add(bytes)
    if (read !== undefined && "reason" in read) throw invalid(this.file.name, read.reason)
    return read !== undefined
  }

  /** Hears what an earlier try has left, which may have been damaged since; false: it is no beginning of a model. */
  async hearPart(part: string, bytes: number, signal: AbortSignal): Promise<boolean> {
    this.isSeen = false
    try {
      for await (const piece of createReadStream(part, { highWaterMark: pieceBytes, end: bytes - 1, signal })) {
        // without an encoding a file's stream gives bytes
        if (this.hear(piece as Uint8Array, bytes)) return true
      }
      return true
    } catch (error) {
      if (error instanceof RbeeError) return false
      throw error
    }
  }
}
