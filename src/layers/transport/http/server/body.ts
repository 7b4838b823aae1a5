/** Reads a request's body up to a limit, within a budget and a time. */
import type { IncomingMessage } from "node:http"
import type { Hold } from "./body-budget.ts"

/** Beyond this many times the limit nothing more is read, only to answer politely. */
const politeness = 8
/** A body has this time, milliseconds, and a second more for each so many bytes that came. */
export const bodyMs = 30_000
const bytesPerSecond = 256 * 1024

export interface BodyLimits {
  readonly maxBytes: number
  readonly hold: Hold
  readonly withinMs: number
}

export type Body = { readonly bytes: Buffer } | "too large" | "too many" | "too slow"

/**
 * Gives the bytes of the body, or why there is none. What is refused is still read to its end, within reason: a connection
 * that is closed on unread data is reset, and its client would not see the answer. Gives nothing when the client left.
 */
export const readBody = (request: IncomingMessage, limits: BodyLimits, done: (body: Body) => void): void => {
  const { hold, maxBytes, withinMs } = limits
  const gathered = new Gathered()
  let bytes = 0
  let isDone = false
  const settle = (body: Body): void => {
    if (isDone) return
    isDone = true
    clearTimeout(timer)
    gathered.clear()
    if (typeof body === "string") hold.release()
    done(body)
  }
  const startedAt = performance.now()
  const look = (): void => {
    const left = withinMs + (bytes / bytesPerSecond) * 1000 - (performance.now() - startedAt)
    if (left > 0) timer = setTimeout(look, left).unref()
    else settle("too slow")
  }
  let timer = setTimeout(look, withinMs).unref()
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    // read on, and let go
    if (isDone) return
    if (bytes > maxBytes * politeness) {
      request.removeAllListeners("data").pause()
      settle("too large")
    } else if (bytes > maxBytes) gathered.clear()
    else if (hold.take(chunk.length)) gathered.add(chunk)
    else settle("too many")
  })
  request.on("end", () => {
    if (!isDone) settle(bytes > maxBytes ? "too large" : { bytes: gathered.bytes() })
  })
  request.on("close", () => clearTimeout(timer))
}

const slabBytes = 16 * 1024

/** Pieces of a body. Small ones after the first are copied together: each alone costs more than it holds. */
class Gathered {
  private parts: Array<Buffer> = []
  private slab: Buffer | undefined
  private filled = 0

  add(chunk: Buffer): void {
    if (this.parts.length === 0 || chunk.length > slabBytes / 4) return this.addWhole(chunk)
    if (this.slab === undefined || this.filled + chunk.length > slabBytes) {
      this.slab = Buffer.allocUnsafeSlow(slabBytes)
      this.filled = 0
      this.parts.push(this.slab.subarray(0, 0))
    }
    chunk.copy(this.slab, this.filled)
    this.filled += chunk.length
    this.parts[this.parts.length - 1] = this.slab.subarray(0, this.filled)
  }

  private addWhole(chunk: Buffer): void {
    this.slab = undefined
    this.parts.push(chunk)
  }

  bytes(): Buffer {
    const [only] = this.parts
    return this.parts.length === 1 && only !== undefined ? only : Buffer.concat(this.parts)
  }

  clear(): void {
    this.parts = []
    this.slab = undefined
  }
}
