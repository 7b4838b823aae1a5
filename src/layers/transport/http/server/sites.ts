/**
 * From which pages a browser may call a daemon, and by which names it may be called. Any web page that
 * a user opens can reach loopback, so a page's Origin must be one that is let in, and the Host must be a name that
 * nobody else can point here: a page behind a rebound DNS name has neither.
 */
import type { IncomingHttpHeaders } from "node:http"
import { isIP } from "node:net"
import { hostname } from "node:os"
import { isLoopback, isLoopbackName } from "../../../../machines/vocabulary/address.ts"
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"
import type { ApiScope } from "../../../../protocol/rights.ts"

export interface SiteOptions {
  /** where the daemon listens */
  readonly host: string
  /** whole origins ("https://ui.example", "null") whose pages may call what is shared, besides those of loopback */
  readonly origins: ReadonlyArray<string>
  /** names of this machine, besides those that it knows itself */
  readonly hosts: ReadonlyArray<string>
  /** whether the settings `queen.origins` and `queen.hosts` are this daemon's */
  readonly configurable: boolean
  /** whether the daemon is reached by TLS of its own */
  readonly hasTls?: boolean
}

type Forbidden = RbeeError<"FORBIDDEN_ORIGIN">

export interface Sites {
  /**
   * Is this daemon meant? Undefined: yes. On a bind that others can reach, whoever shows the token may call it by any
   * name: a page behind a rebound name has none.
   */
  readonly host: (headers: IncomingHttpHeaders, hasToken: () => boolean) => Forbidden | undefined
  /** May the page call this? Gives the foreign origin that is let in, or undefined where no page of others asks. */
  readonly origin: (request: SiteRequest) => { readonly shared: string | undefined } | Forbidden
}

export interface SiteRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** pages of others may call what is *infer*, and a link may lead to what is *open*: pages */
  readonly scope: ApiScope
}

/** Names by which containers reach the machine that runs them; nobody can register them. */
const containerHosts = ["host.docker.internal", "host.containers.internal"]
/** Pages of programs, not of sites: no web page has such an origin. */
const appSchemes = /^(app|tauri|vscode-webview):/

/** `[::1]:8500` → `::1` */
const withoutPort = (host: string): string =>
  host
    .replace(/^(\[.*\]|[^:]*):\d+$/, "$1")
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase()

const isLoopbackPage = (origin: string): boolean => {
  const name = /^https?:\/\/([^/]+)$/.exec(origin)?.[1]
  return name !== undefined && isLoopbackName(withoutPort(name))
}

/** Somebody else's words in a message: plain characters, and not many. */
const shown = (text: string): string => text.replace(/[^\x21-\x7e]/g, "?").slice(0, 100)

export const makeSites = ({ configurable, hasTls = false, host, hosts, origins }: SiteOptions): Sites => {
  const machine = hostname().toLowerCase()
  const names = new Set(
    [host, machine, `${machine}.local`, ...containerHosts, ...hosts].map((name) => withoutPort(name))
  )
  /** By TLS where there is some, of the daemon's own or of a proxy before it. */
  const isOwnPage = (origin: string, headers: IncomingHttpHeaders): boolean => {
    const own = headers.host?.toLowerCase() ?? ""
    const secured = hasTls || headers["x-forwarded-proto"] === "https"
    return origin === `http://${own}` || (secured && origin === `https://${own}`)
  }
  const allowed = new Set(origins.map((origin) => origin.toLowerCase().replace(/\/$/, "")))
  return {
    host: (headers, hasToken) => {
      // without a Host it is a program of HTTP/1.0: a browser always says it
      const name = withoutPort(headers.host ?? "localhost")
      if (isIP(name) !== 0 || isLoopbackName(name) || names.has(name)) return undefined
      if (!isLoopback(host) && hasToken()) return undefined
      return refuse(
        `this daemon is not called ${shown(name)}`,
        configurable ? setting("hosts", name, "a name of this machine") : "Call it by its address",
        name
      )
    },
    origin: ({ headers, method, scope }) => {
      const origin = headers.origin?.toLowerCase()
      if (origin === undefined) {
        const site = headers["sec-fetch-site"]
        if (site !== "cross-site" && site !== "same-site") return { shared: undefined }
        const goesToPage = scope === "open" && method === "GET" && headers["sec-fetch-mode"] === "navigate"
        return goesToPage ? { shared: undefined } : ownPagesOnly("another site")
      }
      if (isOwnPage(origin, headers)) return { shared: undefined }
      if (scope !== "infer") return ownPagesOnly(shown(origin))
      if (allowed.has(origin) || isLoopbackPage(origin) || appSchemes.test(origin)) return { shared: origin }
      const opens = origin === "null" ? "pages of files, and any sandboxed frame of any site" : "its pages"
      return refuse(
        `calls from pages of ${shown(origin)} are refused`,
        configurable ? setting("origins", origin, opens) : "Call the daemon from a program",
        origin
      )
    }
  }
}

const ownPagesOnly = (origin: string): Forbidden =>
  refuse(
    `calls from pages of ${origin} are refused`,
    "Call the daemon from its own pages or from a program; pages of others may ask models (/v1), and nothing else",
    origin
  )

const setting = (key: "origins" | "hosts", value: string, opens: string): string =>
  `The setting queen.${key} lets ${opens} in: RBEE_QUEEN_${key.toUpperCase()}=${shown(value)}, or \`${key}\` under [queen] in the configuration file`

const refuse = (what: string, todo: string, from: string): Forbidden =>
  rbeeError("FORBIDDEN_ORIGIN", what, todo, { from: shown(from) })

/** What a browser is told with an answer to a page that is let in. */
export const corsHeaders = (origin: string): Readonly<Record<string, string>> => ({
  "Access-Control-Allow-Origin": origin,
  "Access-Control-Expose-Headers": "X-Request-Id, X-Correlation-Id, X-Rbee-Ignored, Retry-After",
  Vary: "Origin"
})

/** And before it asks: every header that it wants to send is fine. */
export const preflightHeaders = (origin: string, headers: IncomingHttpHeaders): Readonly<Record<string, string>> => ({
  ...corsHeaders(origin),
  "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
  "Access-Control-Allow-Headers": String(headers["access-control-request-headers"] ?? "*"),
  ...(headers["access-control-request-private-network"] === "true"
    ? { "Access-Control-Allow-Private-Network": "true" }
    : {}),
  "Access-Control-Max-Age": "600"
})
