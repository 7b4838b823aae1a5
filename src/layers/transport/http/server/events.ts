/** Answers with a stream of Server-Sent Events: the feed's text goes straight to the socket, with backpressure. */
import type { ServerResponse } from "node:http"
import type { Sink } from "../../../../protocol/answers.ts"
import type { Framing } from "../../../../protocol/surfaces/surface.ts"

export interface EventResponse {
  readonly sink: Sink
  readonly keepAlive: () => void
}

/** Sends the head and what opens a stream; what is written after the reader has left is dropped. */
export const openEvents = (
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  framing: Framing
): EventResponse => {
  response.writeHead(200, {
    "Content-Type": `${framing.type}; charset=utf-8`,
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    ...headers
  })
  if (framing.opens === "") response.flushHeaders()
  else response.write(framing.opens)
  const gone = () => response.destroyed || response.writableEnded
  return {
    sink: {
      // `false` for one who has left: the source waits for a drain that never comes, until it is interrupted
      write: (frames) => !gone() && response.write(frames),
      drain: (resume) => {
        if (gone()) return
        if (response.writableNeedDrain) response.once("drain", resume)
        else resume()
      }
    },
    keepAlive: () => {
      // a reader who takes nothing needs no more to take
      if (!gone() && !response.writableNeedDrain) response.write(framing.keepAlive)
    }
  }
}
