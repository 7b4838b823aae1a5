/**
 * What calls of one kind of client have in common on HTTP, as data of an endpoint: how an error is wrapped, how a
 * stream is framed, how a caller shows who it is. A surface of another maker is one more such record.
 */
import type { RbeeError } from "../../machines/errors.ts"

/** How a stream is written: as events, or a line of JSON each. */
export interface Framing {
  readonly type: "text/event-stream" | "application/x-ndjson"
  /** what ends a frame */
  readonly ends: "\n\n" | "\n"
  /** sent once, before the first event */
  readonly opens: string
  /** sent when nothing else was for some time */
  readonly keepAlive: string
  /** sent after the last event; a stream that ends without is no whole one. Empty: a terminal event says it */
  readonly closes: string
}

/** A header in which a key is shown, and the word before it. */
export interface Authorization {
  /** in lower case */
  readonly header: "authorization"
  readonly scheme: "Bearer"
  /** another, in which it stands alone */
  readonly orHeader?: "x-api-key"
}

export interface Surface {
  readonly name: "rbee" | "openai" | "anthropic" | "ollama"
  /** base urls of its clients end with it, or do not; empty: there is none */
  readonly prefix: string
  /** its paths are not there without the prefix */
  readonly isPrefixNeeded: boolean
  readonly framing: Framing
  readonly authorization: Authorization
  /** the body of an error */
  readonly envelope: (error: RbeeError, correlationId: string | undefined) => unknown
}

/** Fields that were left out, because nobody has published them. */
export const ignoredHeader = "X-Rbee-Ignored"

/** Anthropic's clients say by which version they speak, in every call. */
export const versionHeader = "anthropic-version"

export const bearer: Authorization = { header: "authorization", scheme: "Bearer" }

const shown = /^bearer +(\S+) *$/i

/** The key that a caller shows; undefined where it shows none. */
export const keyIn = (
  headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>,
  { header, orHeader }: Authorization
): string | undefined => {
  const value = headers[header]
  const own = typeof value === "string" ? shown.exec(value)?.[1] : undefined
  const other = orHeader === undefined ? undefined : headers[orHeader]
  return own ?? (typeof other === "string" && other !== "" ? other : undefined)
}

/** The header that shows a key. */
export const showing = (key: string, { scheme }: Authorization = bearer): Readonly<Record<string, string>> => ({
  Authorization: `${scheme} ${key}`
})

/** Is `path` one of its paths? */
export const isWithin = ({ prefix }: Surface, path: string): boolean =>
  prefix !== "" && (path === prefix || path.startsWith(`${prefix}/`))
