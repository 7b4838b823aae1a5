/** A hive's interface (docs/api.md#hive). Only a queen calls it. */
import * as Schema from "effect/Schema"
import { Count, Health, KvType, Megabytes, Nothing, setupFields } from "../machines/vocabulary/common.ts"
import { Devices } from "../machines/vocabulary/device.ts"
import { ClaimRequest } from "../machines/vocabulary/hive.ts"
import { WorkerId, HiveId, DeviceId, ModelRef } from "../machines/vocabulary/ids.ts"
import { KindId, RuntimeName } from "../machines/vocabulary/kind.ts"
import { ModelView, ScanAnswer, ScanRequest, TextAnswer, TextQuestion } from "../machines/vocabulary/model.ts"
import { Cleared, ofScope, Parked } from "../machines/vocabulary/people/parked.ts"
import { exactFields, setUpFields, WorkerBeat, WorkerStart } from "../machines/vocabulary/worker.ts"
import { endpoint, type Handlers } from "./endpoint.ts"
import * as stream from "./events.ts"
import { ofFetching, ofOwnedHive, ofStarting, ofStore } from "./failures.ts"
import { byId, byIdAfter, byWorker, draining, none, resumable } from "./inputs.ts"
import { byRef, downloadEvents, modelCalls, ofHive, ProvisionAnswer, RunningDownload } from "./models.ts"

export { ProvisionAnswer }

export const WorkerStarted = Schema.Struct({
  worker_id: WorkerId,
  port: Schema.optional(Schema.Int),
  events: Schema.String
})

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
  ...setUpFields,
  /** what it holds by the hive's ledger */
  memory_mb: Schema.optional(Megabytes),
  ...exactFields
})
export type WorkerReady = typeof WorkerReady.Type

/** Of a call that is for its queen alone and reads or writes what it remembers. */
const own = [...ofOwnedHive, ...ofStore] as const

export const hiveApi = {
  health: endpoint("GET", "/health", {
    scope: "open",
    summary: "Alive?",
    input: none,
    answers: { json: { 200: Health } }
  }),
  claim: endpoint("POST", "/claim", {
    scope: "peer",
    summary: "A queen takes this hive; 409 HIVE_OWNED names the owner",
    input: ClaimRequest,
    answers: {
      json: { 200: Schema.Struct({ hive_id: HiveId, instance: Schema.String, version: Schema.String }) }
    },
    errors: own
  }),
  devices: endpoint("GET", "/devices", {
    scope: "peer",
    summary: "Devices and counts",
    input: none,
    answers: { json: { 200: Devices } },
    errors: own
  }),
  parked: endpoint("GET", "/parked", {
    scope: "peer",
    summary: "What its workers keep of conversations, and what that saved",
    input: none,
    answers: { json: { 200: Parked } },
    errors: own
  }),
  clearParked: endpoint("DELETE", "/parked", {
    scope: "peer",
    summary: "Delete what is kept of one account's conversations, or of all",
    input: ofScope,
    answers: { json: { 200: Cleared } },
    errors: own
  }),
  capacity: endpoint("GET", "/capacity", {
    scope: "peer",
    summary: "Advice: is there room? 409 VRAM_EXHAUSTED with the amounts, 404 when the model is unknown here",
    input: Schema.Struct({
      device: DeviceId,
      model: ModelRef,
      context: Schema.optional(Schema.NumberFromString),
      slots: Schema.optional(Schema.NumberFromString),
      kv_type: Schema.optional(KvType),
      engine: Schema.optional(KindId),
      /** ids of workers, separated by commas, as if they were unloaded */
      evict: Schema.optional(Schema.String)
    }),
    answers: { json: { 204: Nothing } },
    errors: [...ofOwnedHive, ...ofFetching, ...ofStarting],
    statuses: { VRAM_EXHAUSTED: [409] }
  }),
  ...modelCalls({ at: "/models", scope: "peer", inputs: ofHive, whose: "this hive", errors: own }),
  getModel: endpoint("GET", "/models/:ref", {
    scope: "peer",
    summary: "One model; 404 if not here. `learn`: with what its chat template tells of how it writes",
    input: Schema.Struct({ ...byRef.fields, learn: Schema.optional(Schema.BooleanFromString) }),
    answers: { json: { 200: ModelView } },
    errors: [...own, "MODEL_NOT_FOUND"]
  }),
  readModel: endpoint("POST", "/models/:ref/text", {
    scope: "peer",
    summary: "What a model's vocabulary tells without its weights: a text's tokens, tokens' text, its chat template",
    input: Schema.Struct({ ...byRef.fields, question: TextQuestion }),
    answers: { json: { 200: TextAnswer } },
    errors: [...own, "MODEL_NOT_FOUND", "MODEL_INVALID"],
    maxBytes: 32 * 1024 * 1024
  }),
  scanModels: endpoint("POST", "/models/scan", {
    scope: "peer",
    summary: "Find what other programs have left on this machine; it is used where it lies",
    input: ScanRequest,
    answers: { json: { 200: ScanAnswer } },
    errors: own
  }),
  provisionModel: endpoint("POST", "/models/provision", {
    scope: "peer",
    summary: "Fetch a model; joins a running download of it. Where the reference leaves a choice, what fits the device",
    input: Schema.Struct({
      model_ref: ModelRef,
      /** the hive's strongest where none is named */
      device: Schema.optional(DeviceId),
      context: Schema.optional(Count),
      ...setupFields,
      /** workers that will make room on it */
      evict: Schema.optional(Schema.Array(WorkerId))
    }),
    answers: { json: { 202: ProvisionAnswer } },
    errors: [...own, "NOT_FOUND"]
  }),
  listDownloads: endpoint("GET", "/models/provisions", {
    scope: "peer",
    summary: "What is being fetched",
    input: none,
    answers: { json: { 200: Schema.Array(RunningDownload) } },
    errors: ofOwnedHive
  }),
  endDownload: endpoint("DELETE", "/models/provisions/:id", {
    scope: "peer",
    summary: "Give a download up that nobody waits for; what came stays for the next try",
    input: byId,
    answers: { json: { 204: Nothing } },
    errors: [...ofOwnedHive, "NOT_FOUND", "CONFLICT"]
  }),
  modelEvents: endpoint("GET", "/models/provisions/:id/events", {
    scope: "peer",
    summary: "A download",
    input: byIdAfter,
    answers: { events: downloadEvents },
    errors: [...ofOwnedHive, "NOT_FOUND"],
    ...resumable
  }),
  provisionWorker: endpoint("POST", "/workers/provision", {
    scope: "peer",
    summary: "Prepare a worker runtime: it is there, or will be",
    /** `device`: a declared GPU is served by the CPU's runtime */
    input: Schema.Struct({ kind: RuntimeName, device: Schema.optional(DeviceId) }),
    answers: { json: { 200: Schema.Struct({ available: Schema.Literal(true) }), 202: ProvisionAnswer } },
    errors: [...own, "NOT_FOUND", "BACKEND_UNAVAILABLE"]
  }),
  runtimeEvents: endpoint("GET", "/workers/provisions/:id/events", {
    scope: "peer",
    summary: "An installation",
    input: byIdAfter,
    answers: { events: stream.untilReady(Schema.Struct({ at: Schema.optional(Schema.Number) })) },
    errors: [...ofOwnedHive, "NOT_FOUND"],
    ...resumable
  }),
  startWorker: endpoint("POST", "/workers/start", {
    scope: "peer",
    summary: "Book memory and start a worker, or join one; answers at the first bind",
    input: WorkerStart,
    answers: { json: { 201: WorkerStarted } },
    errors: [...ofOwnedHive, ...ofStarting],
    statuses: { VRAM_EXHAUSTED: [409, 507] }
  }),
  /** replayed from 1 */
  workerEvents: endpoint("GET", "/workers/:id/events", {
    scope: "peer",
    summary: "A worker's life",
    input: byIdAfter,
    answers: { events: stream.untilReady(WorkerReady) },
    errors: [...ofOwnedHive, "WORKER_NOT_FOUND"],
    ...resumable
  }),
  listWorkers: endpoint("GET", "/workers", {
    scope: "peer",
    summary: "Workers",
    input: none,
    answers: { json: { 200: Schema.Array(WorkerBeat) } },
    errors: own
  }),
  stopWorker: endpoint("POST", "/workers/:id/shutdown", {
    scope: "peer",
    summary: "Stop",
    input: byWorker,
    answers: { json: { 204: Nothing } },
    errors: [...own, "WORKER_NOT_FOUND"]
  }),
  inspectEvents: endpoint("GET", "/inspect/events", {
    scope: "peer",
    summary: "What every actor of this hive does (vocabulary/inspect.ts); prompts and texts only if asked for",
    input: Schema.Struct({ contents: Schema.optional(Schema.BooleanFromString) }),
    answers: { events: stream.ofActors },
    errors: ofOwnedHive
  }),
  suspend: endpoint("POST", "/suspend", {
    scope: "peer",
    summary: "Put its machine to sleep, where it has been idle for so long, milliseconds; 409 where it was not",
    input: Schema.Struct({ idle_ms: Schema.NonNegative }),
    answers: { json: { 202: Nothing } },
    errors: [...ofOwnedHive, "CONFLICT"]
  }),
  shutdown: endpoint("POST", "/shutdown", {
    scope: "peer",
    summary: "Drain, stop workers, end; answers when the workers are gone",
    input: draining,
    answers: { json: { 202: Nothing } },
    errors: ofOwnedHive
  })
} as const

export type HiveApi = Handlers<typeof hiveApi>
