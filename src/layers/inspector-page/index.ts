/** The inspector's page: what a daemon serves beside its interface, for a browser (docs/api.md#queen). */
import * as Schema from "effect/Schema"
import { type Handlers, json, reply } from "../../protocol/endpoint.ts"

const none = Schema.Struct({})

/** What a browser comes with: a ticket in the link, or the session that it got for one. */
const visit = {
  input: Schema.Struct({ ticket: Schema.optional(Schema.String), cookie: Schema.optional(Schema.String) }),
  query: ["ticket"],
  headers: { cookie: "cookie" }
} as const

export const inspectorPageApi = {
  home: reply("GET", "/", {
    scope: "open",
    summary: "What is offered here and how to get the rest; a ticket is traded for a session cookie",
    ...visit
  }),
  /** Open: without the token it answers with a ticket or a browser's session alone, else 401. */
  page: reply("GET", "/inspect", {
    scope: "open",
    summary: "The inspector; a ticket is traded for a session cookie",
    ...visit
  }),
  asset: reply("GET", "/inspect/assets/:file", {
    scope: "open",
    summary: "Script and style of the inspector",
    input: Schema.Struct({ file: Schema.Literal("app.js", "style.css") })
  }),
  machines: reply("GET", "/inspect/machines", { scope: "observe", summary: "All charts, laid out", input: none }),
  ticket: json("POST", "/inspect/tickets", {
    scope: "manage",
    summary: "A link that gives one browser the rights of the token, once, within a minute",
    input: Schema.Struct({ page: Schema.optional(Schema.Literal("/", "/inspect")) }),
    output: Schema.Struct({ path: Schema.String }),
    status: 201
  })
} as const

export type InspectorPageApi = Handlers<typeof inspectorPageApi>

/** A recorded trace beside the page: `rbee inspect FILE`. */
export const traceApi = {
  trace: reply("GET", "/inspect/trace", { scope: "observe", summary: "The trace", input: none })
} as const
