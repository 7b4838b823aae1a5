/** Calls of the daemon that served the page. */
import { isObject } from "../../machines/formats/json/is-object.ts"
import { type Fields, fields } from "./fields.ts"
import { events, type Heard } from "./events.ts"

/** No form and no link can send it: a browser's session may change nothing without (http/server/guard.ts). */
export const pageHeader = { "x-rbee-page": "1" } as const

/** What the daemon says where it refuses, in its own words; status 0: it could not be reached. */
export class Refused extends Error {
  readonly status: number
  readonly code: string
  /** of it, by name */
  readonly facts: Fields

  constructor(status: number, code: string, message: string, facts: Fields = {}) {
    super(message)
    this.status = status
    this.code = code
    this.facts = facts
  }
}

export type Method = "GET" | "POST" | "DELETE"

const ask = async (method: Method, path: string, body?: unknown): Promise<Response> => {
  const sent =
    body === undefined
      ? { headers: pageHeader }
      : { headers: { ...pageHeader, "content-type": "application/json" }, body: JSON.stringify(body) }
  const response = await fetch(path, { method, ...sent }).catch(() => {
    throw new Refused(0, "UNREACHABLE", "the queen cannot be reached")
  })
  if (response.ok) return response
  const answer: unknown = await response.json().catch(() => undefined)
  throw refusal(response.status, answer)
}

/** The answer's JSON; undefined where it has none. Throws `Refused`. */
export const call = async (method: Method, path: string, body?: unknown): Promise<unknown> => {
  const response = await ask(method, path, body)
  const answer: unknown = await response.json().catch(() => undefined)
  return answer
}

/** The answer as it is. Throws `Refused`. */
export const callText = async (path: string): Promise<string> => (await ask("GET", path)).text()

/**
 * The events of an answer, to its end. What needs *manage* is read so: the browser's own reader of events cannot send the
 * header. Throws `Refused`.
 */
export const callEvents = async (method: Method, path: string, heard: Heard): Promise<void> => {
  const { body } = await ask(method, path)
  if (body === null) return
  const hear = events(heard)
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) hear(next.value)
}

/** What an error says of itself, as calls and events have it. */
export const refusalIn = (status: number, error: Fields): Refused =>
  new Refused(status, String(error["code"] ?? "INTERNAL"), String(error["message"] ?? status), fields(error["details"]))

const refusal = (status: number, answer: unknown): Refused => {
  const error = isObject(answer) ? answer["error"] : undefined
  return isObject(error) ? refusalIn(status, error) : new Refused(status, "INTERNAL", `the queen answered ${status}`)
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
