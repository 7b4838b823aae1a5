/** Reads a request's body up to a limit. */
import type { IncomingMessage } from "node:http"

/** Beyond this many times the limit nothing more is read, only to answer politely. */
const politeness = 8

/**
 * Gives the text of the body, or "too large". What is too large is still read to its end, within reason: a connection
 * that is closed on unread data is reset, and its client would not see the answer. Gives nothing when the client left.
 */
export const readBody = (
  request: IncomingMessage,
  maxBytes: number,
  done: (body: { readonly text: string } | "too large") => void
): void => {
  const chunks: Array<Buffer> = []
  let bytes = 0
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= maxBytes) chunks.push(chunk)
    else if (bytes > maxBytes * politeness) {
      request.removeAllListeners("data").pause()
      done("too large")
    } else chunks.length = 0
  })
  request.on("end", () => {
    if (bytes > maxBytes) return done("too large")
    const [only] = chunks
    done({
      text:
        only === undefined ? "" : chunks.length === 1 ? only.toString("utf8") : Buffer.concat(chunks).toString("utf8")
    })
  })
}
