/** Asks a real daemon over HTTP, by hand, and holds what it answers to what its endpoint declares. */
import * as Effect from "effect/Effect"
import { codesOf, statusesOf } from "../../src/protocol/openapi/errors.ts"
import type { Api, Endpoint } from "../../src/protocol/endpoint.ts"
import { decodeError } from "../../src/protocol/wire/error.ts"
import { compile } from "../../src/protocol/wire/wire.ts"

export interface Asked {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  /** a text is sent as it is */
  readonly body?: unknown
  /** another one, or none */
  readonly token?: string | undefined
}

export interface Got {
  readonly status: number
  /** of JSON */
  readonly body: unknown
}

export interface Daemon {
  readonly api: Api
  readonly ask: (name: string, asked?: Asked) => Promise<Got>
  /** answers that no endpoint declares */
  readonly breaches: () => ReadonlyArray<string>
  /** codes that it has answered with */
  readonly codes: () => Array<string>
}

/** Parameters that nobody gave. */
const nothere = { id: "nothere", hive: "nowhere", ref: "nonsense", file: "style.css" }

export const daemonAt = (api: Api, url: string, token: string): Daemon => {
  const breaches: Array<string> = []
  const codes = new Set<string>()
  const ask: Daemon["ask"] = async (name, asked = {}) => {
    const endpoint = api[name]
    if (endpoint === undefined) throw new TypeError(name)
    const { target } = compile(name, endpoint)
    const own = "token" in asked ? asked.token : token
    const { body, headers, params, query = {} } = asked
    const answer = await fetch(`${url}${target({ params: { ...nothere, ...params }, query })}`, {
      method: endpoint.method,
      redirect: "manual",
      headers: {
        ...(own === undefined ? {} : { authorization: `Bearer ${own}` }),
        ...(endpoint.method === "POST" ? { "content-type": "application/json" } : {}),
        ...headers
      },
      ...(endpoint.method !== "POST" ? {} : { body: typeof body === "string" ? body : JSON.stringify(body ?? {}) })
    })
    const got = await read(answer)
    const { breach, code } = judge(name, endpoint, answer, got)
    if (breach !== undefined) breaches.push(`${name}: ${breach}`)
    if (code !== undefined) codes.add(code)
    return { status: answer.status, body: parsed(got) }
  }
  return { api, ask, breaches: () => breaches, codes: () => [...codes] }
}

const isStream = (type: string): boolean =>
  type.startsWith("text/event-stream") || type.startsWith("application/x-ndjson")

/** A stream has said enough with its head. */
const read = async (answer: Response): Promise<string> => {
  if (!isStream(answer.headers.get("content-type") ?? "")) return answer.text()
  await answer.body?.cancel()
  return ""
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface Verdict {
  readonly breach?: string
  readonly code?: string
}

const judge = (name: string, endpoint: Endpoint, answer: Response, text: string): Verdict => {
  const { status } = answer
  const type = answer.headers.get("content-type") ?? ""
  const error = status >= 400 ? decodeError(parsed(text)) : undefined
  if (error !== undefined) {
    const { code, details } = error
    if (details["remote_code"] !== undefined)
      return { code, breach: `${String(details["remote_code"])}: ${error.what}` }
    const statuses = codesOf(endpoint).includes(code) ? statusesOf(endpoint, code) : []
    return statuses.includes(status) ? { code } : { code, breach: `${status} ${code}: ${error.what}` }
  }
  const { decodeAnswer } = compile(name, endpoint)
  const received = isStream(type)
    ? ({ _tag: "Events", feed: () => Effect.void } as const)
    : ({ _tag: "Body", status, type, body: text } as const)
  return decodeAnswer(received) === undefined ? { breach: `${status} ${type}: ${text.slice(0, 200)}` } : {}
}
