/** The programs of the simulated cluster: the actors of production over simulated layers. Compare `src/main/*.ts`. */
import * as Effect from "effect/Effect"
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { makeHive } from "../../actors/hive/hive.ts"
import { reign } from "../../actors/queen/endings/reign.ts"
import { layer as layerJobLogs } from "../../actors/queen/log/job-logs.ts"
import { layerMetrics } from "../../actors/queen/metrics/metrics.ts"
import { makeQueen } from "../../actors/queen/queen.ts"
import { makeWorker } from "../../actors/worker/worker.ts"
import { HiveLauncher } from "../../layers/hive-launcher/index.ts"
import { layerProcess as layerLocalHives } from "../../layers/hive-launcher/process.ts"
import { layerProcess as layerQueens } from "../../layers/queen-launcher/process.ts"
import { layerProcess as layerWorkers } from "../../layers/worker-launcher/process.ts"
import { lostToStay, stateFile } from "../../layers/daemon/state-file.ts"
import { hiveFolder, queenFolder } from "../../layers/paths/index.ts"
import { HiveKeys, PersonKeys } from "../../layers/keys/index.ts"
import { HiveConnector } from "../../layers/hive-connector/index.ts"
import { hiveApi, type HiveApi } from "../../protocol/hive.ts"
import { layerMemory as layerHiveCatalog } from "../../layers/hive-catalog/memory.ts"
import { lead } from "../../layers/leadership/index.ts"
import { layerPort } from "../../layers/leadership/port.ts"
import { Journal } from "../../layers/journal/index.ts"
import { Turns } from "../../layers/turns/index.ts"
import { Suspend, Wake } from "../../layers/power/index.ts"
import { QueenConnector } from "../../layers/queen-connector/index.ts"
import { queenApi, type QueenApi } from "../../protocol/queen/index.ts"
import { layerMemory as layerQueenCatalog } from "../../layers/queen-catalog/memory.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import { deadly, layerEngine } from "../world/engine.ts"
import type { Way } from "../world/journal.ts"
import { layerPorts } from "../world/daemons.ts"
import { suspendOf, wakeOf } from "../world/power.ts"
import { layerModels, measuredBy } from "../world/models.ts"
import { layerDevices, layerIds, layerRuntimes, layerTurns } from "../world/ports.ts"
import { farHives } from "../world/ssh.ts"
import type { SimProcess, Start } from "../world/process.ts"
import { WorkerConnector } from "../../layers/worker-connector/index.ts"
import { workerApi } from "../../protocol/worker.ts"
import { loadFailedCode, type WorkerPlan } from "../../layers/worker-launcher/index.ts"
import { RbeeError } from "../../machines/errors.ts"
import { exitCodeOf as codeOf, urlOf } from "../../machines/vocabulary/address.ts"
import { deferredHandlers } from "../../layers/transport/deferred-handlers.ts"
import { type Cluster, files, type HiveStart } from "./cluster.ts"
import { layerSystem } from "../watch/onlooker.ts"
import type { ControlMessage } from "../../machines/vocabulary/worker.ts"
import { type HiveId, localHive, cpuDevice, DeviceId } from "../../machines/vocabulary/ids.ts"

/** A client is a function an endpoint, and every heartbeat asks for one: each is made once. */
const once = <A>(make: (url: string, secret: string) => A): ((url: string, secret?: string) => A) => {
  const made = new Map<string, A>()
  return (url, secret = "") => {
    const key = `${url} ${secret}`
    const known = made.get(key) ?? make(url, secret)
    made.set(key, known)
    return known
  }
}

/** What every program has. */
export const common = (cluster: Cluster, process: SimProcess, hiveId: HiveId, idleMs?: number) => {
  const settings = cluster.settingsOf(hiveId)
  return Layer.mergeAll(
    layerIds(process),
    layerTurns(process),
    layerPorts(process, cluster.network),
    Layer.succeed(CurrentSettings, {
      ...settings,
      queen: { ...settings.queen, idleMs: idleMs ?? settings.queen.idleMs }
    }),
    Layer.succeed(QueenConnector, {
      connect: once((url) => cluster.watch.queen(process, cluster.network.connect(process, url, queenApi)))
    }),
    Layer.succeed(HiveConnector, { connect: once((url) => cluster.network.connect(process, url, hiveApi)) }),
    Layer.succeed(WorkerConnector, {
      connect: once((url, secret) =>
        cluster.watch.worker(process, cluster.network.connect(process, url, workerApi, { secret }))
      )
    })
  )
}

/** As the daemons exit: 75 where the address is taken, 1 for any other failure. */
export const exitCode = (error: unknown): Effect.Effect<number> =>
  Effect.as(
    Effect.logError(error instanceof RbeeError ? `${error.code}: ${error.message}` : String(error)),
    error instanceof RbeeError ? codeOf(error) : 1
  )

const slowly = (cluster: Cluster): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { kernel, plan, slowMs } = cluster
    return Effect.sleep(kernel.random.between(...plan.bootMs) + kernel.random.between(0, slowMs))
  })

/** Her address is bound, and her stores are being opened: whoever asks waits, and nothing of it is on file. */
const opening = (cluster: Cluster): Effect.Effect<void> =>
  Effect.suspend(() => Effect.sleep(cluster.kernel.random.between(0, cluster.plan.bootMs[1])))

/** Hives as a queen wakes them: her own machine's as in production, others over SSH. */
const layerHives = (cluster: Cluster, process: SimProcess) =>
  Layer.effect(
    HiveLauncher,
    Effect.map(HiveLauncher, (here) => {
      const far = farHives(process, cluster.network, (id) => cluster.hives.get(id)?.machine)
      const of = (id: HiveId) => (cluster.hives.get(id)?.machine === process.machine ? here : far)
      return {
        target: (id) => of(id).target(id),
        find: (target) => of(target.id).find(target),
        present: (target) => of(target.id).present(target),
        wake: (target) => of(target.id).wake(target),
        kill: (target) => of(target.id).kill(target),
        reachable: (target) => of(target.id).reachable(target),
        letGo: (target) => of(target.id).letGo(target)
      }
    })
  ).pipe(Layer.provide(layerLocalHives({ file: files.hive, env: {} })))

/** Undefined: it is on the queen's own disk. */
const wayToJournal = ({ kernel, plan }: Cluster, process: SimProcess): Way | undefined => {
  const { journalMs } = plan
  if (journalMs === undefined) return undefined
  const { random } = kernel
  return { random, later: (work) => void process.at(random.between(...journalMs), work) }
}

export const bootQueen = (cluster: Cluster, process: SimProcess): void => {
  const wake = wakeOf(process, cluster.links, cluster.buttons, (button) => cluster.calls(button))
  const program = Effect.gen(function* () {
    yield* slowly(cluster)
    const ready = yield* Deferred.make<QueenApi>()
    const bound = cluster.network.listen(process, cluster.queenUrl, queenApi, deferredHandlers(queenApi, ready))
    const leadership = layerPort(Effect.as(bound, { url: cluster.queenUrl, port: 0 }))
    const term = yield* Effect.provide(lead, leadership)
    yield* opening(cluster)
    const settings = cluster.settingsOf(localHive)
    const before = yield* Effect.provide(lostToStay(queenFolder(settings.home)), layerPorts(process, cluster.network))
    const idleMs = before === undefined ? settings.queen.idleMs : Number.POSITIVE_INFINITY
    const world = yield* Layer.build(
      Layer.mergeAll(
        layerQueenCatalog(cluster.queenStore),
        Layer.provide(
          layerJobLogs,
          Layer.effect(
            Journal,
            Effect.map(Turns, (turns) => cluster.journal.open(turns, wayToJournal(cluster, process)))
          )
        ),
        layerHives(cluster, process),
        layerSystem(process, cluster.onlooker)
      ).pipe(
        Layer.provideMerge(
          Layer.mergeAll(common(cluster, process, localHive, idleMs), layerMetrics, HiveKeys.layer, PersonKeys.layer)
        )
      )
    )
    yield* Effect.gen(function* () {
      const queen = yield* makeQueen({
        url: term.url,
        pid: process.id.pid,
        boot: `boot-${cluster.boots}`
      })
      const { home, queen: at, version } = cluster.settingsOf(localHive)
      const write = yield* stateFile(queenFolder(home), {
        ...process.id,
        port: at.port,
        url: cluster.queenUrl,
        role: "queen",
        id: queen.id,
        instance: queen.instance,
        version,
        stays: before !== undefined
      })
      if (cluster.plan.stays === true) {
        yield* Effect.forkScoped(Effect.zipRight(queen.stayed, write({ stays: true })))
        yield* Effect.forkScoped(Effect.zipRight(queen.leaving, write({ stays: false })))
      }
      yield* Deferred.succeed(ready, queen.api)
      yield* Effect.forkScoped(Effect.zipRight(process.terminated, queen.shutdown(false)))
      yield* reign(queen, term)
    }).pipe(Effect.provide(world), Effect.provideService(Wake, wake))
    return 0
  }).pipe(Effect.scoped, Effect.catchAll(exitCode))
  process.main(program)
}

export const bootHive = (cluster: Cluster, process: SimProcess, hive: HiveStart): void => {
  const suspend = suspendOf(cluster.buttonOf(process.machine), () => cluster.watch.suspended(process.machine))
  const program = Effect.gen(function* () {
    yield* slowly(cluster)
    const ready = yield* Deferred.make<HiveApi>()
    yield* cluster.network.listen(process, hive.url, hiveApi, deferredHandlers(hiveApi, ready))
    yield* opening(cluster)
    const world = yield* Layer.build(
      Layer.mergeAll(
        layerHiveCatalog(hive.store),
        layerDevices(process),
        layerModels(process, () => cluster.hub, hive.disk),
        layerRuntimes(hive.runtimes, () => !cluster.bootFails(process)),
        layerWorkers({ program: files.worker, env: {} }),
        layerSystem(process, cluster.onlooker),
        // her own machine's hive wakes the next queen, where one was to stay
        cluster.plan.stays === true && hive.id === localHive ? layerQueens({ file: files.queen, env: {} }) : Layer.empty
      ).pipe(Layer.provideMerge(common(cluster, process, hive.id)))
    )
    yield* Effect.gen(function* () {
      const made = yield* makeHive
      yield* made.listening(hive.url)
      const { hive: at, home, version } = cluster.settingsOf(hive.id)
      yield* stateFile(hiveFolder(home, hive.id), {
        ...process.id,
        port: at.port,
        url: hive.url,
        role: "hive",
        id: hive.id,
        instance: made.instance,
        version
      })
      cluster.hiveIsUp(hive.id, process)
      const claim: HiveApi["claim"] = (request) =>
        Effect.tap(made.api.claim(request), () => Effect.sync(() => cluster.hiveIsClaimed(hive.id, process)))
      yield* Deferred.succeed(ready, { ...made.api, claim })
      yield* Effect.forkScoped(
        Effect.zipRight(process.terminated, made.shutdown(cluster.settingsOf(hive.id).shutdown.drainMs))
      )
      yield* made.ended
    }).pipe(Effect.provide(world), Effect.provideService(Suspend, suspend))
    return 0
  }).pipe(Effect.scoped, Effect.catchAll(exitCode))
  process.main(program)
}

export const bootWorker = (
  cluster: Cluster,
  process: SimProcess,
  hiveId: HiveId,
  { firstLine, tell: say }: Start
): void => {
  // its hive's own words
  const plan = JSON.parse(firstLine ?? "") as WorkerPlan
  const tell = (message: ControlMessage) => say?.(JSON.stringify(message))
  const device = plan.gpuUuid === undefined ? cpuDevice : DeviceId.make(plan.gpuUuid.replace("uuid-", ""))
  const { network } = cluster
  const spec = { ...cluster.plan, measures: measuredBy(plan.modelPath) }
  /** Ports are given out again as soon as they are free. */
  const free = (port: number): number => (network.isBound(at(port)) ? free(port + 1) : port)
  const at = (port: number) => urlOf(cluster.settingsOf(hiveId).hive.host, port)
  const program = Effect.gen(function* () {
    yield* slowly(cluster)
    if (cluster.bootFails(process)) return 1
    if (plan.modelPath.includes(deadly)) cluster.watch.tried(plan.modelRef, `${hiveId}/${device}`)
    const worker = yield* makeWorker({ plan, pid: process.id.pid, tell })
    const server = yield* Scope.make()
    const leave = Scope.close(server, Exit.void)
    yield* Effect.forkScoped(
      process.terminated.pipe(
        Effect.zipRight(worker.shutdown(0)),
        Effect.zipRight(leave),
        Effect.zipRight(Effect.sync(() => process.end({ code: 0, signal: undefined })))
      )
    )
    const port = free(plan.portHint)
    yield* Scope.extend(network.listen(process, at(port), workerApi, worker.api, plan.instance), server)
    tell({ t: "bound", port, url: at(port) })
    yield* worker.run
    yield* leave
    return 0
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(layerEngine(process, device, spec), common(cluster, process, hiveId))),
    Effect.catchAll(() => Effect.succeed(loadFailedCode))
  )
  process.main(program)
}
