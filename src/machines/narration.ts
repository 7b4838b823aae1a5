/**
 * Every line that the cluster says, once (docs/narration.md). A narration is data; who prints it and where it travels
 * is decided elsewhere. Sizes are MB (10^6 bytes), speeds MB/s, times seconds with one decimal.
 */
import * as Schema from "effect/Schema"
import { deviceLabel } from "./vocabulary/device.ts"
import type { ModelRef } from "./vocabulary/ids.ts"
import { type DeviceId } from "./vocabulary/ids.ts"
import { HiveId } from "./vocabulary/ids.ts"
import type { ExactHow } from "./vocabulary/worker.ts"

export const Actor = Schema.Literal("bee-keeper", "queen", "hive", "worker")
export type Actor = typeof Actor.Type

/** What a line says, before it is stamped with ids and time. */
export interface Line {
  readonly actor: Actor
  /** stable snake_case name of the event */
  readonly action: string
  readonly human: string
  readonly level: "info" | "warn" | "error"
}

/** A narration event as it travels: `event: narration` on SSE. */
export const Narration = Schema.Struct({
  actor: Actor,
  action: Schema.String,
  human: Schema.String,
  level: Schema.Literal("info", "warn", "error"),
  jobId: Schema.optional(Schema.String),
  hiveId: Schema.optional(HiveId),
  workerId: Schema.optional(Schema.String),
  modelRef: Schema.optional(Schema.String),
  /** milliseconds since 1970 */
  at: Schema.Number
})
export type Narration = typeof Narration.Type

/** `{actor}: {text}`, except for the bare `[DONE]`. */
export const lineOf = (line: Pick<Line, "actor" | "action" | "human">): string =>
  line.action === "done" ? line.human : `${line.actor}: ${line.human}`

const line =
  (actor: Actor, level: Line["level"] = "info") =>
  (action: string, human: string): Line => ({ actor, action, human, level })
const keeper = line("bee-keeper")
const queen = line("queen")
const queenWarns = line("queen", "warn")
const hive = line("hive")
const hiveWarns = line("hive", "warn")

/** One decimal, without a trailing `.0`: "3.3", "410.2", "12". */
const upToOneDecimal = (value: number): string => String(Math.round(value * 10) / 10)
export const megabytes = (bytes: number): string => upToOneDecimal(bytes / 1e6)

// --- 0–2: the keeper wakes the queen ---
export const inferStart = (model: string) => keeper("infer_start", `starting inference request for ${model}`)
export const queenAsleep = () => keeper("queen_asleep", "queen is asleep, waking queen…")
export const queenLaunch = (port: number) =>
  keeper("queen_launch", `launching queen on :${port} and waiting for health…`)
export const queenAwake = () => keeper("queen_awake", "queen is awake and healthy")
export const sseConnected = () => keeper("sse_connected", "connected to queen via SSE")

export const hiveInstall = (id: string, step: string) => queen("hive_install", `hive ${id}: ${step}`)

// --- 3: ensure hive ---
export const hiveAddLocal = () => queen("hive_add_local", "no hives found; adding local machine")
/** `at` is "localhost:8600", or "localhost" where there is no port (one process). */
export const hiveWake = (at: string) => queen("hive_wake", `waking the beehive at ${at}`)
/** Its machine sleeps, and is woken by its network card; `usualS`: what that took the last times. */
export const hiveRouse = (id: string, usualS: number | undefined) =>
  queen(
    "hive_rouse",
    usualS === undefined
      ? `waking ${id}: it sleeps, and was never woken before`
      : `waking ${id}: usually up in ${upToOneDecimal(usualS)} s`
  )
export const hiveSleeps = (id: string, idleS: number) =>
  queen("hive_sleeps", `hive ${id} sleeps: it was idle for ${upToOneDecimal(idleS)} s`)
export const hiveFirstHeartbeat = (id: string) =>
  queen("hive_first_heartbeat", `first heartbeat from hive ${id}; checking capabilities…`)
export const hiveCapabilities = (id: string, devices: string, models: number, workers: number) =>
  queen("hive_capabilities", `hive ${id} has ${devices}; models: ${models}, workers: ${workers}`)
/** `awake`: how many hives are, this one among them */
export const hiveCached = (id: string, awake: number) =>
  queen(
    "hive_cached",
    `using registered capabilities of hive '${id}'${awake > 1 ? `, one of ${awake} that are awake` : ""}`
  )

// --- 4, 5: schedule, capacity ---
export const scheduled = (device: DeviceId, hiveId: HiveId) =>
  queen("scheduled", `basic scheduler picked ${deviceLabel(device)} on hive ${hiveId}`)
export const queued = (position: number) => queen("queued", `job queued at position ${position}`)
export const capacityAsk = (device: DeviceId) =>
  queen("capacity_ask", `asking hive if there's room on ${deviceLabel(device)}…`)
export const capacityFull = (device: DeviceId, model: ModelRef) =>
  queenWarns("capacity_full", `insufficient VRAM on ${deviceLabel(device)} for ${model}; trying next candidate…`)

// --- 6: ensure model ---
export const modelProvision = (model: ModelRef) => queen("model_provision", `asked hive to download model ${model}`)
export const modelProvisionStarted = (model: ModelRef) =>
  queen("model_provision_started", `model ${model}: provisioning started`)
export const downloadStart = (bytes: number) =>
  hive("download_start", `model size = ${megabytes(bytes)} MB; starting download`)
export const downloadFromQueen = () => hive("download_from_queen", "the queen's machine has it; copying from there")
/** `rate` in bytes a second */
export const downloadProgress = (percent: number, rate: number) =>
  hive("download_progress", `… ${percent}% @ ${megabytes(rate)} MB/s …`)
export const downloadResume = (percent: number) => hive("download_resume", `resuming download at ${percent}%`)
export const downloadDone = (ms: number) =>
  hive("download_done", `model downloaded in ${(ms / 1000).toFixed(1)} seconds`)
export const modelPresent = (model: ModelRef) => queen("model_present", `model ${model} found in hive catalog`)

// --- 7: ensure worker runtime ---
export const workerProvision = (kind: string) => queen("worker_provision", `asked hive to prepare worker ${kind}`)
export const workerPrepared = () => queen("worker_prepared", "worker prepared and ready to deploy")
export const workerAvailable = (kind: string) => queen("worker_available", `worker ${kind} already available`)

// --- 8: start worker ---
/** `port` is absent where the worker has none (one process). */
export const workerWake = (port: number | undefined, path: string) =>
  hive("worker_wake", `waking worker ${port === undefined ? "" : `on :${port} `}with model=${path}`)
export const makingRoom = (device: DeviceId, count: number) =>
  queen(
    "evict",
    `unloading ${count === 1 ? "an idle worker" : `${count} idle workers`} of ${deviceLabel(device)} to make room`
  )
export const workerAwake = (backend: string) => queen("worker_awake", `${backend} worker is awake`)
export const workerRestart = (id: string, reason: string, n: number, max: number) =>
  hiveWarns("worker_restart", `worker ${id} failed to boot (${reason}); restarting (${n}/${max})`)
export const deviceDegraded = (hiveId: HiveId, device: DeviceId) =>
  queenWarns("device_degraded", `hive ${hiveId} ${deviceLabel(device)} is degraded; rescheduling job`)
export const modelRefused = (hiveId: HiveId, device: DeviceId, model: ModelRef) =>
  queenWarns(
    "model_refused",
    `${model} cannot be loaded on ${deviceLabel(device)} of hive ${hiveId}; trying next candidate…`
  )
/** `why` it does not run where its entry prefers it */
export const preferenceGivesWay = (
  { device, hive }: { readonly device?: DeviceId | undefined; readonly hive?: HiveId | undefined },
  why: string
) => {
  const place = [
    ...(device === undefined ? [] : [deviceLabel(device)]),
    ...(hive === undefined ? [] : [`hive ${hive}`])
  ]
  return queenWarns("preference_gives_way", `${place.join(" of ")} is preferred, but ${why}; looking elsewhere`)
}
export const startFailed = (hiveId: HiveId, device: DeviceId) =>
  queenWarns("start_failed", `no worker could be started on ${deviceLabel(device)} of hive ${hiveId}; rescheduling job`)
export const contextShrunk = (from: number, to: number, device: DeviceId) =>
  hiveWarns("context_shrunk", `context shrunk from ${from} to ${to} tokens to fit ${deviceLabel(device)}`)
export const contextChosen = (context: number, trained: number) =>
  hive("context_chosen", `context of ${context} tokens (trained: ${trained}); a longer prompt or --context gets more`)
/** the model's heads do not let it be kept as it was asked for */
export const kvTypeKept = (kvType: string, asked: string) =>
  hiveWarns("kv_type_kept", `the KV cache is kept as ${kvType}: this model's cannot be ${asked}`)
/** `worker.exact` is `always`, and it cannot be */
export const notExact = (how: ExactHow | undefined) =>
  hiveWarns(
    "not_exact",
    `the worker is not exact, as worker.exact asks for: ${how === "gpu" ? "a GPU computes" : "its test found other numbers"}`
  )
/** a request that is too long for the worker that it came to */
export const contextNeeded = (needed: number, context: number) =>
  queen("context_needed", `the prompt needs a context of ${needed} tokens, the worker has ${context}; making one`)
/** an answer that is longer than the worker's context */
export const contextOutgrown = (needed: number, context: number) =>
  queen(
    "context_outgrown",
    `the answer has filled a context of ${context} tokens; it goes on in one of ${needed}, which is being made`
  )
export const contextLesser = (context: number) =>
  queen("context_lesser", `no device has room for so much; it gets a context of ${context} tokens`)
/** an answer that ends before it is whole; `why` there is no larger context for it */
export const contextFilled = (context: number, why = "max_tokens or --context gets more") =>
  queen("context_filled", `the answer ends here, it has filled a context of ${context} tokens: ${why}`)
/** a worker that had more context made only just is not replaced at once by one that has still more */
export const reloadWaits = (seconds: number) =>
  queen("reload_waits", `the model was loaded with more context only just; again in ${seconds} s at the earliest`)

// --- 9: infer ---
export const inferConnected = () => queen("infer_connected", "connection to worker established; starting inference")
export const done = () => keeper("done", "[DONE]")
export const inferDone = () => queen("infer_done", "worker finished inference")
/** the end of an answer in a chat; `ms` from its first token to its last */
export const answered = (tokens: number, ms: number) =>
  keeper(
    "answered",
    `${tokens} token${tokens === 1 ? "" : "s"}${tokens > 1 && ms > 0 ? `, ${upToOneDecimal((1000 * (tokens - 1)) / ms)} tokens/s` : ""}`
  )
export const continued = (tokens: number) =>
  queenWarns(
    "continued",
    `the ${tokens} tokens so far are kept; later ones may be other than without the interruption (this worker is not exact)`
  )
export const failover = (tokens: number, device: DeviceId, hiveId: HiveId) =>
  queenWarns("failover", `worker lost after ${tokens} tokens; resuming on ${deviceLabel(device)} of hive ${hiveId}`)
export const paused = (tokens: number) =>
  queen("paused", `paused after ${tokens} tokens: somebody who has had less is served first`)
export const hiveLost = (id: string, jobs: number) => queenWarns("hive_lost", `hive ${id} lost; moving ${jobs} jobs`)
export const queenLost = () => line("bee-keeper", "warn")("queen_lost", "lost queen; reconnecting…")
export const cancelled = () => keeper("cancelled", "cancelled")
export const downloadKept = () =>
  keeper("download_kept", "what was downloaded is kept; the next try goes on from there")
export const jobFailed = (error: { readonly code: string; readonly message: string }) =>
  line("queen", "error")("job_failed", `job failed: ${error.code}: ${error.message}`)

// --- 10: teardown ---
export const cascadeAsk = () => keeper("cascade_ask", "asking queen to cascade shutdown")
export const queenLeft = (because: "was_here" | "in_use") =>
  keeper(
    "queen_left",
    because === "was_here"
      ? "leaving queen running: it was here before"
      : "leaving queen running: another session uses it"
  )
export const cascadeWorkers = () => queen("cascade_workers", "shutting down workers…")
export const cascadeHives = () => queen("cascade_hives", "shutting down hives…")
/** The cluster ends without it. */
export const hiveLeft = (id: string) =>
  queenWarns("hive_left", `hive ${id} cannot be reached; if it runs, it ends by itself when nobody uses it`)
export const goodbye = () => queen("goodbye", "goodbye")
export const keepWarm = () => queen("keep_warm", "keeping hive and worker warm")
