/** Serves the page from the files that the build made (tools/inspector.mjs). */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { BrowserSessions } from "../api/browser-sessions.ts"
import type { Reply } from "../api/endpoint.ts"
import type { InspectorPageApi } from "./index.ts"

export interface PageOptions {
  /** where index.html and its siblings are */
  readonly folder: string
  /** absent: this daemon needs no token */
  readonly sessions: BrowserSessions | undefined
}

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

const headers = {
  "Content-Security-Policy": policy,
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cache-Control": "no-store"
}

export const text = (type: string, body: string, status = 200): Reply => ({ _tag: "Text", status, type, body, headers })

export const pageHandlers = ({ folder, sessions }: PageOptions): InspectorPageApi => {
  const file = (name: string, type: string): Effect.Effect<Reply, RbeeError> =>
    Effect.tryPromise({
      try: () => readFile(join(folder, name), "utf8"),
      catch: () => rbeeError("NOT_FOUND", `the inspector's ${name} is not there`, "Install rbee anew")
    }).pipe(Effect.map((body) => text(type, body)))

  const page = file("index.html", "text/html; charset=utf-8")
  const closed = text("text/html; charset=utf-8", refusal, 401)
  return {
    page: ({ cookie, ticket }) =>
      Effect.suspend(() => {
        if (sessions === undefined) return page
        if (ticket === undefined) return sessions.admits(cookie) ? page : Effect.succeed(closed)
        const session = sessions.redeem(ticket)
        if (session === undefined) return sessions.admits(cookie) ? page : Effect.succeed(closed)
        // away from the address with the ticket, which is worth nothing any more
        const moved = { ...headers, Location: "/inspect", "Set-Cookie": session }
        return Effect.succeed<Reply>({ _tag: "Text", status: 303, type: "text/plain", body: "", headers: moved })
      }),
    asset: ({ file: name }) =>
      file(name, name === "app.js" ? "text/javascript; charset=utf-8" : "text/css; charset=utf-8"),
    machines: () => file("machines.json", "application/json; charset=utf-8"),
    ticket: () =>
      Effect.sync(() => ({ path: sessions === undefined ? "/inspect" : `/inspect?ticket=${sessions.ticket()}` }))
  }
}

const refusal = `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>rbee inspector</title></head>
  <body>
    <h1>This cluster needs its token.</h1>
    <p>Run <code>rbee inspect</code> where the token is configured, and open the link that it prints.</p>
  </body>
</html>
`
