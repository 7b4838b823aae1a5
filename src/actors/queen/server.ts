/** The queen's interface (docs/api.md#queen): every call, in terms of her parts. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Call, mapCalls } from "../../protocol/endpoint.ts"
import { type QueenApi } from "../../protocol/queen/index.ts"
import { QueenCatalog } from "../../layers/queen-catalog/index.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import { Kinds } from "../../layers/kinds/index.ts"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { engineIn } from "../../machines/kinds/kind.ts"
import type { HiveView } from "../../machines/vocabulary/hive.ts"
import type { ActorSystem } from "../core/system.ts"
import { Cluster } from "./cluster/cluster-view.ts"
import type { HiveEntry } from "./cluster/hive-entry.ts"
import { Events } from "./log/event-ring.ts"
import { wakeByHand } from "./hives/by-hand.ts"
import { Hives } from "./hives/hives.ts"
import type { Invitations } from "./hives/elsewhere/invitations.ts"
import { CurrentQueen } from "./identity.ts"
import { type JobLog, JobLogs } from "./log/job-log.ts"
import { queenInspect } from "./inspect/inspect.ts"
import { Jobs } from "./jobs/jobs.ts"
import { joining } from "./hives/elsewhere/joining.ts"
import { LiveJobs } from "./log/live-jobs.ts"
import { Metrics } from "./metrics/metrics.ts"
import { type Gauges, renderMetrics } from "./metrics/metrics-text.ts"
import { askable, found, knownCopies, modelCalls, nameInMind, named } from "./models/models.ts"
import { gather } from "../surfaces/gather.ts"
import { findingCalls } from "./models/finding.ts"
import { keepLoaded } from "./models/kept-loaded.ts"
import { askableEntries, defaultFirst, meant, modelless } from "./models/entries.ts"
import { ollamaModels } from "./models/ollama.ts"
import { modelTexts } from "./models/texts.ts"
import { answerOf } from "./jobs/answer.ts"
import { anthropic } from "../surfaces/anthropic/messages.ts"
import { llamaServer } from "../surfaces/llama-server.ts"
import { measuring } from "../surfaces/measuring/calls.ts"
import { ollama } from "../surfaces/ollama/ollama.ts"
import { type Jobs as SurfacePorts, openAi, type Unnamed, unknownModel } from "../surfaces/openai.ts"
import { responses } from "../surfaces/responses/responses.ts"
import type { StoredJob } from "../surfaces/responses/stored.ts"
import { removeJob } from "./jobs/removing.ts"
import { onlyOwn } from "./log/own-jobs.ts"
import { checkPrompt } from "./models/prompt-bound.ts"
import { remoteHives } from "./hives/elsewhere/remote-hives.ts"
import { audited } from "./people/audit.ts"
import { Admission } from "./people/admission.ts"
import { parkedCalls } from "./hives/parked.ts"
import { peopleCalls } from "./people/calls.ts"
import type { Keys } from "./people/keys.ts"
import { planOf } from "./placement/plan.ts"
import { OwnLife } from "./endings/own-life.ts"
import { stay } from "./endings/staying.ts"
import { SessionBook } from "./sessions/stored-sessions.ts"
import { Teardown } from "./endings/teardown.ts"
import { cpuDevice, type HiveId, type ModelRef, type WorkerId } from "../../machines/vocabulary/ids.ts"
import type { JobRequest } from "../../machines/vocabulary/job.ts"
import { fact } from "../../machines/facts.ts"

type Parts =
  | Admission
  | ActorSystem
  | Cluster
  | CurrentQueen
  | CurrentSettings
  | Events
  | Hives
  | Invitations
  | JobLogs
  | Jobs
  | Keys
  | LiveJobs
  | Metrics
  | OwnLife
  | QueenCatalog
  | SessionBook
  | Teardown

// long: a handler for each call, side by side
export const queenApi: Effect.Effect<QueenApi, never, Parts | Scope.Scope> = Effect.gen(function* () {
  const context = yield* Effect.context<Parts>()
  const own = yield* CurrentQueen
  const view = yield* Cluster
  const hives = yield* Hives
  const jobs = yield* Jobs
  const live = yield* LiveJobs
  const logs = yield* JobLogs
  const ring = yield* Events
  const meters = yield* Metrics
  const kinds = yield* Kinds
  const sessions = yield* SessionBook
  const teardown = yield* Teardown
  const { handOver, shutdown, touch } = yield* OwnLife
  const settings = yield* CurrentSettings
  const inspect = yield* queenInspect
  const models = yield* modelCalls
  const admission = yield* Admission
  const modelFound = (name: string): Effect.Effect<ModelRef, RbeeError<"INVALID_REQUEST">> => {
    const known = nameInMind(view, name)
    return known === undefined ? Effect.provide(found(name), context) : Effect.succeed(known)
  }
  /** as it is meant (models/entries.ts), its model by reference */
  const settled = (request: JobRequest) =>
    Effect.flatMap(Effect.provideService(meant(request), CurrentQueen, own), (asked) =>
      Effect.flatMap(modelFound(asked.model), (model) => {
        const request = engineIn(kinds, { ...asked, model })
        return request instanceof RbeeError ? request : Effect.succeed(request)
      })
    )

  const hiveView = (id: HiveId): Effect.Effect<HiveView, RbeeError<"HIVE_NOT_FOUND">> =>
    Effect.suspend((): Effect.Effect<HiveView, RbeeError<"HIVE_NOT_FOUND">> => {
      const hive = view.hive(id)
      if (hive !== undefined) return Effect.succeed(shown(hive))
      return rbeeError("HIVE_NOT_FOUND", `there is no hive ${id}`, "`rbee hives ls` lists them")
    })

  /** From what beats told: to ask each of a thousand hives would take a second. */
  const shown = (hive: HiveEntry): HiveView => {
    const { asleep, beatAt, claimed, devices, id, ssh, state } = hive
    const workers = view.countOn(id)
    const power = hives.rowOf(id)?.power
    const models = hive.models ?? devices?.models ?? 0
    return {
      id,
      state,
      ...(ssh === undefined ? {} : { ssh }),
      ...(power === undefined ? {} : { power }),
      ...(asleep?.usualMs === undefined ? {} : { usually_up_s: asleep.usualMs / 1000 }),
      workers,
      models,
      ...(claimed === undefined ? {} : { url: claimed.url, instance: claimed.instance }),
      ...(devices === undefined ? {} : { devices: { ...devices, workers, models } }),
      ...(claimed === undefined || beatAt === undefined ? {} : { beat_age_ms: view.now() - beatAt })
    }
  }

  const wakeHive = (id: HiveId, takeOver?: boolean) => Effect.provide(wakeByHand(id, takeOver), context)

  const submit: typeof jobs.submit = (request, idempotencyKey, taken) =>
    Effect.zipRight(checkPrompt(view, request), jobs.submit(request, idempotencyKey, taken))

  const keeping = yield* keepLoaded({
    view,
    entries: own.entries,
    settled,
    // nobody comes back to it: it is no job of a list
    load: (asked) =>
      Effect.flatMap(submit(asked), (log) =>
        Effect.ensuring(gather(answerOf(log).read), Effect.ignore(logs.remove(log.jobId)))
      )
  })

  const stopWorker = (id: WorkerId): ReturnType<QueenApi["stopWorker"]> =>
    Effect.gen(function* () {
      const worker = view.worker(id)
      const api = worker === undefined ? undefined : view.hive(worker.hive)?.claimed?.api
      if (worker === undefined || api === undefined)
        return yield* rbeeError("WORKER_NOT_FOUND", `there is no worker ${id}`, "`rbee workers ls` lists them")
      keeping.letGo(worker.model)
      yield* api.stopWorker({ id })
      view.workerLost({ worker: id, instance: worker.instance })
      sessions.gone("worker", id)
    })

  const gauges = (): Gauges => {
    const isPlaced = ({ jobId }: JobLog) => view.leaseOf(jobId) !== undefined
    return {
      version: settings.version,
      running: live.logs.filter(isPlaced).map(({ request }) => request.model),
      waiting: live.logs.filter((log) => !isPlaced(log)).map(({ request }) => request.model),
      hives: view.allHives().map(({ state }) => state),
      workers: view.allWorkers(),
      memory: view.allHives().flatMap(memoryOf)
    }
  }

  /** on `/v1` */
  const orUnknown =
    (name: string) =>
    (error: RbeeError<"INVALID_REQUEST">): Unnamed =>
      // it is no reference either
      fact(error, "accepted") === undefined ? error : unknownModel(name)

  const asking: SurfacePorts = {
    named: (name) => Effect.mapError(Effect.provide(named(name), context), orUnknown(name)),
    submit: (request, taken) =>
      Effect.flatMap(Effect.mapError(settled(request), orUnknown(request.model)), (asked) =>
        Effect.map(submit(asked, undefined, taken), answerOf)
      ),
    cancel: jobs.cancel,
    ignored: (fields) => {
      meters.ignoredFields += fields
    },
    models: () =>
      Effect.zipWith(Effect.provide(knownCopies, context), own.entries, (copies, entries) => {
        const models = askable(copies)
        return defaultFirst(entries, [...models, ...askableEntries(entries, copies, models)])
      }).pipe(Effect.flatMap((all) => admission.among(all, (one) => ("standsFor" in one ? one.standsFor : one.id))))
  }
  const ofOllama = ollama({
    ...asking,
    ...(yield* ollamaModels(models, stopWorker)),
    submit: (request, taken) => Effect.map(submit(request, undefined, taken), answerOf)
  })

  const storedJob = (log: JobLog): StoredJob => ({
    ...answerOf(log),
    request: log.request,
    state: () => log.shown().facts.state
  })
  const stored = responses({
    ...asking,
    find: (id) => Effect.flatMap(onlyOwn(id, logs.get(id)), (log) => Effect.as(log.look, storedJob(log))),
    remove: logs.remove
  })
  yield* Effect.forEach(logs.unfinished(), stored.inherited, { discard: true })

  const asked = { ...openAi(asking), ...measuring(asking), ...stored.handlers, ...anthropic(asking), ...ofOllama }
  const orDefault = modelless(
    own.entries,
    Effect.map(asking.models(), (all) => all.map(({ id }) => id))
  )
  const api: QueenApi = {
    health: () =>
      Effect.map(Clock.currentTimeMillis, (now) => ({
        status: "healthy",
        role: "queen",
        version: settings.version,
        id: own.id,
        instance: own.instance,
        pid: own.pid,
        uptime_s: (now - own.startedAt) / 1000
      })),
    submitJob: ({ idempotency_key, ...request }) =>
      Effect.gen(function* () {
        const { jobId } = yield* submit(yield* settled(request), idempotency_key)
        return { job_id: jobId, events: `/jobs/${jobId}/events` }
      }),
    listJobs: () => Effect.flatMap(Call, ({ caller }) => jobs.list(caller)),
    getJob: ({ id }) => jobs.get(id),
    plan: (request) =>
      Effect.flatMap(settled(request), (asked) => Effect.provide(planOf(jobs.waiting(), asked), context)),
    cancelJob: ({ id }) => jobs.cancel(id),
    removeJob: ({ id }) => Effect.provide(removeJob(id), context),
    jobEvents: ({ id, last_event_id }) => Effect.map(onlyOwn(id, logs.get(id)), (log) => log.feed(last_event_id)),
    events: ({ last_event_id }) => Effect.sync(() => ring.feed(last_event_id)),
    heartbeat: (beat) =>
      Effect.flatMap(Call, ({ caller }): ReturnType<QueenApi["heartbeat"]> => {
        if (caller?.hive !== undefined && caller.hive !== beat.hive_id) return notItself(caller.hive, beat.hive_id)
        // hives in use keep their queen
        if (beat.workers.length > 0 || own.isWokenByCalls) touch()
        return Effect.tap(hives.beat(beat), () => Effect.sync(() => meters.hive(beat.hive_id).beat(beat)))
      }),
    listHives: () => Effect.sync(() => view.allHives().map(shown)),
    discoverHives: () => own.discovered,
    ...(yield* remoteHives(hiveView)),
    ...(yield* joining),
    removeHive: ({ id }) => hives.remove(id),
    startHive: ({ id, take_over }) => Effect.zipRight(wakeHive(id, take_over), hiveView(id)),
    stopHive: ({ id }) => Effect.zipRight(hives.stop(id), hiveView(id)),
    listWorkers: () => Effect.sync(() => view.allWorkers()),
    keptLoaded: () => keeping.kept,
    stopWorker: ({ id }) => stopWorker(id),
    ...models,
    ...(yield* findingCalls),
    ...(yield* peopleCalls),
    ...(yield* parkedCalls),
    handover: ({ to }) => handOver(to),
    stay: () => Effect.provide(stay, context),
    shutdown: ({ cascade, session }) =>
      session === undefined
        ? Effect.as(shutdown(cascade ?? false), { queen: "ends", kept: [] })
        : teardown.end(session),
    ...asked,
    v1Chat: orDefault(asked.v1Chat),
    v1Completions: orDefault(asked.v1Completions),
    v1Messages: orDefault(asked.v1Messages),
    v1CountTokens: orDefault(asked.v1CountTokens),
    v1CreateResponse: orDefault(asked.v1CreateResponse),
    v1Embeddings: orDefault(asked.v1Embeddings),
    v1Rerank: orDefault(asked.v1Rerank),
    v1Score: orDefault(asked.v1Score),
    ollamaChat: orDefault(asked.ollamaChat),
    ollamaGenerate: orDefault(asked.ollamaGenerate),
    ollamaEmbed: orDefault(asked.ollamaEmbed),
    ollamaEmbeddings: orDefault(asked.ollamaEmbeddings),
    ...llamaServer({ ...asking, ...(yield* modelTexts), version: settings.version }),
    inspectEvents: ({ contents }) => Effect.sync(() => inspect({ contents: contents === true })),
    metrics: () => Effect.sync(() => renderMetrics(meters, gauges())),
    openapi: () => Effect.sync(() => own.document())
  }
  return touching(audited(api, yield* QueenCatalog), touch)
})

const notItself = (hive: HiveId, other: string) =>
  rbeeError("FORBIDDEN", `hive ${hive} cannot speak for hive ${other}`, "", { hive, other })

/** The devices of a hive by its ledger, as its last beat told of them. */
const memoryOf = ({ id: hive, devices, beats }: HiveEntry): Gauges["memory"] => {
  const totals = new Map((devices?.gpus ?? []).map((gpu) => [gpu.id, gpu.vram_mb]))
  if (devices !== undefined) totals.set(cpuDevice, devices.cpu.ram_mb)
  return beats.flatMap(({ id: device, free_mb, leased_mb }) => {
    const total = totals.get(device)
    return total === undefined
      ? []
      : [{ hive, device, totalBytes: total * 1e6, leasedBytes: leased_mb * 1e6, freeBytes: free_mb * 1e6 }]
  })
}

/** Calls that are no use of the queen: looking whether she is there, and what hives say of themselves. */
const passive = new Set(["health", "heartbeat", "metrics"])

const touching = (api: QueenApi, touch: () => void): QueenApi =>
  mapCalls(api, (call, name) => (passive.has(name) ? call : Effect.zipRight(Effect.sync(touch), call)))
