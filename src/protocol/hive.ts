/** A hive's interface (docs/api.md#hive). Only a queen calls it. */
import * as Schema from "effect/Schema"
import { Count, DeviceId, Health, Megabytes, Nothing } from "../machines/vocabulary/common.ts"
import { Devices } from "../machines/vocabulary/device.ts"
import { ClaimRequest } from "../machines/vocabulary/hive.ts"
import { RuntimeName } from "../machines/vocabulary/kind.ts"
import { ModelView } from "../machines/vocabulary/model.ts"
import { exactFields, WorkerBeat, WorkerStart } from "../machines/vocabulary/worker.ts"
import { events, type Handlers, json } from "./endpoint.ts"
import { Id, WorkerId } from "../machines/vocabulary/ids.ts"

const none = Schema.Struct({})
const byWorker = Schema.Struct({ id: WorkerId })
/** model references have slashes and colons; they travel percent-encoded */
const byRef = Schema.Struct({ ref: Schema.String })
const stream = {
  query: ["last_event_id"],
  headers: { "last-event-id": "last_event_id" }
} as const
const streamOf = Schema.Struct({ id: Id, last_event_id: Schema.optional(Schema.String) })

export const ProvisionAnswer = Schema.Struct({ provision_id: Schema.String, events: Schema.String })
export const RuntimeAnswer = Schema.Union(Schema.Struct({ available: Schema.Literal(true) }), ProvisionAnswer)
export const WorkerStarted = Schema.Struct({
  worker_id: WorkerId,
  port: Schema.optional(Schema.Int),
  events: Schema.String
})

export const hiveApi = {
  health: json("GET", "/health", { scope: "open", summary: "Alive?", input: none, output: Health }),
  claim: json("POST", "/claim", {
    scope: "peer",
    summary: "A queen takes this hive; 409 HIVE_OWNED names the owner",
    input: ClaimRequest,
    output: Schema.Struct({ hive_id: Schema.String, instance: Schema.String, version: Schema.String })
  }),
  devices: json("GET", "/devices", { scope: "peer", summary: "Devices and counts", input: none, output: Devices }),
  capacity: json("GET", "/capacity", {
    scope: "peer",
    summary: "Advice: is there room? 409 VRAM_EXHAUSTED with the amounts, 404 when the model is unknown here",
    input: Schema.Struct({
      device: DeviceId,
      model: Schema.String,
      context: Schema.optional(Schema.NumberFromString),
      slots: Schema.optional(Schema.NumberFromString),
      /** ids of workers, separated by commas, as if they were unloaded */
      evict: Schema.optional(Schema.String)
    }),
    output: Nothing,
    status: 204
  }),
  provisionModel: json("POST", "/models/provision", {
    scope: "peer",
    summary: "Fetch a model; joins a running download of it. Where the reference leaves a choice, what fits the device",
    input: Schema.Struct({
      model_ref: Schema.String,
      /** the hive's strongest where none is named */
      device: Schema.optional(DeviceId),
      context: Schema.optional(Count),
      /** workers that will make room on it */
      evict: Schema.optional(Schema.Array(WorkerId))
    }),
    output: ProvisionAnswer,
    status: 202
  }),
  /** narration (`hive: …` lines) and progress, then `ready` `{file}` or `failed` WireError */
  modelEvents: events("/models/provisions/:id/events", {
    scope: "peer",
    summary: "A download",
    input: streamOf,
    ...stream
  }),
  listModels: json("GET", "/models", {
    scope: "peer",
    summary: "Catalog",
    input: none,
    output: Schema.Array(ModelView)
  }),
  getModel: json("GET", "/models/:ref", {
    scope: "peer",
    summary: "One model; 404 if not here",
    input: byRef,
    output: ModelView
  }),
  pinModel: json("POST", "/models/:ref/pin", {
    scope: "peer",
    summary: "Keep a model whatever else needs room, or no longer",
    input: Schema.Struct({ ref: Schema.String, pinned: Schema.Boolean }),
    output: Nothing,
    status: 204
  }),
  retryModel: json("POST", "/models/:ref/retry", {
    scope: "peer",
    summary: "Try a model again on the devices where its workers died of it",
    input: byRef,
    output: Nothing,
    status: 204
  }),
  removeModel: json("DELETE", "/models/:ref", {
    scope: "peer",
    summary: "Forget; 409 in use",
    input: byRef,
    output: Nothing,
    status: 204
  }),
  provisionWorker: json("POST", "/workers/provision", {
    scope: "peer",
    summary: "Prepare a worker runtime",
    /** `device`: a declared GPU is served by the CPU's runtime */
    input: Schema.Struct({ kind: RuntimeName, device: Schema.optional(DeviceId) }),
    output: RuntimeAnswer,
    status: (answer) => ("available" in answer ? 200 : 202)
  }),
  /** progress, then `ready` `{}` or `failed` WireError */
  runtimeEvents: events("/workers/provisions/:id/events", {
    scope: "peer",
    summary: "An installation",
    input: streamOf,
    ...stream
  }),
  startWorker: json("POST", "/workers/start", {
    scope: "peer",
    summary: "Book memory and start a worker, or join one; answers at the first bind",
    input: WorkerStart,
    output: WorkerStarted,
    status: 201
  }),
  /** replayed from 1: narration, progress, then `ready` `{instance,port,url,backend,context,slots}` or `failed` */
  workerEvents: events("/workers/:id/events", {
    scope: "peer",
    summary: "A worker's life",
    input: streamOf,
    ...stream
  }),
  listWorkers: json("GET", "/workers", {
    scope: "peer",
    summary: "Workers",
    input: none,
    output: Schema.Array(WorkerBeat)
  }),
  stopWorker: json("POST", "/workers/:id/shutdown", {
    scope: "peer",
    summary: "Stop",
    input: byWorker,
    output: Nothing,
    status: 204
  }),
  inspectEvents: events("/inspect/events", {
    scope: "peer",
    summary: "What every actor of this hive does (vocabulary/inspect.ts); prompts and texts only if asked for",
    input: Schema.Struct({ contents: Schema.optional(Schema.BooleanFromString) })
  }),
  shutdown: json("POST", "/shutdown", {
    scope: "peer",
    summary: "Drain, stop workers, end; answers when the workers are gone",
    input: Schema.Struct({ deadline_ms: Schema.optional(Count) }),
    output: Nothing,
    status: 202
  })
} as const

export type HiveApi = Handlers<typeof hiveApi>

/** What a `ready` event of `workerEvents` carries. */
export const WorkerReady = Schema.Struct({
  instance: Schema.String,
  port: Schema.optional(Schema.Int),
  /** where the queen reaches its WorkerApi */
  url: Schema.String,
  /** "CPU", "CUDA", … */
  backend: Schema.String,
  context: Count,
  slots: Count,
  /** what it holds by the hive's ledger */
  memory_mb: Schema.optional(Megabytes),
  ...exactFields
})
export type WorkerReady = typeof WorkerReady.Type
