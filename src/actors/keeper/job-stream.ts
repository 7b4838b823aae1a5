/** Reads a job's event stream into the renderer: what is printed, what is remembered for a resume, how it ended. */
import type * as Effect from "effect/Effect"
import type { EventFeed } from "../../protocol/endpoint.ts"
import { readEvents, type SseEvent } from "../../protocol/sse.ts"
import type { RbeeError } from "../../machines/errors.ts"
import { done as doneLine, inferDone, jobFailed, type Line } from "../../machines/narration.ts"
import type { Heard, Renderer } from "./renderer.ts"

/** How the job ended, as its one terminal event told. */
export type Ending = "done" | "error" | "cancelled"

export interface JobStream {
  /** Reads one connection until it ends or breaks; the ending is in `ended` if its terminal event came. */
  readonly read: (feed: EventFeed) => Effect.Effect<void, RbeeError>
  readonly ended: () => Ending | undefined
  /** the last durable event: what a resume continues after */
  readonly lastEventId: () => string | undefined
}

const dataOf = (event: SseEvent): Readonly<Record<string, unknown>> => {
  const parsed: unknown = JSON.parse(event.data)
  return typeof parsed === "object" && parsed !== null ? (parsed as Readonly<Record<string, unknown>>) : {}
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "")

/** The line in a `narration` event. Unknown actors and levels of a later version are still shown. */
export const lineIn = (data: Readonly<Record<string, unknown>>): Line => {
  const actor = data["actor"]
  const level = data["level"]
  return {
    actor: actor === "bee-keeper" || actor === "hive" || actor === "worker" ? actor : "queen",
    action: textOf(data["action"]),
    human: textOf(data["human"]),
    level: level === "warn" || level === "error" ? level : "info"
  }
}

export const heardIn = (event: SseEvent): Heard => ({ event: event.event, id: event.id, data: dataOf(event) })

export const makeJobStream = (renderer: Renderer): JobStream => {
  let ending: Ending | undefined
  let lastId: string | undefined
  /** index of the next token: a resume never prints one twice, whatever it sends */
  let nextToken = 0
  let failureSaid = false

  const narration = (heard: Heard) => {
    const line = lineIn(heard.data)
    if (line.action === jobFailed({ code: "", message: "" }).action) failureSaid = true
    if (line.action === inferDone().action) renderer.say(doneLine())
    renderer.say(line, heard)
  }
  const token = (heard: Heard) => {
    const index = heard.data["i"]
    if (typeof index === "number") {
      if (index < nextToken) return
      nextToken = index + 1
    }
    renderer.token(textOf(heard.data["t"]), heard)
  }
  const failed = (heard: Heard) => {
    // a job that ended while no one narrated it still gives its reason
    if (!failureSaid)
      renderer.say(jobFailed({ code: textOf(heard.data["code"]), message: textOf(heard.data["message"]) }))
    renderer.note(heard)
  }
  const onEvent = (event: SseEvent) => {
    if (ending !== undefined) return
    if (event.id !== undefined) lastId = event.id
    const heard = heardIn(event)
    switch (event.event) {
      case "token":
        return token(heard)
      case "narration":
        return narration(heard)
      case "error":
        ending = "error"
        return failed(heard)
      case "done":
      case "cancelled":
        ending = event.event
        return renderer.note(heard)
      default:
        return renderer.note(heard)
    }
  }
  return {
    read: (feed) =>
      readEvents(
        (sink) =>
          feed({
            write: (frames) => {
              const ready = sink.write(frames)
              renderer.flush()
              return ready
            },
            drain: sink.drain
          }),
        onEvent
      ),
    ended: () => ending,
    lastEventId: () => lastId
  }
}

/** Errors with which a queen refuses a stream for good; any other failure is a connection that can be made again. */
const final = new Set([
  "JOB_NOT_FOUND",
  "NOT_FOUND",
  "INVALID_REQUEST",
  "MISSING_API_KEY",
  "INVALID_API_KEY",
  "FORBIDDEN",
  "FORBIDDEN_ORIGIN"
])
export const isFinal = (error: RbeeError): boolean => final.has(error.code)
