/** A stream over a simulated connection: the server's pump, and the feed that the client reads. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RbeeError } from "../../../machines/errors.ts"
import type { EventFeed, Sink } from "../../../protocol/endpoint.ts"
import { gone } from "../../../layers/transport/in-process/client.ts"
import { keepAliveMs } from "../../../protocol/sse.ts"
import type { Connection } from "./connection.ts"

/** characters on their way before the writer has to wait; the reader tells what it has taken once it is worth it */
const windowMax = 64 * 1024
const worthTelling = windowMax / 2
/** a stream that nobody starts to read is closed; one that is silent is broken; as the HTTP client */
const abandonedMs = 30_000
const silenceMs = 3 * keepAliveMs

export type Piece =
  | { readonly _tag: "Text"; readonly text: string; readonly taken: (length: number) => void }
  | { readonly _tag: "KeepAlive" }
  | { readonly _tag: "End" }

/** Runs the feed in the server's process until it ends, breaks, or the client leaves. */
export const serveFeed = (
  connection: Connection,
  feed: EventFeed,
  receive: (piece: Piece) => void,
  done: () => void
): void => {
  const { server } = connection
  let underWay = 0
  let waiting: Array<() => void> = []
  /** cut in the middle of a write: nothing comes after that */
  let isCut = false
  const taken = (length: number) => {
    underWay -= length
    if (underWay >= windowMax) return
    const ready = waiting
    waiting = []
    for (const resume of ready) resume()
  }
  const sink: Sink = {
    write: (whole) => {
      if (isCut) return true
      isCut = connection.cutsNext
      const text = isCut ? whole.slice(0, server.kernel.random.int(0, whole.length - 1)) : whole
      underWay += text.length
      const piece: Piece = {
        _tag: "Text",
        text,
        taken: (length) => connection.send("server", () => taken(length))
      }
      connection.send("client", () => receive(piece))
      if (isCut) connection.send("client", () => connection.reset())
      return underWay < windowMax
    },
    drain: (resume) => {
      if (underWay < windowMax) resume()
      else waiting.push(resume)
    }
  }
  let over = false
  const keepAlive = () => {
    if (over) return
    connection.send("client", () => receive({ _tag: "KeepAlive" }))
    server.at(keepAliveMs, keepAlive)
  }
  server.at(keepAliveMs, keepAlive)
  const fiber = server.fork(
    Effect.onExit(feed(sink), (exit) =>
      Effect.sync(() => {
        over = true
        if (Exit.isSuccess(exit)) connection.send("client", () => receive({ _tag: "End" }))
        done()
      })
    )
  )
  connection.onBreak.server = () => {
    over = true
    fiber.unsafeInterruptAsFork(fiber.id())
  }
}

/** What the client gets: pieces wait in it until it is read, once. */
export const remoteFeed = (
  connection: Connection,
  closed: () => void
): { readonly feed: EventFeed; readonly receive: (piece: Piece) => void } => {
  const { client } = connection
  const arrived: Array<Piece> = []
  let isBroken = false
  let reader: (() => void) | undefined
  const close = () => {
    connection.leave("client")
    closed()
  }
  connection.onBreak.client = () => {
    isBroken = true
    closed()
    reader?.()
  }
  let heardAt = client.kernel.now
  let isTaken = false
  // armed by the first piece or by the reader: the answer's head starts it
  const stopAbandoned = client.at(abandonedMs, () => {
    if (!isTaken) close()
  })
  const broken = (why: string, reason: string) => Effect.fail(gone(why, reason, connection.server.name))

  const feed: EventFeed = (sink) =>
    Effect.async<void, RbeeError>((resume) => {
      if (isTaken) {
        resume(broken("its stream has been read before", "BROKEN"))
        return undefined
      }
      isTaken = true
      stopAbandoned()
      let over = false
      let isBlocked = false
      let untold = 0
      let stopSilence = () => {}
      const finish = (exit: Effect.Effect<void, RbeeError>) => {
        if (over) return
        over = true
        reader = undefined
        stopSilence()
        close()
        resume(exit)
      }
      const watch = (ms: number) => {
        stopSilence = client.at(ms, () => {
          const left = heardAt + silenceMs - client.kernel.now
          if (isBlocked) watch(silenceMs)
          else if (left > 0.01) watch(left)
          else finish(broken(`silent for ${silenceMs / 1000} s`, "SILENT"))
        })
      }
      heardAt = client.kernel.now
      watch(silenceMs)
      const pump = () => {
        for (;;) {
          if (over || isBlocked) break
          const piece = arrived.shift()
          if (piece === undefined) break
          if (piece._tag === "End") return finish(Effect.void)
          if (piece._tag === "KeepAlive") continue
          untold += piece.text.length
          if (untold >= worthTelling) {
            piece.taken(untold)
            untold = 0
          }
          try {
            isBlocked = !sink.write(piece.text)
          } catch (defect) {
            return finish(Effect.die(defect))
          }
          if (isBlocked)
            sink.drain(() => {
              isBlocked = false
              pump()
            })
        }
        if (isBroken && arrived.length === 0) finish(broken("it broke the connection", "BROKEN"))
      }
      reader = pump
      pump()
      return Effect.sync(() => finish(Effect.void))
    })
  return {
    feed,
    receive: (piece) => {
      heardAt = client.kernel.now
      arrived.push(piece)
      reader?.()
    }
  }
}
