/** The queen's interface (API.md, Queen). */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import { Token } from "../../machines/vocabulary/token.ts"
import { Count, Health, Nothing } from "../../machines/vocabulary/common.ts"
import { Heartbeat, HiveView, MachineView, WorkerView } from "../../machines/vocabulary/hive.ts"
import { PlanRequest, PlanView } from "../../machines/vocabulary/plan.ts"
import { JobRequest, JobView, maxTokensMax } from "../../machines/vocabulary/job.ts"
import { GcAnswer, ModelView } from "../../machines/vocabulary/model.ts"
import { ChatCompletionRequest } from "../../machines/vocabulary/openai/openai.ts"
import { SshPlace } from "../../machines/vocabulary/place.ts"
import { events, type Handlers, json, reply } from "../../protocol/endpoint.ts"
import { Id, JobId, WorkerId } from "../../machines/vocabulary/ids.ts"

const none = Schema.Struct({})
const byJob = Schema.Struct({ id: JobId })
const byId = Schema.Struct({ id: Id })
const after = Schema.optional(Schema.String)
/** `Last-Event-ID` as header, or as `?last_event_id=` */
const resumable = { query: ["last_event_id"], headers: { "last-event-id": "last_event_id" } } as const

export const ShutdownAnswer = Schema.Struct({
  queen: Schema.Literal("ends", "stays"),
  kept: Schema.Array(Schema.Struct({ id: Schema.String, because: Schema.String }))
})
export type ShutdownAnswer = typeof ShutdownAnswer.Type

export const queenApi = {
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
  plan: json("GET", "/plan", {
    scope: "manage",
    summary: "Where a job would go now, what would be unloaded, how long it takes; nothing is changed",
    input: PlanRequest,
    output: PlanView
  }),
  jobEvents: events("/jobs/:id/events", {
    scope: "infer",
    summary: "A job's durable event sequence",
    input: Schema.Struct({ id: JobId, last_event_id: after }),
    ...resumable
  }),
  events: events("/events", {
    scope: "observe",
    summary: "What no job waits for: cascade, lost hives, state changes",
    input: Schema.Struct({ last_event_id: after }),
    ...resumable
  }),
  heartbeat: json("POST", "/heartbeats", {
    scope: "peer",
    summary: "A hive's heartbeat, workers nested",
    input: Heartbeat,
    output: Nothing,
    status: 204
  }),
  listHives: json("GET", "/hives", { scope: "manage", summary: "Hives", input: none, output: Schema.Array(HiveView) }),
  addHive: json("POST", "/hives", {
    scope: "manage",
    summary: "Register a hive, by its operator or by itself",
    input: Schema.Struct({
      id: Id,
      url: Schema.optional(Schema.String),
      /** on another machine, which is looked at first */
      ssh: Schema.optional(SshPlace),
      accept_new_host_key: Schema.optional(Schema.Boolean)
    }),
    output: HiveView,
    status: 201
  }),
  inviteHive: json("POST", "/hives/:id/invite", {
    scope: "manage",
    summary: "A token by which a hive of this name joins, once and within the hour",
    input: Schema.Struct({
      id: Id,
      /** where it will be reached; absent: on the loopback of the queen's machine */
      url: Schema.optional(Schema.String),
      /** HTTP may go there in clear */
      direct: Schema.optional(Schema.Boolean)
    }),
    output: Schema.Struct({ invite: Schema.String, valid_s: Count }),
    strict: true
  }),
  joinHive: json("POST", "/hives/:id/join", {
    // who comes has an invitation, and nothing else yet
    scope: "open",
    summary: "A hive that was invited joins: it brings what the queen shows to it, and is told what to show to her",
    input: Schema.Struct({
      id: Id,
      /** absent: it has joined before, and shows the secret that it brought then */
      invite: Schema.optional(Schema.String),
      secret: Token,
      /** where it listens, on the loopback of the queen's machine or at the address that it was invited from */
      port: Schema.Int.pipe(Schema.between(1, 65_535)),
      /** where it reaches the queen */
      queen: Schema.String.pipe(Schema.pattern(/^http:\/\/[A-Za-z0-9.:[\]_-]{1,253}$/))
    }),
    output: Nothing,
    status: 204,
    strict: true
  }),
  checkHive: json("POST", "/hives/:id/check", {
    scope: "manage",
    summary: "Look at a hive's machine over SSH; nothing is changed there",
    input: byId,
    output: MachineView
  }),
  /** narration, then `done` `{version, changed}` or `error`; whoever leaves interrupts it, and nothing is changed */
  installHive: reply("POST", "/hives/:id/install", {
    scope: "manage",
    summary: "Put this version of rbee on a machine",
    input: byId
  }),
  uninstallHive: json("POST", "/hives/:id/uninstall", {
    scope: "manage",
    summary: "Remove rbee from a machine; models and logs stay",
    input: byId,
    output: Schema.Struct({ removed: Schema.Boolean })
  }),
  hiveLogs: reply("GET", "/hives/:id/logs", {
    scope: "observe",
    summary: "The last lines of a remote hive's log",
    input: Schema.Struct({ id: Id, lines: Schema.optional(Schema.NumberFromString) })
  }),
  unlockKey: json("POST", "/keys/unlock", {
    scope: "manage",
    summary: "Tell the passphrase of a private key; it is kept in memory alone",
    input: Schema.Struct({ file: Schema.String, passphrase: Schema.String }),
    output: Schema.Struct({ opens: Schema.Boolean })
  }),
  removeHive: json("DELETE", "/hives/:id", {
    scope: "manage",
    summary: "Forget a hive",
    input: byId,
    output: Nothing,
    status: 204
  }),
  startHive: json("POST", "/hives/:id/start", {
    scope: "manage",
    summary: "Wake a hive; with take_over also one that belongs to another queen",
    input: Schema.Struct({ id: Id, take_over: Schema.optional(Schema.Boolean) }),
    output: HiveView
  }),
  stopHive: json("POST", "/hives/:id/shutdown", {
    scope: "manage",
    summary: "Stop a hive",
    input: byId,
    output: HiveView
  }),
  listWorkers: json("GET", "/workers", {
    scope: "manage",
    summary: "Workers",
    input: none,
    output: Schema.Array(WorkerView)
  }),
  stopWorker: json("POST", "/workers/:id/shutdown", {
    scope: "manage",
    summary: "Stop a worker",
    input: Schema.Struct({ id: WorkerId }),
    output: Nothing,
    status: 204
  }),
  listModels: json("GET", "/catalog/models", {
    scope: "manage",
    summary: "Models on all hives",
    input: none,
    output: Schema.Array(ModelView)
  }),
  pullModel: json("POST", "/catalog/models/pull", {
    scope: "manage",
    summary: "A hive fetches a model; wakes this machine's own where none is named",
    input: Schema.Struct({ model_ref: Schema.String, hive: Schema.optional(Id) }),
    output: Schema.Struct({
      hive: Schema.String,
      model_ref: Schema.String,
      provision_id: Schema.String,
      events: Schema.String
    }),
    status: 202
  }),
  /** what the hive tells: narration and progress, then `ready` `{file}` or `failed` WireError */
  pullEvents: events("/hives/:hive/provisions/:id/events", {
    scope: "manage",
    summary: "A download; one that nobody reads any more is given up",
    input: Schema.Struct({ hive: Id, id: Id, last_event_id: after }),
    ...resumable
  }),
  pinModel: json("POST", "/catalog/models/:ref/pin", {
    scope: "manage",
    summary: "Keep a model whatever else needs room, or no longer; on one hive or on all that have it",
    input: Schema.Struct({ ref: Schema.String, pinned: Schema.Boolean, hive: Schema.optional(Id) }),
    output: Nothing,
    status: 204
  }),
  retryModel: json("POST", "/catalog/models/:ref/retry", {
    scope: "manage",
    summary: "Try a model again where its workers died of it; on one hive or on all that have it",
    input: Schema.Struct({ ref: Schema.String, hive: Schema.optional(Id) }),
    output: Nothing,
    status: 204
  }),
  removeModel: json("DELETE", "/catalog/models/:ref", {
    scope: "manage",
    summary: "Remove a model from one hive or from all that have it; 409 in use",
    input: Schema.Struct({ ref: Schema.String, hive: Schema.optional(Id) }),
    output: Nothing,
    status: 204
  }),
  collectModels: json("POST", "/catalog/models/gc", {
    scope: "manage",
    summary: "Make room: the least recently used models go, down to a size",
    input: Schema.Struct({
      /** MB of model files that each hive may keep */
      max_mb: Count,
      /** the last copy of a model in the cluster may go too */
      last_copies: Schema.optional(Schema.Boolean),
      /** tell, and change nothing */
      dry_run: Schema.optional(Schema.Boolean)
    }),
    output: GcAnswer,
    strict: true
  }),
  shutdown: json("POST", "/shutdown", {
    scope: "manage",
    summary: "End the queen, or what one session woke",
    input: Schema.Struct({ cascade: Schema.optional(Schema.BooleanFromString), session: Schema.optional(Id) }),
    query: ["cascade", "session"],
    output: ShutdownAnswer,
    status: 202
  }),
  v1Models: reply("GET", "/v1/models", { scope: "infer", summary: "OpenAI: models", input: none }),
  v1Model: reply("GET", "/v1/models/:ref", {
    scope: "infer",
    summary: "OpenAI: one model",
    input: Schema.Struct({ ref: Schema.String })
  }),
  v1Chat: reply("POST", "/v1/chat/completions", {
    scope: "infer",
    summary: "OpenAI: chat completion",
    input: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
    documented: ChatCompletionRequest,
    maxBytes: 32 * 1024 * 1024
  }),
  inspectEvents: events("/inspect/events", {
    scope: "observe",
    summary: "What every actor of the cluster does (vocabulary/inspect.ts); prompts and texts only if asked for",
    input: Schema.Struct({ contents: Schema.optional(Schema.BooleanFromString) })
  }),
  metrics: reply("GET", "/metrics", { scope: "observe", summary: "Prometheus text", input: none }),
  openapi: reply("GET", "/openapi.json", { scope: "infer", summary: "This document", input: none })
} as const

export type QueenApi = Handlers<typeof queenApi>

/** How hives and keepers reach a queen. */
export class QueenConnector extends Context.Tag("rbee/QueenConnector")<
  QueenConnector,
  {
    /** `secret`: what a hive of another machine shows; absent: the cluster's token */
    readonly connect: (url: string, secret?: string) => QueenApi
  }
>() {}
