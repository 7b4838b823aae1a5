/** Serves the page from the files that the build made (tools/inspector.mjs). */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { BrowserSessions } from "../transport/http/server/browser-sessions.ts"
import type { Reply } from "../../protocol/endpoint.ts"
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

  /** A page for browsers that were let in, and another for those that were not. */
  const visited =
    (at: string, inside: Effect.Effect<Reply, RbeeError>, outside: Reply): InspectorPageApi["page"] =>
    ({ cookie, ticket }) =>
      Effect.suspend(() => {
        const session = ticket === undefined ? undefined : sessions?.redeem(ticket)
        if (session === undefined)
          return sessions === undefined || sessions.admits(cookie) ? inside : Effect.succeed(outside)
        // away from the address with the ticket, which is worth nothing any more
        const moved = { ...headers, Location: at, "Set-Cookie": session }
        return Effect.succeed<Reply>({ _tag: "Text", status: 303, type: "text/plain", body: "", headers: moved })
      })

  const html = "text/html; charset=utf-8"
  return {
    home: visited("/", Effect.succeed(text(html, welcome)), text(html, offer)),
    page: visited("/inspect", file("index.html", html), text(html, refusal, 401)),
    asset: ({ file: name }) =>
      file(name, name === "app.js" ? "text/javascript; charset=utf-8" : "text/css; charset=utf-8"),
    machines: () => file("machines.json", "application/json; charset=utf-8"),
    ticket: ({ page: at = "/inspect" }) =>
      Effect.sync(() => ({ path: sessions === undefined ? at : `${at}?ticket=${sessions.ticket()}` }))
  }
}

const plainPage = (title: string, body: string): string => `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>${title}</title></head>
  <body>
${body}
  </body>
</html>
`

const howToGetRights = `    <p>Run <code>rbee open</code> as the user whose cluster this is; the link that it prints works once, for one browser.</p>`

const refusal = plainPage(
  "rbee inspector",
  `    <h1>This needs the cluster's token.</h1>
${howToGetRights}`
)

const offer = plainPage(
  "rbee",
  `    <h1>An rbee queen</h1>
    <p>OpenAI's clients ask her models at <code>/v1</code> below this address: <a href="/v1/models">the models</a>,
    <a href="/openapi.json">every call</a>. On this machine that needs no key, unless her operator wants one.</p>
    <p>Hives, workers, models, others' jobs and the inspector need the cluster's token.</p>
${howToGetRights}`
)

const welcome = plainPage(
  "rbee",
  `    <h1>An rbee queen</h1>
    <p>This browser has the rights of the cluster's token: <a href="/inspect">the inspector</a>.</p>`
)
