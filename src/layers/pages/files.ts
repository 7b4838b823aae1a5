/** Serves the pages from the files that the build made (tools/page.mjs). */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { rbeeError } from "../../machines/errors.ts"
import type { BrowserSessions } from "../transport/http/server/browser-sessions.ts"
import type { TextAnswer } from "../../protocol/answers.ts"
import { running } from "../../protocol/surfaces/ollama-surface.ts"
import { html, type PagesApi, moved, script, style, type Visit } from "./index.ts"

export interface PageOptions {
  /** where the folders of the pages are: `web`, `inspect` */
  readonly folder: string
  /** absent: this daemon needs no token */
  readonly sessions: BrowserSessions | undefined
}

const text = <const Status extends number, const Type extends string>(
  status: Status,
  type: Type,
  body: string
): TextAnswer<Status, Type> => ({ _tag: "Text", status, type, body })

type Page = TextAnswer<200, typeof html> | TextAnswer<303, typeof moved>

export const pageHandlers = ({ folder, sessions }: PageOptions): PagesApi => {
  const file = (page: "web" | "inspect", name: string) =>
    Effect.tryPromise({
      try: () => readFile(join(folder, page, name), "utf8"),
      catch: () => rbeeError("NOT_FOUND", `the page's ${name} is not there`, "Install rbee anew")
    })
  const asset = (page: "web" | "inspect", name: "app.js" | "style.css") =>
    Effect.map(file(page, name), (body) => text(200, name === "app.js" ? script : style, body))

  /** A page for browsers that were let in, and another for those that were not. */
  const visited =
    <Outside extends TextAnswer, Failure>(at: string, inside: Effect.Effect<string, Failure>, outside: Outside) =>
    ({ cookie, ticket }: Visit): Effect.Effect<Outside | Page, Failure> =>
      Effect.suspend((): Effect.Effect<Outside | Page, Failure> => {
        const session = ticket === undefined ? undefined : sessions?.redeem(ticket)
        if (session !== undefined) {
          // away from the address with the ticket, which is worth nothing any more
          return Effect.succeed({ ...text(303, moved, ""), headers: { Location: at, "Set-Cookie": session } })
        }
        const isIn = sessions === undefined || sessions.admits(cookie)
        return isIn ? Effect.map(inside, (body) => text(200, html, body)) : Effect.succeed(outside)
      })

  // who may ask models may chat; for the rest the page says what it needs
  const own = file("web", "index.html")
  const home = ({ ticket, cookie }: Visit) =>
    ticket === undefined
      ? Effect.map(own, (body) => text(200, html, body))
      : visited("/", own, text(200, html, stale))({ ticket, cookie })
  return {
    home: ({ accept = "", ...visit }) =>
      visit.ticket !== undefined || accept.includes("text/html")
        ? home(visit)
        : Effect.succeed(text(200, running.type, running.text)),
    homeAsset: ({ file: name }) => asset("web", name),
    page: visited("/inspect", file("inspect", "index.html"), text(401, html, refusal)),
    asset: ({ file: name }) => asset("inspect", name),
    machines: () => file("inspect", "machines.json"),
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

const stale = plainPage(
  "rbee",
  `    <h1>This link has been used, or is too old.</h1>
${howToGetRights}
    <p>Without it <a href="/">the page</a> may ask models, where the queen's operator lets anybody of this machine do so.</p>`
)
