/**
 * Who may call a daemon (ACCEPTANCE G1, G3). Without a token a daemon is on loopback, where any web page that the user
 * opens can reach it too: so the Host must be a loopback name (a page behind a rebound DNS name is not) and a foreign
 * Origin is refused. With a token every route but the open ones needs it.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import { isIPv4 } from "node:net"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { BrowserSessions } from "./browser-sessions.ts"
import { type ApiScope, type Caller, holder, stranger } from "./rights.ts"

export const minimumTokenLength = 16

export const isLoopback = (host: string): boolean => {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase()
  return (
    name === "localhost" || name === "::1" || name.endsWith(".localhost") || (isIPv4(name) && name.startsWith("127."))
  )
}

/** `[::1]:8500` → `[::1]` */
const withoutPort = (host: string): string => host.replace(/:\d+$/, "").toLowerCase()

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** What logs may say of a token: 6 hex digits of its SHA-256. */
export const fingerprint = (token: string): string => digest(token).toString("hex").slice(0, 6)

/** One token, or those that are right at the moment. */
export type Secret = string | (() => Iterable<string>)

/** A bind that others can reach needs a token that cannot be guessed. */
export const checkBind = (host: string, token: Secret | undefined): RbeeError<"INVALID_REQUEST"> | undefined => {
  if (typeof token === "string" && token.length < minimumTokenLength) {
    return rbeeError(
      "INVALID_REQUEST",
      `the token has fewer than ${minimumTokenLength} characters`,
      "Use a longer one",
      {
        host
      }
    )
  }
  if (token !== undefined || isLoopback(host)) return undefined
  return rbeeError(
    "INVALID_REQUEST",
    `refusing to listen on ${host} without a token: others could use this machine`,
    `Set RBEE_TOKEN (or a 0600 token file) to at least ${minimumTokenLength} characters, or listen on 127.0.0.1`,
    { host }
  )
}

export interface GuardOptions {
  readonly host: string
  readonly token: Secret | undefined
  /** whole origins ("https://ui.example") that may call besides the daemon's own */
  readonly allowedOrigins: ReadonlyArray<string>
  /** browsers that have shown the token by a ticket */
  readonly sessions?: BrowserSessions | undefined
  /** who shows nothing, or what is nobody's: clients send a key because they must; absent: may call what is open */
  readonly anonymous?: Caller | undefined
  /** whose secret this is, besides the token's */
  readonly callerOf?: ((secret: string) => Caller | undefined) | undefined
}

export interface Guard {
  /** Is this a request that a page of somebody else made? */
  readonly origin: (method: string, headers: IncomingHttpHeaders) => RbeeError<"FORBIDDEN_ORIGIN"> | undefined
  /** Who it is; an error where that one has no right to calls of this scope. */
  readonly caller: (
    headers: IncomingHttpHeaders,
    scope: ApiScope
  ) => Caller | RbeeError<"MISSING_API_KEY" | "INVALID_API_KEY" | "FORBIDDEN">
}

const forbidden = (what: string) =>
  rbeeError("FORBIDDEN_ORIGIN", what, "Call the daemon from its own pages, or from a program")

export const makeGuard = (options: GuardOptions): Guard => {
  const { token } = options
  const only = typeof token === "string" ? [digest(token)] : undefined
  const expected = () => only ?? (typeof token === "function" ? Array.from(token(), digest) : [])
  const callerWith = (given: string): Caller | undefined => {
    // digests have one length, so that the comparison's time says nothing about the token
    const own = digest(given)
    return expected().some((right) => timingSafeEqual(own, right)) ? holder : options.callerOf?.(given)
  }
  const own = options.host.toLowerCase()
  const checksHost = isLoopback(options.host)
  const allowed = new Set(options.allowedOrigins.map((origin) => origin.toLowerCase()))
  return {
    origin: (method, headers) => {
      const host = headers.host ?? ""
      if (checksHost) {
        const name = withoutPort(host)
        if (!isLoopback(name) && name !== own) return forbidden("this daemon answers only to names of its own machine")
      }
      const origin = headers.origin?.toLowerCase()
      if (origin !== undefined) {
        if (origin === `http://${host.toLowerCase()}` || allowed.has(origin)) return undefined
        return forbidden("calls from other sites are refused")
      }
      const site = headers["sec-fetch-site"]
      if (method !== "GET" && (site === "cross-site" || site === "same-site")) {
        return forbidden("calls from other sites are refused")
      }
      return undefined
    },
    caller: (headers, scope) => {
      if (token === undefined) return holder
      const given = /^bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1]
      const known = given === undefined ? undefined : callerWith(given)
      if (known !== undefined) return known.may.has(scope) ? known : notFor(known, scope)
      if (options.sessions?.admits(headers.cookie) === true) return holder
      const anonymous = options.anonymous ?? stranger
      if (anonymous.may.has(scope)) return anonymous
      return given === undefined
        ? rbeeError("MISSING_API_KEY", "this needs the cluster's token", "Send it as Authorization: Bearer TOKEN", {
            scope
          })
        : rbeeError("INVALID_API_KEY", "the token is not this cluster's", "Check RBEE_TOKEN on both machines", {
            scope
          })
    }
  }
}

const notFor = ({ name }: Caller, scope: ApiScope) =>
  rbeeError("FORBIDDEN", `${name} has no right to this`, "The cluster's token has it", { scope })
