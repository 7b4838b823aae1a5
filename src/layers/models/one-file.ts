/** One file of a model on its way: received, verified, and given its final name. */
import { rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { wrongHash } from "./disk-errors.ts"
import { syncFolder } from "./files.ts"
import { type Arriving, type Hashed, hashOf, receive, sizeOf } from "./receive.ts"
import type { Store } from "./source.ts"

/** A file, and where it is collected and published. */
export interface Placed extends Arriving {
  readonly store: Store
}

export class OneFile {
  /** what was hashed while it arrived */
  private hashed: Hashed | undefined
  /** the hash of what was received is the right one */
  private isVerified = false
  file: Placed

  constructor(file: Placed) {
    this.file = file
  }

  /** Located again: what was hashed of it stays known, what its source says of it now counts. */
  renewed(file: Placed): this {
    this.file = file
    return this
  }

  /** Bytes that are here. */
  async received(): Promise<number> {
    const { bytes, inPlace, store } = this.file
    if (inPlace !== undefined || (await this.isThere())) return bytes
    const received = (await sizeOf(store.part)) ?? 0
    return received > bytes ? 0 : received
  }

  /** Brings what is missing; `onProgress` hears the bytes that are here. */
  async transfer(onProgress: (received: number) => void, signal: AbortSignal): Promise<void> {
    const { bytes, inPlace, store } = this.file
    if (inPlace !== undefined) return onProgress(bytes)
    const release = await store.lock(async () => onProgress(await this.received()), signal)
    try {
      // Whoever had the lock before us may have finished it.
      if (await this.isThere()) return onProgress(bytes)
      await receive(this.file, store.part, this.hashed, (hashed) => (this.hashed = hashed), onProgress, signal)
    } finally {
      await release()
    }
  }

  /**
   * Held while what was received gets its final name: another hive that looks at that moment would find neither, and
   * fetch it again.
   */
  lock(signal: AbortSignal): Promise<() => Promise<void>> {
    const { inPlace, store } = this.file
    return inPlace === undefined
      ? store.lock(() => Promise.resolve(), signal)
      : Promise.resolve(() => Promise.resolve())
  }

  /** Where it is now. */
  async path(): Promise<string> {
    const { inPlace, store } = this.file
    return inPlace ?? ((await this.isReceived()) ? store.part : store.final)
  }

  /** Rejects when it is not the file that was meant; what was received is thrown away then. */
  async verify(signal: AbortSignal): Promise<void> {
    const { bytes, inPlace, sha256 } = this.file
    if (sha256 === undefined || this.isVerified) return
    const whole =
      inPlace === undefined && this.hashed?.at === bytes ? this.hashed : await hashOf(await this.path(), signal)
    const digest = whole.hash.copy().digest("hex")
    if (digest !== sha256) {
      await this.discard()
      throw wrongHash(this.file, digest)
    }
    this.isVerified = true
  }

  /** Gives it its final name, and the path that programs open. */
  async publish(): Promise<string> {
    const { inPlace, store } = this.file
    if (inPlace !== undefined) return inPlace
    if (await this.isReceived()) {
      await rename(store.part, store.final)
      await syncFolder(dirname(store.final))
    }
    return store.link()
  }

  /** Throws away what was received, unless it is known to be right. A file in place is somebody else's. */
  async discard(evenIfRight = false): Promise<void> {
    if (this.file.inPlace !== undefined || (this.isVerified && !evenIfRight)) return
    this.hashed = undefined
    this.isVerified = false
    await rm(this.file.store.part, { force: true })
  }

  /** All of it, and not while another process collects the same file. */
  async discardLocked(signal: AbortSignal): Promise<void> {
    const release = await this.lock(signal)
    await this.discard(true).finally(release)
  }

  private async isReceived(): Promise<boolean> {
    return (await sizeOf(this.file.store.part)) !== undefined
  }

  private async isThere(): Promise<boolean> {
    const { bytes, store } = this.file
    return store.isNamedByHash && (await sizeOf(store.final)) === bytes
  }
}
