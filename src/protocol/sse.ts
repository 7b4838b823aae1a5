/**
 * Server-Sent Events as text: the one encoder, the one parser (docs/design.md#the-token-path).
 *
 * The parser is our own because the one of `@effect/experimental` scans its buffer again after every line, which made
 * a relay 40 to 200 times dearer; here each character is looked at once.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../machines/errors.ts"
import type { EventFeed, Sink } from "./answers.ts"

export interface SseEvent {
  /** of this event alone; `progress` has none */
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** What a reader waits before it connects again. Sent once, at the start of a stream. */
export const retryLine = "retry: 1000\n\n"
/** A comment; readers take 45 s of silence for a broken connection. */
export const keepAliveComment = ": keep-alive\n\n"
export const keepAliveMs = 15_000
/** The end mark of OpenAI's streams. */
export const doneFrame = "data: [DONE]\n\n"

const eventName = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/
const eventId = /^[\x21-\x7e]{1,128}$/
/** Names that passed the check; there are a dozen of them in the whole program. */
const knownNames = new Set<string>()

const checkedName = (name: string): string => {
  if (knownNames.has(name)) return name
  if (!eventName.test(name)) throw new TypeError("not a name of an SSE event")
  if (knownNames.size < 256) knownNames.add(name)
  return name
}

const checkedId = (id: number | string): number | string => {
  if (typeof id === "number" ? Number.isSafeInteger(id) : eventId.test(id)) return id
  throw new TypeError("not an id of an SSE event")
}

/** One frame of parts that are sound: `json` is JSON on one line. The token path is made of these. */
export const frameOf = (id: number | string | undefined, event: string | undefined, json: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}${event === undefined ? "" : `event: ${event}\n`}data: ${json}\n\n`

/** One frame. `data` becomes one line of JSON. A bad name or id is a bug (it could forge fields), and throws. */
export const frame = (event: {
  readonly id?: number | string | undefined
  readonly event?: string | undefined
  readonly data: unknown
}): string =>
  frameOf(
    event.id === undefined ? undefined : checkedId(event.id),
    event.event === undefined ? undefined : checkedName(event.event),
    JSON.stringify(event.data) ?? "null"
  )

/** UTF-16 code units that one event may have; an answer in a single event stays far below. */
export const maxEventLength = 16 * 1024 * 1024

/**
 * Gives the events of a stream that comes in pieces, cut anywhere. Lines end with LF, CRLF or CR. What follows the last
 * blank line is no event. Throws `RbeeError<"INTERNAL">` at an event over `limit`, and then takes nothing more.
 */
export const makeSseParser = (
  onEvent: (event: SseEvent) => void,
  limit: number = maxEventLength
): ((text: string) => void) => {
  let partial = ""
  let id: string | undefined
  let name = "message"
  let data = ""
  let hasData = false
  let size = 0
  let first = true
  /** the last piece ended with CR: an LF that follows belongs to it */
  let afterCr = false
  let broken = false

  const dispatch = () => {
    const event = hasData ? { id, event: name, data } : undefined
    id = undefined
    name = "message"
    data = ""
    hasData = false
    size = 0
    if (event !== undefined) onEvent(event)
  }
  const field = (line: string) => {
    const colon = line.indexOf(":")
    if (colon === 0) return
    const key = colon === -1 ? line : line.slice(0, colon)
    // one space after the colon belongs to the syntax
    const start = colon === -1 ? line.length : line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1
    if (key === "data") {
      data = hasData ? `${data}\n${line.slice(start)}` : line.slice(start)
      hasData = true
    } else if (key === "event") name = line.slice(start) || "message"
    else if (key === "id" && !line.includes("\0")) id = line.slice(start)
  }
  const grow = (by: number) => {
    size += by
    if (size <= limit) return
    broken = true
    throw rbeeError("INTERNAL", `an event of the stream is over ${limit} characters`)
  }

  return (piece) => {
    if (broken || piece === "") return
    let text = piece
    if (first) {
      first = false
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1)
    }
    if (afterCr && text.charCodeAt(0) === 10) text = text.slice(1)
    afterCr = text === "" ? false : text.charCodeAt(text.length - 1) === 13
    if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n")

    let from = 0
    for (;;) {
      const end = text.indexOf("\n", from)
      if (end === -1) break
      grow(end - from)
      const line = partial === "" ? text.slice(from, end) : partial + text.slice(from, end)
      partial = ""
      from = end + 1
      if (line === "") dispatch()
      else field(line)
    }
    if (from < text.length) {
      grow(text.length - from)
      // appended without being looked at: a long line in many pieces stays linear
      partial += text.slice(from)
    }
  }
}

/**
 * Runs a feed and gives its events. Completes when the source ends, which says nothing about success; fails when it
 * breaks. What `onEvent` throws is a defect of the caller, and ends the reading.
 */
export const readEvents = (feed: EventFeed, onEvent: (event: SseEvent) => void): Effect.Effect<void, RbeeError> =>
  Effect.flatMap(Deferred.make<never, RbeeError>(), (broken) => {
    const parse = makeSseParser(onEvent)
    let over = false
    const sink: Sink = {
      write: (frames) => {
        if (over) return true
        try {
          parse(frames)
        } catch (error) {
          over = true
          Deferred.unsafeDone(broken, isRbeeError(error) ? Effect.fail(error) : Effect.die(error))
        }
        return true
      },
      drain: (resume) => resume()
    }
    return Effect.raceFirst(feed(sink), Deferred.await(broken))
  })

const isRbeeError = (error: unknown): error is RbeeError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RbeeError"
