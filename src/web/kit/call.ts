/** Calls of the daemon that served the page. */
import { isObject } from "../../machines/formats/json/is-object.ts"
import { type Fields, fields } from "./fields.ts"
import { events, type Heard } from "./events.ts"
import { keyShown } from "./key.ts"
import { pageHeader } from "../../protocol/rights.ts"

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

type More = Pick<RequestInit, "body" | "signal"> & { readonly headers?: Readonly<Record<string, string>> }

const ask = async (method: Method, path: string, { headers, ...more }: More = {}): Promise<Response> => {
  const key = keyShown()
  const own = { [pageHeader]: "1", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers }
  const response = await fetch(path, { method, headers: own, ...more }).catch(() => {
    throw new Refused(0, "UNREACHABLE", "the queen cannot be reached")
  })
  if (response.ok) return response
  const answer: unknown = await response.json().catch(() => undefined)
  throw refusal(response.status, answer)
}

/** The answer's JSON; undefined where it has none. Throws `Refused`. */
export const call = async (method: Method, path: string, body?: unknown): Promise<unknown> => {
  const sent = body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
  const response = await ask(method, path, sent)
  const answer: unknown = await response.json().catch(() => undefined)
  return answer
}

/** The answer as it is. Throws `Refused`. */
export const callText = async (path: string): Promise<string> => (await ask("GET", path)).text()

interface Reading {
  /** the last event that was heard; "": none */
  readonly after?: string
  /** ends the reading */
  readonly signal?: AbortSignal
  readonly opened?: () => void
}

/**
 * The events of an answer, to its end. The browser's own reader of events could send neither the header nor a key. Throws
 * `Refused`, or what the network says where it breaks.
 */
export const callEvents = async (
  method: Method,
  path: string,
  heard: Heard,
  { after = "", opened, signal }: Reading = {}
): Promise<void> => {
  const headers = after === "" ? {} : { "last-event-id": after }
  const { body } = await ask(method, path, { headers, ...(signal === undefined ? {} : { signal }) })
  opened?.()
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
