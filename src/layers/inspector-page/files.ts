/** Serves the page from the files that the build made (tools/inspector.mjs). */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { rbeeError } from "../../machines/errors.ts"
import type { BrowserSessions } from "../transport/http/server/browser-sessions.ts"
import type { TextAnswer } from "../../protocol/answers.ts"
import { running } from "../../protocol/surfaces/ollama-surface.ts"
import { html, type InspectorPageApi, moved, script, style, type Visit } from "./index.ts"

export interface PageOptions {
  /** where index.html and its siblings are */
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

export const pageHandlers = ({ folder, sessions }: PageOptions): InspectorPageApi => {
  const file = (name: string) =>
    Effect.tryPromise({
      try: () => readFile(join(folder, name), "utf8"),
      catch: () => rbeeError("NOT_FOUND", `the inspector's ${name} is not there`, "Install rbee anew")
    })

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

  const home = visited("/", Effect.succeed(welcome), text(200, html, offer))
  return {
    home: ({ accept = "", ...visit }) =>
      visit.ticket !== undefined || accept.includes("text/html")
        ? home(visit)
        : Effect.succeed(text(200, running.type, running.text)),
    page: visited("/inspect", file("index.html"), text(401, html, refusal)),
    asset: ({ file: name }) => Effect.map(file(name), (body) => text(200, name === "app.js" ? script : style, body)),
    machines: () => file("machines.json"),
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
