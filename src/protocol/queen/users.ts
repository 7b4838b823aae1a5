/** What who asks a model calls: jobs, their events, and the document of it all. */
import * as Schema from "effect/Schema"
import { Health, Nothing } from "../../machines/vocabulary/common.ts"
import { JobRequest, JobView, maxTokensMax } from "../../machines/vocabulary/job.ts"
import { JobId } from "../../machines/vocabulary/ids.ts"
import { events, json, reply } from "../endpoint.ts"
import { none, byJob, after, resumable } from "../inputs.ts"

export const usersApi = {
  health: json("GET", "/health", { scope: "open", summary: "Alive?", input: none, output: Health }),
  submitJob: json("POST", "/jobs", {
    scope: "infer",
    summary: "Take in a job; it runs whether or not anybody opens its stream",
    input: Schema.Struct({
      ...JobRequest.fields,
      // an answer of no token is what a client of /v1 asks for, to have its prompt read
      max_tokens: Schema.optional(Schema.Int.pipe(Schema.between(1, maxTokensMax))),
      idempotency_key: Schema.optional(Schema.String)
    }),
    headers: { "idempotency-key": "idempotency_key" },
    output: Schema.Struct({ job_id: JobId, events: Schema.String }),
    status: 201,
    strict: true
  }),
  listJobs: json("GET", "/jobs", {
    scope: "infer",
    summary: "Jobs, newest first",
    input: none,
    output: Schema.Array(JobView)
  }),
  getJob: json("GET", "/jobs/:id", { scope: "infer", summary: "One job", input: byJob, output: JobView }),
  cancelJob: json("DELETE", "/jobs/:id", {
    scope: "infer",
    summary: "Cancel",
    input: byJob,
    output: Nothing,
    status: 204
  }),
  jobEvents: events("/jobs/:id/events", {
    scope: "infer",
    summary: "A job's durable event sequence",
    input: Schema.Struct({ id: JobId, last_event_id: after }),
    ...resumable
  }),
  openapi: reply("GET", "/openapi.json", { scope: "infer", summary: "This document", input: none })
} as const
