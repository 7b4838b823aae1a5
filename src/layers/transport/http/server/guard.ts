/**
 * Who may call a daemon (docs/security.md#who-may-do-what): with a token every route but the open ones needs it. What
 * pages of others may do stands in sites.ts.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import { RbeeError, rbeeError } from "../../../../machines/errors.ts"
import { isLoopback } from "../../../../machines/vocabulary/address.ts"
import { tokenFault, tokenLength } from "../../../../machines/vocabulary/token.ts"
import type { BrowserSessions } from "./browser-sessions.ts"
import { type Authorization, bearer, keyIn } from "../../../../protocol/surfaces/surface.ts"
import { type ApiScope, type Caller, holder, pageHeader, stranger } from "../../../../protocol/rights.ts"

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** What logs may say of a token: 6 hex digits of its SHA-256. */
export const fingerprint = (token: string): string => digest(token).toString("hex").slice(0, 6)

/** One token, or those that are right at the moment. */
export type Secret = string | (() => Iterable<string>)

/** A bind that others can reach needs a token that cannot be guessed. */
export const checkBind = (host: string, token: Secret | undefined): RbeeError<"INVALID_REQUEST"> | undefined => {
  const fault = typeof token === "string" ? tokenFault(token) : undefined
  if (fault !== undefined) return rbeeError("INVALID_REQUEST", `the token ${fault}`, "Use another one", { host })
  if (token !== undefined || isLoopback(host)) return undefined
  return rbeeError(
    "INVALID_REQUEST",
    `refusing to listen on ${host} without a token: others could use this machine`,
    `Set RBEE_TOKEN (or a 0600 token file) to at least ${tokenLength.min} characters, or listen on 127.0.0.1`,
    { host }
  )
}

export interface GuardOptions {
  readonly token: Secret | undefined
  /** browsers that have shown the token by a ticket */
  readonly sessions?: BrowserSessions | undefined
  /** who shows nothing, or what is nobody's: clients send a key because they must; absent: may call what is open */
  readonly anonymous?: Caller | undefined
  /** whose secret this is, besides the token's; an error: it is one of ours that opens nothing (any more) */
  readonly callerOf?: CallerOf | undefined
}

type Refusal = RbeeError<"MISSING_API_KEY" | "INVALID_API_KEY" | "FORBIDDEN" | "SHUTTING_DOWN">
export type CallerOf = (secret: string) => Caller | Refusal | undefined

export interface Guard {
  /** Who it is; an error where that one has no right to calls of this scope. */
  readonly caller: (
    headers: IncomingHttpHeaders,
    scope: ApiScope,
    /** how a caller shows its key there; absent: as the cluster's own do */
    shown?: Authorization
  ) => Caller | Refusal
}

export const makeGuard = (options: GuardOptions): Guard => {
  const { token } = options
  const digests = new Map<string, Buffer>()
  /** Those that are right now, and no others. */
  const expected = (): ReadonlyArray<Buffer> => {
    const right = typeof token === "function" ? [...token()] : token === undefined ? [] : [token]
    if (right.length !== digests.size || right.some((each) => !digests.has(each))) {
      digests.clear()
      for (const each of right) digests.set(each, digest(each))
    }
    return [...digests.values()]
  }
  const callerWith = (given: string): Caller | Refusal | undefined => {
    // digests have one length, so that the comparison's time says nothing about the token
    const own = digest(given)
    return expected().some((right) => timingSafeEqual(own, right)) ? holder : options.callerOf?.(given)
  }
  return {
    caller: (headers, scope, shown = bearer) => {
      if (token === undefined) return holder
      const given = keyIn(headers, shown)
      const known = given === undefined ? undefined : callerWith(given)
      if (known instanceof RbeeError) return known
      if (known !== undefined) return known.may.has(scope) ? known : notFor(known, scope)
      if (options.sessions?.admits(headers.cookie) === true)
        return scope === "manage" && headers[pageHeader] === undefined ? notByForm : holder
      // whom a proxy brings is not of this machine, whatever address it has
      const anonymous = isForwarded(headers) ? stranger : (options.anonymous ?? stranger)
      if (anonymous.may.has(scope)) return anonymous
      return given === undefined
        ? rbeeError("MISSING_API_KEY", "this needs the cluster's token", howToShowIt, {
            scope
          })
        : rbeeError("INVALID_API_KEY", "the token is not this cluster's", "Check RBEE_TOKEN on both machines", {
            scope
          })
    }
  }
}

const isForwarded = (headers: IncomingHttpHeaders): boolean =>
  headers["x-forwarded-for"] !== undefined || headers.forwarded !== undefined

const notByForm = rbeeError(
  "FORBIDDEN",
  "a browser's session may do this by the script of the queen's own page alone",
  "Send X-Rbee-Page: 1 with it, or the token",
  {}
)

const notFor = ({ key, name }: Caller, scope: ApiScope) =>
  key === undefined
    ? rbeeError("FORBIDDEN", `${name} has no right to this`, "The cluster's token has it", { scope })
    : rbeeError(
        "FORBIDDEN",
        `${name} has no right to this: it may ${key.scopes.join(", ")}, and this needs ${scope}`,
        "Ask whoever gave it to you for a key of that scope (`rbee keys add NAME --scope …`)",
        { scope, scopes: key.scopes }
      )

const howToShowIt =
  "Send it as Authorization: Bearer TOKEN. `rbee` does that by itself, and `rbee open` lets a browser in"
