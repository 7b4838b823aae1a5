/** What who runs the cluster calls: hives, workers, models, and where a job would go. */
import * as Schema from "effect/Schema"
import { Discovered } from "../../machines/discovery/discovered.ts"
import { Count, Nothing } from "../../machines/vocabulary/common.ts"
import { HiveView, MachineView, WorkerView } from "../../machines/vocabulary/hive.ts"
import { PlanRequest, PlanView } from "../../machines/vocabulary/plan.ts"
import { GcAnswer, KeptModel, ModelView, ScanAnswer, ScanRequest } from "../../machines/vocabulary/model.ts"
import { HiveCleared, HiveParked } from "../../machines/vocabulary/people/parked.ts"
import { Power, SshPlace } from "../../machines/vocabulary/place.ts"
import { Id, HiveId, ModelRef } from "../../machines/vocabulary/ids.ts"
import { endpoint } from "../endpoint.ts"
import * as stream from "../events.ts"
import { ofFetching, ofOwnedHive, ofRemoteMachine, ofStarting, ofStore, ofWaking } from "../failures.ts"
import { none, byHive, byWorker, after, resumable } from "../inputs.ts"
import { downloadEvents, modelCalls, ofCluster, ProvisionAnswer } from "../models.ts"
import { findingApi } from "./finding.ts"

export const ShutdownAnswer = Schema.Struct({
  queen: Schema.Literal("ends", "stays"),
  kept: Schema.Array(Schema.Struct({ id: Schema.String, because: Schema.String }))
})
export type ShutdownAnswer = typeof ShutdownAnswer.Type

/** Of the hive that a call was passed on to. */
const ofHive = [...ofOwnedHive, ...ofStore, "HIVE_NOT_FOUND"] as const

const hivesApi = {
  listHives: endpoint("GET", "/hives", {
    scope: "manage",
    summary: "Hives",
    input: none,
    answers: { json: { 200: Schema.Array(HiveView) } },
    errors: ["HIVE_NOT_FOUND"]
  }),
  discoverHives: endpoint("GET", "/hives/discovered", {
    scope: "manage",
    summary:
      "Machines that could be added: of ssh's configuration, its known hosts, and the local network's announcements",
    input: none,
    answers: { json: { 200: Discovered } }
  }),
  addHive: endpoint("POST", "/hives", {
    scope: "manage",
    summary: "Register a hive, by its operator or by itself",
    input: Schema.Struct({
      id: HiveId,
      url: Schema.optional(Schema.String),
      /** on another machine, which is looked at first */
      ssh: Schema.optional(SshPlace),
      /** how its machine is woken, and when it is put to sleep */
      power: Schema.optional(Power),
      /** one that was never seen: any, or the one of this fingerprint */
      accept_new_host_key: Schema.optional(Schema.Boolean),
      host_key: Schema.optional(Schema.String)
    }),
    answers: { json: { 201: HiveView } },
    errors: ofWaking
  }),
  inviteHive: endpoint("POST", "/hives/:id/invite", {
    scope: "manage",
    summary: "A token by which a hive of this name joins, once and within the hour",
    input: Schema.Struct({
      id: HiveId,
      /** where it will be reached; absent: on the loopback of the queen's machine */
      url: Schema.optional(Schema.String),
      /** HTTP may go there in clear */
      direct: Schema.optional(Schema.Boolean)
    }),
    answers: { json: { 200: Schema.Struct({ invite: Schema.String, valid_s: Count }) } },
    errors: [...ofStore, "CONFLICT"],
    strict: true
  }),
  checkHive: endpoint("POST", "/hives/:id/check", {
    scope: "manage",
    summary: "Look at a hive's machine over SSH; nothing is changed there",
    input: byHive,
    answers: { json: { 200: MachineView } },
    errors: ["HIVE_NOT_FOUND", ...ofRemoteMachine]
  }),
  /** whoever leaves interrupts it, and nothing is changed */
  installHive: endpoint("POST", "/hives/:id/install", {
    scope: "manage",
    summary: "Put this version of rbee on a machine",
    input: byHive,
    answers: { events: stream.ofInstallation },
    errors: ["HIVE_NOT_FOUND"]
  }),
  uninstallHive: endpoint("POST", "/hives/:id/uninstall", {
    scope: "manage",
    summary: "Remove rbee from a machine; models and logs stay",
    input: byHive,
    answers: { json: { 200: Schema.Struct({ removed: Schema.Boolean }) } },
    errors: ["HIVE_NOT_FOUND", ...ofRemoteMachine]
  }),
  hiveLogs: endpoint("GET", "/hives/:id/logs", {
    scope: "observe",
    summary: "The last lines of a hive's log, on this machine or another",
    input: Schema.Struct({ id: HiveId, lines: Schema.optional(Schema.NumberFromString) }),
    answers: { text: { 200: "text/plain; charset=utf-8" } },
    errors: ["HIVE_NOT_FOUND", ...ofRemoteMachine]
  }),
  unlockKey: endpoint("POST", "/ssh/unlock", {
    scope: "manage",
    summary: "Tell the passphrase of a private key; it is kept in memory alone",
    input: Schema.Struct({ file: Schema.String, passphrase: Schema.String }),
    answers: { json: { 200: Schema.Struct({ opens: Schema.Boolean }) } }
  }),
  removeHive: endpoint("DELETE", "/hives/:id", {
    scope: "manage",
    summary: "Forget a hive",
    input: byHive,
    answers: { json: { 204: Nothing } },
    errors: [...ofHive, "CONFLICT"]
  }),
  startHive: endpoint("POST", "/hives/:id/start", {
    scope: "manage",
    summary: "Wake a hive; with take_over also one that belongs to another queen",
    input: Schema.Struct({ id: HiveId, take_over: Schema.optional(Schema.Boolean) }),
    answers: { json: { 200: HiveView } },
    errors: ofWaking
  }),
  stopHive: endpoint("POST", "/hives/:id/shutdown", {
    scope: "manage",
    summary: "Stop a hive",
    input: byHive,
    answers: { json: { 200: HiveView } },
    errors: [...ofHive, ...ofRemoteMachine]
  })
} as const

const modelsApi = {
  ...modelCalls({
    at: "/catalog/models",
    scope: "manage",
    inputs: ofCluster,
    whose: "one hive, or all that have it",
    errors: ofHive
  }),
  showModel: endpoint("GET", "/catalog/models/:ref", {
    scope: "manage",
    summary: "The copies of one model, with what its chat template tells of how it writes",
    input: ofCluster.one,
    answers: { json: { 200: Schema.Array(ModelView) } },
    errors: [...ofHive, "MODEL_NOT_FOUND"]
  }),
  pullModel: endpoint("POST", "/catalog/models/pull", {
    scope: "manage",
    summary: "A hive fetches a model; wakes this machine's own where none is named",
    input: Schema.Struct({ model_ref: Schema.String, hive: Schema.optional(HiveId) }),
    answers: {
      json: { 202: Schema.Struct({ hive: HiveId, model_ref: ModelRef, ...ProvisionAnswer.fields }) }
    },
    errors: [...ofWaking, ...ofFetching, ...ofStarting]
  }),
  /** what the hive tells */
  pullEvents: endpoint("GET", "/hives/:hive/provisions/:id/events", {
    scope: "manage",
    summary: "A download; one that nobody reads any more is given up",
    input: Schema.Struct({ hive: HiveId, id: Id, last_event_id: after }),
    answers: { events: downloadEvents },
    errors: [...ofHive, "NOT_FOUND"],
    ...resumable
  }),
  scanModels: endpoint("POST", "/catalog/models/scan", {
    scope: "manage",
    summary: "A hive finds what other programs have left on its machine; wakes this machine's own where none is named",
    input: Schema.Struct({ ...ScanRequest.fields, hive: Schema.optional(HiveId) }),
    answers: { json: { 200: ScanAnswer } },
    errors: ofWaking,
    strict: true
  }),
  collectModels: endpoint("POST", "/catalog/models/gc", {
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
    answers: { json: { 200: GcAnswer } },
    strict: true
  })
} as const

export const operatorsApi = {
  plan: endpoint("GET", "/plan", {
    scope: "manage",
    summary: "Where a job would go now, what would be unloaded, how long it takes; nothing is changed",
    input: PlanRequest,
    answers: { json: { 200: PlanView } },
    errors: [...ofHive, ...ofFetching, ...ofStarting]
  }),
  ...hivesApi,
  listWorkers: endpoint("GET", "/workers", {
    scope: "manage",
    summary: "Workers",
    input: none,
    answers: { json: { 200: Schema.Array(WorkerView) } }
  }),
  parked: endpoint("GET", "/cache", {
    scope: "manage",
    summary: "What hives keep of conversations, and what that saved",
    input: none,
    answers: { json: { 200: Schema.Array(HiveParked) } }
  }),
  clearParked: endpoint("DELETE", "/cache", {
    scope: "manage",
    summary: "Delete what hives keep of conversations",
    input: none,
    answers: { json: { 200: Schema.Array(HiveCleared) } }
  }),
  keptLoaded: endpoint("GET", "/kept", {
    scope: "manage",
    summary: "The entries of the configuration that are kept loaded, and why one is not",
    input: none,
    answers: { json: { 200: Schema.Array(KeptModel) } }
  }),
  stopWorker: endpoint("POST", "/workers/:id/shutdown", {
    scope: "manage",
    summary: "Stop a worker",
    input: byWorker,
    answers: { json: { 204: Nothing } },
    errors: [...ofOwnedHive, ...ofStore, "WORKER_NOT_FOUND"]
  }),
  ...modelsApi,
  ...findingApi,
  handover: endpoint("POST", "/handover", {
    scope: "manage",
    summary:
      "End the queen for the next one: answers may finish within their time, and the next one goes on with the rest",
    input: Schema.Struct({ to: Schema.String }),
    answers: { json: { 202: Nothing } },
    strict: true
  }),
  stay: endpoint("POST", "/stay", {
    scope: "manage",
    summary: "The queen and her hives stay, however idle they are, until they are told to end",
    input: none,
    answers: { json: { 204: Nothing } }
  }),
  shutdown: endpoint("POST", "/shutdown", {
    scope: "manage",
    summary: "End the queen, or what one session woke",
    input: Schema.Struct({ cascade: Schema.optional(Schema.BooleanFromString), session: Schema.optional(Id) }),
    query: ["cascade", "session"],
    answers: { json: { 202: ShutdownAnswer } },
    errors: [...ofHive, "WORKER_NOT_FOUND"]
  })
} as const
