/** Steps 6, 7 and 8 of the flow (docs/design.md#the-flow) for one job: model, worker runtime, worker process. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { decoder } from "../../../machines/formats/json/decode.ts"
import { type HiveApi, WorkerReady } from "../../../protocol/hive.ts"
import { Kinds } from "../../../layers/kinds/index.ts"
import type { WorkerApi } from "../../../protocol/worker.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Started } from "../../../machines/job.ts"
import * as say from "../../../machines/narration.ts"
import type { Place, PlacementRequest } from "../../../machines/policy/placement/placement.ts"
import { purposeOf, unsuitable } from "../../../machines/policy/purpose.ts"
import type { ModelView } from "../../../machines/vocabulary/model.ts"
import { kindFor, runtimeName } from "../../../machines/kinds/kind.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import { follow } from "../log/follow.ts"
import type { JobLog } from "../log/job-log.ts"
import type { WorkerId, HiveId } from "../../../machines/vocabulary/ids.ts"
import { fact } from "../../../machines/facts.ts"

const hiveOf = (view: ClusterView, place: Place): Effect.Effect<HiveApi, RbeeError<"HIVE_NOT_FOUND">> =>
  Effect.suspend(() => {
    const claimed = view.hive(place.hive)?.claimed
    return claimed === undefined
      ? Effect.fail(rbeeError("HIVE_NOT_FOUND", `hive ${place.hive} went away`))
      : Effect.succeed(claimed.api)
  })

/** Step 6: present, or fetched while the job hears how far it is. */
export const ensureModel = (
  view: ClusterView,
  log: JobLog,
  request: PlacementRequest,
  place: Place
): Effect.Effect<void, RbeeError> =>
  Effect.gen(function* () {
    const api = yield* hiveOf(view, place)
    const ids = { hiveId: place.hive }
    const known = yield* Effect.either(api.getModel({ ref: request.model }))
    if (known._tag === "Right") {
      // before anybody makes room for it
      yield* checkPurpose(log, known.right)
      view.fleet.seen.addFile(place.hive, request.model, known.right.bytes)
      return log.narrate(say.modelPresent(request.model), ids)
    }
    if (known.left.code !== "MODEL_NOT_FOUND") return yield* known.left
    log.narrate(say.modelProvision(request.model), ids)
    const evict = log.facts().placement?.evicted ?? []
    const { provision_id } = yield* api.provisionModel({
      model_ref: request.model,
      device: place.device,
      ...(request.context === undefined ? {} : { context: request.context }),
      ...request.setup,
      ...(evict.length === 0 ? {} : { evict })
    })
    log.narrate(say.modelProvisionStarted(request.model), ids)
    const feed = yield* api.modelEvents({ id: provision_id })
    yield* follow(feed, log, "the download", ids)
    const fetched = yield* Effect.option(api.getModel({ ref: request.model }))
    if (Option.isNone(fetched)) return
    view.fleet.seen.addFile(place.hive, request.model, fetched.value.bytes)
    yield* checkPurpose(log, fetched.value)
  })

/** As its hive knows the model; one that does not say is left to its worker. */
const checkPurpose = ({ request }: JobLog, { purpose }: ModelView): Effect.Effect<void, RbeeError> => {
  const asked = purposeOf(request)
  return purpose === undefined || purpose === asked ? Effect.void : unsuitable(purpose, asked)
}

/** Step 7: available, or installed. */
export const ensureRuntime = (view: ClusterView, log: JobLog, place: Place): Effect.Effect<void, RbeeError> =>
  Effect.gen(function* () {
    const api = yield* hiveOf(view, place)
    const ids = { hiveId: place.hive }
    const { engine, model } = log.request
    const kind = runtimeName(kindFor(yield* Kinds, model, engine), view.gpu(place)?.backend ?? "cpu")
    const answer = yield* api.provisionWorker({ kind, device: place.device })
    if (answer.status === 200) return log.narrate(say.workerAvailable(kind), ids)
    log.narrate(say.workerProvision(kind), ids)
    const feed = yield* api.runtimeEvents({ id: answer.body.provision_id })
    yield* follow(feed, log, "the installation of the worker", ids)
    log.narrate(say.workerPrepared(), ids)
  })

export interface StartOptions {
  readonly portHint: number
  /** idle workers that make room */
  readonly evict: ReadonlyArray<WorkerId>
  /** `--keep-warm` */
  readonly pin: boolean
  readonly onStarted: (workerId: WorkerId) => void
  readonly connect: (url: string, instance: string) => WorkerApi
  /** this job is the first to hear that the worker is awake; seconds from its start */
  readonly onLoaded: (seconds: number) => void
}

/**
 * Step 8: starts a worker or joins one that is on its way, and waits until it is awake. Its stream is replayed from
 * the start of its life; what was said of a life that is over is passed over.
 */
export const startWorker = (
  view: ClusterView,
  log: JobLog,
  request: PlacementRequest,
  place: Place,
  options: StartOptions
): Effect.Effect<Started, RbeeError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => view.starting(log.jobId, place, request.model)),
    () => wakeWorker(view, log, request, place, options),
    (over) => Effect.sync(over)
  )

const wakeWorker = (
  view: ClusterView,
  log: JobLog,
  request: PlacementRequest,
  place: Place,
  options: StartOptions
): Effect.Effect<Started, RbeeError> =>
  Effect.gen(function* () {
    const api = yield* hiveOf(view, place)
    const startedAt = yield* Clock.currentTimeMillis
    const { evict } = options
    // Somebody has begun to use one of them: the job looks for another place.
    if (!view.hold(evict)) return { kind: "full" }
    const isReload = evict.some((id) => view.worker(id)?.model === request.model)
    if (evict.length > 0) log.narrate(say.makingRoom(place.device, evict.length), { hiveId: place.hive })
    const { worker_id: worker } = yield* api
      .startWorker({
        device: place.device,
        model_ref: request.model,
        port_hint: options.portHint,
        ...(request.context === undefined ? {} : { context: request.context }),
        ...request.setup,
        ...request.setup,
        ...(options.pin ? { pin: true } : {}),
        ...(evict.length === 0 ? {} : { evict })
      })
      .pipe(
        Effect.tapError((error) => tellOfTries(api, log, place.hive, error)),
        Effect.ensuring(Effect.sync(() => view.letGo(evict)))
      )
    if (isReload) view.reloaded(place, request.model)
    options.onStarted(worker)
    const ids = { hiveId: place.hive, workerId: worker }
    const heard = view.heardOf(worker)
    // Serving already: another job has woken it, or it was only out of sight.
    const serves = view.serves(worker) || (heard !== undefined && (yield* revives(view, api, place, worker, options)))
    if (!serves) {
      const after = heard?.eventId
      const feed = yield* api.workerEvents({ id: worker, ...(after === undefined ? {} : { last_event_id: after }) })
      const ready = yield* follow(feed, log, `worker ${worker}`, ids)
      const life = yield* decoder(WorkerReady)(ready.data).pipe(
        Effect.mapError(() =>
          rbeeError("INTERNAL", `what hive ${place.hive} tells of worker ${worker} is not understood`)
        )
      )
      const at = { hive: place.hive, worker, device: place.device, model: request.model }
      const isNew = view.workerReady(at, life, ready.eventId)
      if (isNew) options.onLoaded(((yield* Clock.currentTimeMillis) - startedAt) / 1000)
      log.narrate(say.workerAwake(life.backend), ids)
    }
    const lease = view.reserve(worker, log.jobId, request.alone)
    return lease === undefined ? { kind: "full" } : { kind: "ready", lease }
  })

/** A worker that never bound has told of its tries all the same: they are narrated before the job learns of the end. */
const tellOfTries = (api: HiveApi, log: JobLog, hive: HiveId, error: RbeeError): Effect.Effect<void> => {
  const worker = fact(error, "worker_id")
  if (worker === undefined) return Effect.void
  return api.workerEvents({ id: worker }).pipe(
    Effect.flatMap((feed) => follow(feed, log, `worker ${worker}`, { hiveId: hive, workerId: worker })),
    Effect.ignore
  )
}

/**
 * A connection to a worker can break while the worker lives on: then nothing more comes on its stream, and it is asked
 * itself.
 */
const revives = (
  view: ClusterView,
  api: HiveApi,
  place: Place,
  workerId: WorkerId,
  { connect }: StartOptions
): Effect.Effect<boolean, RbeeError> =>
  Effect.gen(function* () {
    const worker = (yield* api.listWorkers({})).find(({ id }) => id === workerId)
    if (worker?.url === undefined || (worker.state !== "idle" && worker.state !== "busy")) return false
    const health = yield* connect(view.reached(place.hive, worker.url), worker.instance)
      .health({})
      .pipe(Effect.timeoutOption("2 seconds"), Effect.option, Effect.map(Option.flatten))
    if (Option.isNone(health) || health.value.instance !== worker.instance) return false
    const { asked, bits, context, exact, exact_how, instance, kv_type, port, slots, url } = worker
    view.workerReady(
      { hive: place.hive, worker: workerId, device: place.device, model: worker.model },
      {
        instance,
        url,
        context,
        slots,
        kv_type,
        asked,
        exact,
        bits,
        exact_how,
        backend: "",
        ...(port === undefined ? {} : { port })
      },
      view.heardOf(workerId)?.eventId
    )
    return view.serves(workerId)
  })
