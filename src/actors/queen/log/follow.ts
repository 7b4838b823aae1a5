/** Reads a stream of a hive (a download, an installation, a worker's life) for a job that waits for its end. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../../protocol/endpoint.ts"
import { readEvents } from "../../../protocol/sse.ts"
import { type ErrorDetails, type RbeeError, inSentence, isErrorCode, rbeeError } from "../../../machines/errors.ts"
import type { Line } from "../../../machines/narration.ts"
import type { ProgressEvent } from "../../../machines/vocabulary/model.ts"
import type { Narrate } from "./job-log.ts"
import { isObject } from "../../../machines/formats/json/is-object.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

export interface Listener {
  readonly narrate: Narrate
  readonly progress: (event: ProgressEvent) => void
}

export interface Ready {
  /** the data of the `ready` event */
  readonly data: unknown
  /** its id on that stream: where a later reader may go on */
  readonly eventId: string | undefined
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

/** An error as it travels in an event: `{code, message, details}`, or a worker's `{code, attempts, last_words}`. */
export const errorOfEvent = (data: unknown, otherwise: string): RbeeError => {
  const fields = isObject(data) ? data : {}
  const code = text(fields["code"]) ?? "INTERNAL"
  const details: ErrorDetails = isObject(fields["details"]) ? fields["details"] : {}
  const lastWords = text(fields["last_words"])
  const attempts = fields["attempts"]
  const own: ErrorDetails = {
    ...(typeof attempts === "number" ? { attempts } : {}),
    ...(lastWords === undefined ? {} : { last_words: lastWords })
  }
  const message = text(fields["message"]) ?? (lastWords === undefined ? otherwise : `${otherwise}: ${lastWords}`)
  const { todo, what } = inSentence(message)
  return rbeeError(isErrorCode(code) ? code : "INTERNAL", what, todo, { ...details, ...own })
}

/**
 * Passes on what the stream narrates, until it says `ready`, or fails with what its `failed` says. A stream that ends
 * without either is a broken connection: a clean end never means success.
 */
export const follow = (
  feed: EventFeed,
  listener: Listener,
  what: string,
  ids: { readonly hiveId?: HiveId; readonly workerId?: string } = {},
  accepts: (ready: Ready) => boolean = () => true
): Effect.Effect<Ready, RbeeError> =>
  Effect.flatMap(Deferred.make<Ready, RbeeError>(), (end) => {
    const reading = readEvents(feed, (event) => {
      const data: unknown = JSON.parse(event.data)
      switch (event.event) {
        case "narration":
          // A hive of our own version wrote it from the same table of lines.
          return listener.narrate(data as Line, ids)
        case "progress":
          return listener.progress(data as ProgressEvent)
        case "ready": {
          const ready = { data, eventId: event.id }
          if (accepts(ready)) Deferred.unsafeDone(end, Effect.succeed(ready))
          return
        }
        case "failed":
          Deferred.unsafeDone(end, Effect.fail(errorOfEvent(data, `${what} failed`)))
      }
    })
    const broken = () => rbeeError("CONNECTION_TIMEOUT", `the connection to the hive broke while ${what} was under way`)
    return Effect.raceFirst(Deferred.await(end), Effect.zipRight(reading, Effect.flatMap(Effect.yieldNow(), broken)))
  })
