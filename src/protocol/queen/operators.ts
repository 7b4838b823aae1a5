/** What who runs the cluster calls: hives, workers, models, and where a job would go. */
import * as Schema from "effect/Schema"
import { Count, Nothing } from "../../machines/vocabulary/common.ts"
import { HiveView, MachineView, WorkerView } from "../../machines/vocabulary/hive.ts"
import { PlanRequest, PlanView } from "../../machines/vocabulary/plan.ts"
import { GcAnswer, ModelView } from "../../machines/vocabulary/model.ts"
import { SshPlace } from "../../machines/vocabulary/place.ts"
import { Id, WorkerId } from "../../machines/vocabulary/ids.ts"
import { events, json, reply } from "../endpoint.ts"
import { none, byId, after, resumable } from "../inputs.ts"

export const ShutdownAnswer = Schema.Struct({
  queen: Schema.Literal("ends", "stays"),
  kept: Schema.Array(Schema.Struct({ id: Schema.String, because: Schema.String }))
})
export type ShutdownAnswer = typeof ShutdownAnswer.Type

export const operatorsApi = {
  plan: json("GET", "/plan", {
    scope: "manage",
    summary: "Where a job would go now, what would be unloaded, how long it takes; nothing is changed",
    input: PlanRequest,
    output: PlanView
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
  })
} as const
