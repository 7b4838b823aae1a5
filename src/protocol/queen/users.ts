/** What who asks a model calls: jobs, their events, and the document of it all. */
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { Health, Nothing } from "../../machines/vocabulary/common.ts"
import { JobRequest, JobView, maxTokensMax } from "../../machines/vocabulary/job.ts"
import { HiveId, JobId } from "../../machines/vocabulary/ids.ts"
import { endpoint } from "../endpoint.ts"
import * as stream from "../events.ts"
import { ofAdmission, ofStore } from "../failures.ts"
import { none, byJob, after, resumable } from "../inputs.ts"

export const usersApi = {
  health: endpoint("GET", "/health", {
    scope: "open",
    summary: "Alive?",
    input: none,
    answers: { json: { 200: Health } }
  }),
  submitJob: endpoint("POST", "/jobs", {
    scope: "infer",
    summary: "Take in a job; it runs whether or not anybody opens its stream",
    input: Schema.Struct({
      // a response is made where it is asked for
      ...Struct.omit(JobRequest.fields, "response"),
      // an answer of no token is what a client of /v1 asks for, to have its prompt read
      max_tokens: Schema.optional(Schema.Int.pipe(Schema.between(1, maxTokensMax))),
      idempotency_key: Schema.optional(Schema.String)
    }),
    headers: { "idempotency-key": "idempotency_key" },
    answers: { json: { 201: Schema.Struct({ job_id: JobId, events: Schema.String }) } },
    errors: ["CONFLICT", "DISK_FULL", "MODEL_NOT_FOUND", ...ofAdmission],
    strict: true
  }),
  listJobs: endpoint("GET", "/jobs", {
    scope: "infer",
    summary: "Jobs, newest first",
    input: none,
    answers: { json: { 200: Schema.Array(JobView) } },
    errors: ofStore
  }),
  getJob: endpoint("GET", "/jobs/:id", {
    scope: "infer",
    summary: "One job",
    input: byJob,
    answers: { json: { 200: JobView } },
    errors: [...ofStore, "JOB_NOT_FOUND"]
  }),
  cancelJob: endpoint("DELETE", "/jobs/:id", {
    scope: "infer",
    summary: "Cancel",
    input: byJob,
    answers: { json: { 204: Nothing } },
    errors: [...ofStore, "JOB_NOT_FOUND", "CONFLICT"]
  }),
  removeJob: endpoint("DELETE", "/jobs/:id/record", {
    scope: "infer",
    summary: "Forget a job that has ended, and what hives keep of conversations of who asked it",
    input: byJob,
    answers: { json: { 200: Schema.Struct({ not_asked: Schema.Array(HiveId) }) } },
    errors: [...ofStore, "JOB_NOT_FOUND", "CONFLICT"]
  }),
  jobEvents: endpoint("GET", "/jobs/:id/events", {
    scope: "infer",
    summary: "A job's durable event sequence",
    input: Schema.Struct({ id: JobId, last_event_id: after }),
    answers: { events: stream.ofJob },
    errors: [...ofStore, "JOB_NOT_FOUND"],
    ...resumable
  }),
  openapi: endpoint("GET", "/openapi.json", {
    scope: "infer",
    summary: "This document",
    input: none,
    answers: { json: { 200: Schema.Unknown } }
  })
} as const
