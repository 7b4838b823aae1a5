/** The pages that a daemon serves beside its interface, for a browser (docs/api.md#queen): the queen's own, the inspector. */
import * as Schema from "effect/Schema"
import { endpoint, type Handlers } from "../../protocol/endpoint.ts"
import { running } from "../../protocol/surfaces/ollama-surface.ts"

const none = Schema.Struct({})

export const html = "text/html; charset=utf-8"
export const moved = "text/plain"
export const script = "text/javascript; charset=utf-8"
export const style = "text/css; charset=utf-8"
/** Nothing from elsewhere, nothing inline, in nobody's frame: an operator's click must be the operator's. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'"
].join("; ")

const sends = {
  "Content-Security-Policy": policy,
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-store"
}

const lines = "application/x-ndjson; charset=utf-8"
const charts = "application/json; charset=utf-8"

/** What a browser comes with: a ticket in the link, or the session that it got for one. */
const visit = {
  input: Schema.Struct({ ticket: Schema.optional(Schema.String), cookie: Schema.optional(Schema.String) }),
  query: ["ticket"],
  headers: { cookie: "cookie" }
} as const

export type Visit = typeof visit.input.Type

export const pagesApi = {
  home: endpoint("GET", "/", {
    sends: { ...sends, Vary: "Accept" },
    scope: "open",
    summary:
      "The page: chat, models, machines, usage; a ticket is traded for a session cookie. Who wants no HTML hears that Ollama is running",
    answers: { text: { 200: [html, running.type], 303: moved } },
    errors: ["NOT_FOUND"],
    input: Schema.Struct({ ...visit.input.fields, accept: Schema.optional(Schema.String) }),
    query: visit.query,
    headers: { ...visit.headers, accept: "accept" }
  }),
  homeAsset: endpoint("GET", "/assets/:file", {
    sends,
    scope: "open",
    summary: "Script and style of the page",
    input: Schema.Struct({ file: Schema.Literal("app.js", "style.css") }),
    answers: { text: { 200: [script, style] } },
    errors: ["NOT_FOUND"]
  }),
  /** Open: without the token it answers with a ticket or a browser's session alone, else 401. */
  page: endpoint("GET", "/inspect", {
    sends,
    scope: "open",
    summary: "The inspector; a ticket is traded for a session cookie",
    answers: { text: { 200: html, 303: moved, 401: html } },
    errors: ["NOT_FOUND"],
    ...visit
  }),
  asset: endpoint("GET", "/inspect/assets/:file", {
    sends,
    scope: "open",
    summary: "Script and style of the inspector",
    input: Schema.Struct({ file: Schema.Literal("app.js", "style.css") }),
    answers: { text: { 200: [script, style] } },
    errors: ["NOT_FOUND"]
  }),
  machines: endpoint("GET", "/inspect/machines", {
    sends,
    scope: "observe",
    summary: "All charts, laid out",
    input: none,
    answers: { text: { 200: charts } },
    errors: ["NOT_FOUND"]
  }),
  ticket: endpoint("POST", "/inspect/tickets", {
    scope: "manage",
    summary: "A link that gives one browser the rights of the token, once, within a minute",
    input: Schema.Struct({ page: Schema.optional(Schema.Literal("/", "/inspect")) }),
    answers: { json: { 201: Schema.Struct({ path: Schema.String }) } }
  })
} as const

export type PagesApi = Handlers<typeof pagesApi>

/** A recorded trace beside the page: `rbee inspect FILE`. */
export const traceApi = {
  trace: endpoint("GET", "/inspect/trace", {
    sends,
    scope: "observe",
    summary: "The trace",
    input: none,
    answers: { text: { 200: lines } }
  })
} as const
