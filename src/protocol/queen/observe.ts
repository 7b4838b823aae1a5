/** What who looks on calls: the events that no job waits for, what every actor does, the metrics. */
import * as Schema from "effect/Schema"
import { endpoint } from "../endpoint.ts"
import * as stream from "../events.ts"
import { none, after, resumable } from "../inputs.ts"

/** Prometheus's exposition format */
export const metricsType = "text/plain; version=0.0.4; charset=utf-8"

export const observeApi = {
  events: endpoint("GET", "/events", {
    scope: "observe",
    summary: "What no job waits for: cascade, lost hives, state changes",
    input: Schema.Struct({ last_event_id: after }),
    answers: { events: stream.ofCluster },
    ...resumable
  }),
  inspectEvents: endpoint("GET", "/inspect/events", {
    scope: "observe",
    summary: "What every actor of the cluster does (vocabulary/inspect.ts); prompts and texts only if asked for",
    input: Schema.Struct({ contents: Schema.optional(Schema.BooleanFromString) }),
    answers: { events: stream.ofActors }
  }),
  metrics: endpoint("GET", "/metrics", {
    scope: "observe",
    summary: "Prometheus text",
    input: none,
    answers: { text: { 200: metricsType } }
  })
} as const
