/** The programs of the simulated cluster: the actors of production over simulated layers. Compare `src/main/*.ts`. */
import * as Effect from "effect/Effect"
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { makeHive } from "../../actors/hive/hive.ts"
import { infer, type InferOptions } from "../../actors/keeper/infer.ts"
import { JobLogs } from "../../actors/queen/log/job-log.ts"
import { layer as layerJobLogs } from "../../actors/queen/log/job-logs.ts"
import { layerMetrics } from "../../actors/queen/metrics/metrics.ts"
import { makeQueen } from "../../actors/queen/queen.ts"
import { makeWorker } from "../../actors/worker/worker.ts"
import { HiveKeys } from "../../layers/keys/index.ts"
import { HiveConnector } from "../../layers/hive-connector/index.ts"
import { hiveApi, type HiveApi } from "../../protocol/hive.ts"
import { layerMemory as layerHiveCatalog } from "../../layers/hive-catalog/memory.ts"
import { Journal } from "../../layers/journal/index.ts"
import { QueenConnector } from "../../layers/queen-connector/index.ts"
import { queenApi, type QueenApi } from "../../protocol/queen/index.ts"
import { layerMemory as layerQueenCatalog } from "../../layers/queen-catalog/memory.ts"
import { QueenLauncher } from "../../layers/queen-launcher/index.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import { deadly, layerEngine } from "../world/engine.ts"
import { type BootWorker, layerHives, layerQueen, layerWorkers } from "../world/launchers.ts"
import { layerModels } from "../world/models.ts"
import { layerDevices, layerIds, layerProcesses, layerRuntimes, layerTurns } from "../world/ports.ts"
import type { SimProcess } from "../world/process.ts"
import { type Part, Terminal } from "../../layers/terminal/index.ts"
import { WorkerConnector } from "../../layers/worker-connector/index.ts"
import { workerApi } from "../../protocol/worker.ts"
import { loadFailedCode } from "../../layers/worker-launcher/index.ts"
import { RbeeError } from "../../machines/errors.ts"
import { addressInUse } from "../../machines/vocabulary/address.ts"
import { deferredHandlers } from "../../layers/transport/deferred-handlers.ts"
import type { Cluster, HiveStart } from "./cluster.ts"
import { layerSystem } from "../watch/onlooker.ts"
import type { WorkerId } from "../../machines/vocabulary/ids.ts"

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

const common = (cluster: Cluster, process: SimProcess, hiveId: string) =>
  Layer.mergeAll(
    layerIds(process),
    layerTurns(process),
    layerProcesses(process),
    Layer.succeed(CurrentSettings, cluster.settingsOf(hiveId)),
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

/** As the daemons exit: 75 where the address is taken, 1 for any other failure. */
const exitCode = (error: unknown): Effect.Effect<number> =>
  Effect.as(
    Effect.logError(error instanceof RbeeError ? `${error.code}: ${error.message}` : String(error)),
    error instanceof RbeeError && error.details["reason"] === "EADDRINUSE" ? addressInUse : 1
  )

const slowly = (cluster: Cluster): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { kernel, plan, slowMs } = cluster
    return Effect.sleep(kernel.random.between(...plan.bootMs) + kernel.random.between(0, slowMs))
  })

export const bootQueen = (cluster: Cluster, process: SimProcess): void => {
  const program = Effect.gen(function* () {
    yield* slowly(cluster)
    const ready = yield* Deferred.make<QueenApi>()
    yield* cluster.network.listen(process, cluster.queenUrl, queenApi, deferredHandlers(queenApi, ready))
    const world = yield* Layer.build(
      Layer.mergeAll(
        layerQueenCatalog(cluster.queenStore),
        Layer.provide(
          layerJobLogs,
          Layer.sync(Journal, () => cluster.journal.open())
        ),
        layerHives(process, cluster.network, cluster.hives, (machine) => cluster.reaches(process.machine, machine)),
        layerSystem(process, cluster.onlooker)
      ).pipe(Layer.provideMerge(Layer.mergeAll(common(cluster, process, "localhost"), layerMetrics, HiveKeys.layer)))
    )
    yield* Effect.gen(function* () {
      const queen = yield* makeQueen({
        url: cluster.queenUrl,
        pid: process.id.pid,
        boot: `boot-${cluster.boots}`
      })
      yield* Deferred.succeed(ready, queen.api)
      yield* Effect.forkScoped(Effect.zipRight(process.terminated, queen.shutdown(false)))
      const { faulted } = yield* JobLogs
      yield* Effect.raceFirst(queen.ended, faulted)
    }).pipe(Effect.provide(world))
    return 0
  }).pipe(Effect.scoped, Effect.catchAll(exitCode))
  process.main(program)
}

export const bootHive = (cluster: Cluster, process: SimProcess, hive: HiveStart): void => {
  const program = Effect.gen(function* () {
    yield* slowly(cluster)
    const ready = yield* Deferred.make<HiveApi>()
    yield* cluster.network.listen(process, hive.url, hiveApi, deferredHandlers(hiveApi, ready))
    const world = yield* Layer.build(
      Layer.mergeAll(
        layerHiveCatalog(hive.store),
        layerDevices(process),
        layerModels(process, () => cluster.hub, hive.disk),
        layerRuntimes(hive.runtimes, () => !cluster.bootFails(process)),
        layerWorkers(process, bootWorker(cluster, hive.id)),
        layerSystem(process, cluster.onlooker)
      ).pipe(Layer.provideMerge(common(cluster, process, hive.id)))
    )
    yield* Effect.gen(function* () {
      const made = yield* makeHive
      yield* made.listening(hive.url)
      cluster.hiveIsUp(hive.id, process)
      yield* Deferred.succeed(ready, made.api)
      yield* Effect.forkScoped(
        Effect.zipRight(process.terminated, made.shutdown(cluster.settingsOf(hive.id).shutdown.drainMs))
      )
      yield* made.ended
    }).pipe(Effect.provide(world))
    return 0
  }).pipe(Effect.scoped, Effect.catchAll(exitCode))
  process.main(program)
}

const bootWorker =
  (cluster: Cluster, hiveId: string): BootWorker =>
  (process, plan, tell) => {
    const device = plan.gpuUuid?.replace("uuid-", "") ?? "cpu"
    const { network } = cluster
    /** Ports are given out again as soon as they are free. */
    const free = (port: number): number => (network.isBound(at(port)) ? free(port + 1) : port)
    const at = (port: number) => `sim://${process.machine.name}:${port}`
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
      Effect.provide(Layer.merge(layerEngine(process, device, cluster.plan), common(cluster, process, hiveId))),
      Effect.catchAll(() => Effect.succeed(loadFailedCode))
    )
    process.main(program)
  }

/** What a program that talks to the queen is provided with: it finds or wakes her. */
export const asKeeper =
  (cluster: Cluster, process: SimProcess) =>
  <A, E>(
    program: Effect.Effect<A, E, QueenLauncher | Layer.Layer.Success<ReturnType<typeof common>>>
  ): Effect.Effect<A, E> =>
    program.pipe(
      Effect.provide(layerQueen(process, cluster.network, cluster.queenSite)),
      Effect.provide(common(cluster, process, "localhost"))
    )

export interface KeeperRun {
  readonly process: SimProcess
  stdout: string
  stderr: string
  interrupt: () => void
}

/** `rbee infer`. */
export const bootKeeper = (cluster: Cluster, process: SimProcess, options: InferOptions): KeeperRun => {
  const interrupted = Deferred.unsafeMake<130>(process.fork(Effect.void).id())
  const run: KeeperRun = {
    process,
    stdout: "",
    stderr: "",
    interrupt: () => process.post(process, () => Deferred.unsafeDone(interrupted, Effect.succeed(130 as const)))
  }
  const output = (write: (text: string) => void) => ({
    isTTY: false,
    columns: () => 80,
    write: (...parts: ReadonlyArray<Part>) =>
      write(parts.map((part) => (typeof part === "string" ? part : part.text)).join("")),
    writeRaw: write,
    clearLine: () => undefined
  })
  const terminal = Terminal.of({
    stdout: output((text) => {
      run.stdout += text
    }),
    stderr: output((text) => {
      run.stderr += text
    }),
    stdinIsTTY: false,
    closed: Effect.never,
    interrupted: Deferred.await(interrupted),
    readSecret: () => Effect.succeed(""),
    readStdin: () => Effect.succeed("")
  })
  process.main(infer(options).pipe(Effect.provideService(Terminal, terminal), asKeeper(cluster, process)))
  return run
}

/** `rbee workers ls` of a queen that is awake: `tell` hears of each worker how many jobs hold a slot of it. */
export const bootLook = (
  cluster: Cluster,
  process: SimProcess,
  tell: (busy: ReadonlyMap<string, number>) => void
): void => {
  const program = Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    if ((yield* launcher.find) === undefined) return 0
    const workers = yield* (yield* QueenConnector).connect(launcher.url).listWorkers({})
    tell(new Map(workers.map(({ busy, id }) => [id, busy])))
    return 0
  }).pipe(asKeeper(cluster, process), Effect.catchAll(exitCode))
  process.main(program)
}

/** `rbee up`, `rbee down`, and `rbee hives …` and `rbee workers …` of a queen that is awake. */
export type Command =
  | "up"
  | "down"
  | { readonly startHive: string }
  | { readonly stopHive: string }
  /** stops it before, as one is told to */
  | { readonly removeHive: string }
  | { readonly stopWorker: WorkerId }

export const bootCommand = (cluster: Cluster, process: SimProcess, command: Command): void => {
  const program = Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    const found = yield* launcher.find
    if (command === "up" && found !== undefined) return 0
    const health = found ?? (yield* launcher.wake).health
    if (command === "up") return 0
    const api = (yield* QueenConnector).connect(launcher.url)
    if (command === "down") {
      yield* api.shutdown({ cascade: true })
      return (yield* launcher.gone(health)) ? 0 : 1
    }
    if ("startHive" in command) yield* api.startHive({ id: command.startHive })
    else if ("stopHive" in command) yield* api.stopHive({ id: command.stopHive })
    else if ("stopWorker" in command) yield* api.stopWorker({ id: command.stopWorker })
    else {
      const { removeHive: id } = command
      yield* api.stopHive({ id })
      yield* api.removeHive({ id })
    }
    return 0
  }).pipe(asKeeper(cluster, process), Effect.catchAll(exitCode))
  process.main(program)
}
