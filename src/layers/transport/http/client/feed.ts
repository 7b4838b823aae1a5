/** The stream of an answer as an EventFeed: text from the socket to the sink, whole frames at a time. */
import type { IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import type { RbeeError } from "../../../../machines/errors.ts"
import type { EventFeed } from "../../../../protocol/endpoint.ts"
import { type Peer, unreachable } from "./request.ts"
import type { Framing } from "../../../../protocol/surfaces/surface.ts"
import { maxEventLength } from "../../../../protocol/sse.ts"

/** A stream that nobody starts to read is closed. */
const abandonedMs = 30_000

/**
 * A feed that runs once. It completes when the peer ended the stream, fails when the connection broke or was silent for
 * `silenceMs` while we were reading, and destroys the connection when interrupted.
 */
export const feedOf = (
  response: IncomingMessage,
  peer: Pick<Peer, "name">,
  silenceMs: number,
  ends: Framing["ends"]
): Effect.Effect<EventFeed> =>
  Effect.sync(() => {
    response.setEncoding("utf8")
    let broken = false
    let taken = false
    response.on("error", () => {
      broken = true
    })
    const abandoned = setTimeout(() => response.destroy(), abandonedMs).unref()
    return (sink) =>
      Effect.async<void, RbeeError>((resume) => {
        clearTimeout(abandoned)
        if (taken) return resume(Effect.fail(unreachable(peer, "BROKEN", "its stream has been read before")))
        taken = true
        let done = false
        let partial = ""
        const silence = setTimeout(() => {
          // while the reader is slow it is we who do not listen
          if (response.isPaused()) silence.refresh()
          else fail("SILENT", `silent for ${silenceMs / 1000} s`)
        }, silenceMs).unref()
        const finish = (exit: Effect.Effect<void, RbeeError>) => {
          if (done) return
          done = true
          clearTimeout(silence)
          response.destroy()
          resume(exit)
        }
        const fail = (reason: string, why: string) => {
          // every stream closes in the end: an error that nobody gets, with its stack, is not made
          if (!done) finish(Effect.fail(unreachable(peer, reason, why)))
        }
        const pass = (frames: string) => {
          try {
            if (sink.write(frames) || done) return
            response.pause()
            sink.drain(() => response.resume())
          } catch (defect) {
            finish(Effect.die(defect))
          }
        }
        response.on("data", (text: string) => {
          if (done) return
          silence.refresh()
          // a frame's end may lie across two pieces
          const end = text.lastIndexOf(ends)
          const cut = end !== -1 ? end + ends.length : text.startsWith("\n") && partial.endsWith("\n") ? 1 : 0
          if (cut === 0) {
            partial += text
            if (partial.length > maxEventLength) fail("BROKEN", "a frame has no end")
            return
          }
          const whole = partial + text.slice(0, cut)
          partial = text.slice(cut)
          pass(whole)
        })
        response.on("end", () => finish(Effect.void))
        response.on("error", () => fail("BROKEN", "it broke the connection"))
        response.on("close", () => fail("BROKEN", "it broke the connection"))
        if (broken || (response.destroyed && !response.readableEnded)) fail("BROKEN", "it broke the connection")
        return Effect.sync(() => finish(Effect.void))
      })
  })
