/** Calls of the daemon that served the page. */
import { isObject } from "../../machines/formats/json/is-object.ts"

/** No form and no link can send it: a browser's session may change nothing without (http/server/guard.ts). */
export const pageHeader = { "x-rbee-page": "1" } as const

/** What the daemon says where it refuses, in its own words; status 0: it could not be reached. */
export class Refused extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export type Method = "GET" | "POST" | "DELETE"

/** The answer's JSON; undefined where it has none. Throws `Refused`. */
export const call = async (method: Method, path: string, body?: unknown): Promise<unknown> => {
  const sent =
    body === undefined
      ? { headers: pageHeader }
      : { headers: { ...pageHeader, "content-type": "application/json" }, body: JSON.stringify(body) }
  const response = await fetch(path, { method, ...sent }).catch(() => {
    throw new Refused(0, "UNREACHABLE", "the queen cannot be reached")
  })
  const answer: unknown = await response.json().catch(() => undefined)
  if (response.ok) return answer
  throw refusal(response.status, answer)
}

const refusal = (status: number, answer: unknown): Refused => {
  const error = isObject(answer) ? answer["error"] : undefined
  if (!isObject(error)) return new Refused(status, "INTERNAL", `the queen answered ${status}`)
  return new Refused(status, String(error["code"] ?? "INTERNAL"), String(error["message"] ?? status))
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
