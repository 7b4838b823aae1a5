/** The queen's interface (docs/api.md#queen): every call, in terms of her parts. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Call } from "../../protocol/endpoint.ts"
import type { QueenApi } from "../../protocol/queen/index.ts"
import type { Remotes } from "../../layers/remote/index.ts"
import type { Settings } from "../../layers/settings/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { bundledModel } from "../../machines/formats/model-ref.ts"
import type { HiveView } from "../../machines/vocabulary/hive.ts"
import type { JobRequest } from "../../machines/vocabulary/job.ts"
import type { Inspect } from "../inspect/shared.ts"
import type { ClusterView } from "./cluster/cluster-view.ts"
import type { HiveEntry } from "./cluster/entries.ts"
import type { EventRing } from "./log/event-ring.ts"
import type { Caller, Hives } from "./hives/hives.ts"
import type { Invitations } from "./hives/invitations.ts"
import type { JobLog, JobLogs } from "./log/job-log.ts"
import type { Jobs } from "./jobs/jobs.ts"
import { joining } from "./hives/joining.ts"
import type { Named } from "../../machines/formats/model-name.ts"
import type { Meters } from "./metrics/metrics.ts"
import { type Gauges, metricsType, renderMetrics } from "./metrics/metrics-text.ts"
import { modelsOf } from "./models/models.ts"
import { openAi, unknownModel } from "../surfaces/openai.ts"
import { onlyOwn } from "./log/own-jobs.ts"
import { checkPrompt } from "./models/prompt-bound.ts"
import { remoteHives } from "./hives/remote-hives.ts"
import { planOf } from "./placement/plan.ts"
import type { Sessions } from "./sessions/sessions.ts"
import type { Teardown } from "./endings/teardown.ts"
import type { WorkerId } from "../../machines/vocabulary/ids.ts"

export interface ServerWorld {
  readonly settings: Settings
  readonly identity: {
    readonly id: string
    readonly instance: string
    readonly pid: number
    readonly startedAt: number
  }
  readonly view: ClusterView
  readonly hives: Hives
  readonly remotes: Remotes
  readonly invitations: Invitations
  readonly jobs: Jobs
  readonly logs: JobLogs["Type"]
  readonly ring: EventRing
  readonly sessions: Sessions
  readonly teardown: Teardown
  readonly meters: Meters
  /** somebody uses the queen: her idle time starts anew */
  readonly touch: () => void
  readonly shutdown: (cascade: boolean) => Effect.Effect<void>
  readonly inspect: Inspect
  /** what this machine's hive has on its disk */
  readonly onDisk: Effect.Effect<ReadonlyArray<Named>>
  /** the OpenAPI document of this interface */
  readonly document: () => unknown
}

export const queenApiOf = (world: ServerWorld): QueenApi => {
  const { view, hives, jobs, logs, ring, settings } = world
  const byHand: Caller = { narrate: ring.narrate, session: undefined, isSilent: true }

  const models = modelsOf({
    view,
    localHive: settings.hive.id,
    onDisk: world.onDisk,
    wake: (id) => wakeHive(id)
  })

  const hiveView = (id: string): Effect.Effect<HiveView, RbeeError> =>
    Effect.gen(function* () {
      const hive = view.hive(id)
      if (hive === undefined)
        return yield* rbeeError("HIVE_NOT_FOUND", `there is no hive ${id}`, "`rbee hives ls` lists them")
      const now = yield* Clock.currentTimeMillis
      const here = yield* models.on(hive)
      const workers = view.allWorkers().filter((worker) => worker.hive === id).length
      const { claimed, devices, state, beatAt } = hive
      const count = here?.length ?? devices?.models ?? 0
      return {
        id,
        state,
        ...(hive.ssh === undefined ? {} : { ssh: hive.ssh }),
        workers,
        models: count,
        ...(claimed === undefined ? {} : { url: claimed.url, instance: claimed.instance }),
        ...(devices === undefined ? {} : { devices: { ...devices, workers, models: count } }),
        ...(claimed === undefined || beatAt === undefined ? {} : { beat_age_ms: now - beatAt })
      }
    })

  const wakeHive = (id: string, takeOver?: boolean): Effect.Effect<void, RbeeError> =>
    Effect.gen(function* () {
      // This machine's own hive needs no introduction.
      if (id === settings.hive.id) yield* hives.add(id)
      yield* hives.ensure(id, { ...byHand, takeOver })
      // Started by hand: it stays, whatever sessions come and go.
      world.sessions.woke("hive", id, undefined, [undefined])
    })

  const stopWorker = (id: WorkerId): Effect.Effect<void, RbeeError> =>
    Effect.gen(function* () {
      const worker = view.worker(id)
      const api = worker === undefined ? undefined : view.hive(worker.hive)?.claimed?.api
      if (worker === undefined || api === undefined)
        return yield* rbeeError("WORKER_NOT_FOUND", `there is no worker ${id}`, "`rbee workers ls` lists them")
      yield* api.stopWorker({ id })
      view.workerLost({ worker: id, instance: worker.instance })
      world.sessions.gone("worker", id)
    })

  const gauges = (): Gauges => {
    const live = jobs.live()
    const isPlaced = ({ jobId }: JobLog) => view.seatOf(jobId) !== undefined
    return {
      version: settings.version,
      running: live.filter(isPlaced).map(({ request }) => request.model),
      waiting: live.filter((log) => !isPlaced(log)).map(({ request }) => request.model),
      hives: view.allHives().map(({ state }) => state),
      workers: view.allWorkers(),
      memory: view.allHives().flatMap(memoryOf)
    }
  }

  const submit = (request: JobRequest, idempotencyKey?: string): Effect.Effect<JobLog, RbeeError> =>
    Effect.zipRight(checkPrompt(view, request), jobs.submit(request, idempotencyKey))

  const namedOnV1 = (name: string) =>
    Effect.mapError(models.named(name), (error) =>
      // it is no reference either
      error.details["accepted"] === undefined ? error : unknownModel(name)
    )

  const { v1Chat, v1Model, v1Models } = openAi({
    named: namedOnV1,
    submit: (request) =>
      Effect.gen(function* () {
        const log = yield* submit({ ...request, model: yield* namedOnV1(request.model) })
        return { jobId: log.jobId, log }
      }),
    cancel: jobs.cancel,
    ignored: (fields) => {
      world.meters.ignoredFields += fields
    },
    models: () =>
      Effect.map(models.all, (list) => {
        const known = new Map(list.map(({ model_ref, last_used_at }) => [model_ref, last_used_at]))
        // ships in the package: it can be asked for before any hive has it
        if (!known.has(bundledModel)) known.set(bundledModel, undefined)
        return [...known].map(([id, createdAt]) => ({ id, createdAt }))
      })
  })

  const api: QueenApi = {
    health: () =>
      Effect.map(Clock.currentTimeMillis, (now) => ({
        status: "healthy",
        role: "queen",
        version: settings.version,
        id: world.identity.id,
        instance: world.identity.instance,
        pid: world.identity.pid,
        uptime_s: (now - world.identity.startedAt) / 1000
      })),
    submitJob: ({ idempotency_key, ...request }) =>
      Effect.gen(function* () {
        const model = yield* models.named(request.model)
        const { jobId } = yield* submit({ ...request, model }, idempotency_key)
        return { job_id: jobId, events: `/jobs/${jobId}/events` }
      }),
    listJobs: () => Effect.map(Call, ({ caller }) => jobs.list(caller)),
    getJob: ({ id }) => jobs.get(id),
    plan: (request) =>
      Effect.flatMap(models.named(request.model), (model) => planOf(view, jobs.waiting, { ...request, model })),
    cancelJob: ({ id }) => jobs.cancel(id),
    jobEvents: ({ id, last_event_id }) => Effect.map(onlyOwn(id, logs.get(id)), (log) => log.feed(last_event_id)),
    events: ({ last_event_id }) => Effect.sync(() => ring.feed(last_event_id)),
    heartbeat: (beat) =>
      Effect.flatMap(Call, ({ caller }): Effect.Effect<void, RbeeError> => {
        if (caller?.hive !== undefined && caller.hive !== beat.hive_id) return notItself(caller.hive, beat.hive_id)
        // hives in use keep their queen
        if (beat.workers.length > 0) world.touch()
        return Effect.tap(hives.beat(beat), () => Effect.sync(() => world.meters.hive(beat.hive_id).beat(beat)))
      }),
    listHives: () =>
      Effect.suspend(() => Effect.forEach(view.allHives(), ({ id }) => hiveView(id), { concurrency: "unbounded" })),
    ...remoteHives({ hives, remotes: world.remotes, localHive: settings.hive.id, viewOf: hiveView }),
    ...joining({ hives, invitations: world.invitations, settings, wake: (id) => wakeHive(id) }),
    removeHive: ({ id }) => hives.remove(id),
    startHive: ({ id, take_over }) => Effect.zipRight(wakeHive(id, take_over), hiveView(id)),
    stopHive: ({ id }) => Effect.zipRight(hives.stop(id), hiveView(id)),
    listWorkers: () => Effect.sync(() => view.allWorkers()),
    stopWorker: ({ id }) => stopWorker(id),
    ...models.calls,
    shutdown: ({ cascade, session }) =>
      session === undefined
        ? Effect.as(world.shutdown(cascade ?? false), { queen: "ends", kept: [] })
        : world.teardown.end(session),
    v1Models,
    v1Model,
    v1Chat,
    inspectEvents: ({ contents }) => Effect.sync(() => world.inspect({ contents: contents === true })),
    metrics: () =>
      Effect.sync(() => ({
        _tag: "Text",
        status: 200,
        type: metricsType,
        body: renderMetrics(world.meters, gauges())
      })),
    openapi: () => Effect.sync(() => ({ _tag: "Json", status: 200, body: world.document() }))
  }
  return touching(api, world.touch)
}

const notItself = (hive: string, other: string) =>
  rbeeError("FORBIDDEN", `hive ${hive} cannot speak for hive ${other}`, "", { hive, other })

/** The devices of a hive by its ledger, as its last beat told of them. */
const memoryOf = ({ id: hive, devices, beats }: HiveEntry): Gauges["memory"] => {
  const totals = new Map((devices?.gpus ?? []).map((gpu) => [gpu.id, gpu.vram_mb]))
  if (devices !== undefined) totals.set("cpu", devices.cpu.ram_mb)
  return beats.flatMap(({ id: device, free_mb, leased_mb }) => {
    const total = totals.get(device)
    return total === undefined
      ? []
      : [{ hive, device, totalBytes: total * 1e6, leasedBytes: leased_mb * 1e6, freeBytes: free_mb * 1e6 }]
  })
}

/** Any use of the queen counts, but for looking whether she is there and for what hives say of themselves. */
const touching = (api: QueenApi, touch: () => void): QueenApi => {
  const passive = new Set(["health", "heartbeat", "metrics"])
  const wrapped = Object.entries(api).map(([name, handler]): readonly [string, unknown] => [
    name,
    passive.has(name)
      ? handler
      : (input: never) => {
          touch()
          return handler(input)
        }
  ])
  // the same names with the same handlers, each with a side effect before it
  return Object.fromEntries(wrapped) as QueenApi
}
