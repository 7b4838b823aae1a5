/** What who looks on calls: the events that no job waits for, what every actor does, the metrics. */
import * as Schema from "effect/Schema"
import { events, reply } from "../endpoint.ts"
import { none, after, resumable } from "../inputs.ts"

export const observeApi = {
  events: events("/events", {
    scope: "observe",
    summary: "What no job waits for: cascade, lost hives, state changes",
    input: Schema.Struct({ last_event_id: after }),
    ...resumable
  }),
  inspectEvents: events("/inspect/events", {
    scope: "observe",
    summary: "What every actor of the cluster does (vocabulary/inspect.ts); prompts and texts only if asked for",
    input: Schema.Struct({ contents: Schema.optional(Schema.BooleanFromString) })
  }),
  metrics: reply("GET", "/metrics", { scope: "observe", summary: "Prometheus text", input: none })
} as const
