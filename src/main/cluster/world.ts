/** Queen, hive and workers in one process: the daemons' actors over in-process transports. No port, no child. */
import { appendFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { ActorSystem } from "../../actors/core/system.ts"
import { layer as layerJobLogs } from "../../actors/queen/log/job-logs.ts"
import { HiveKeys, PersonKeys } from "../../layers/keys/index.ts"
import { layerMetrics } from "../../actors/queen/metrics/metrics.ts"
import { makeQueen } from "../../actors/queen/queen.ts"
import { InProcessNetwork, inProcessUrl, layerInProcessNetwork } from "../../layers/transport/in-process/network.ts"
import { DeviceProbe } from "../../layers/devices/index.ts"
import { layerInventory } from "../../layers/devices/inventory.ts"
import { readRam } from "../../layers/devices/memory.ts"
import { layerInProcess as layerHives } from "../../layers/hive-connector/in-process.ts"
import { layerSqlite as layerHiveCatalog } from "../../layers/hive-catalog/sqlite.ts"
import { layerInProcess as layerHiveLauncher } from "./hive-launcher.ts"
import { layerRandom } from "../../layers/ids/random.ts"
import { layerMemory as layerJournal } from "../../layers/journal/memory.ts"
import { entriesIn } from "../../layers/model-entries/file.ts"
import { layerDisk } from "../../layers/models/disk.ts"
import { type Home, hiveFolder, queenFolder } from "../../layers/paths/index.ts"
import { layerCommand } from "../../layers/power/command.ts"
import { layerMagicPacket } from "../../layers/power/magic-packet.ts"
import { layerNode as layerProcesses } from "../../layers/process/node.ts"
import { layerInProcess as layerQueens } from "../../layers/queen-connector/in-process.ts"
import { type QueenApi, queenApi } from "../../protocol/queen/index.ts"
import { layerSqlite as layerQueenCatalog } from "../../layers/queen-catalog/sqlite.ts"
import { layerInProcess as layerQueenLauncher, type OwnQueen } from "./queen-launcher.ts"
import { type EnginesByKind, engineOf, engines } from "../../layers/kinds/engines.ts"
import { Kinds } from "../../layers/kinds/index.ts"
import { type RuntimesByKind, runtimesOf } from "../../layers/kinds/runtimes.ts"
import { layerByKind } from "../../layers/runtimes/by-kind.ts"
import { workerKinds } from "../../machines/kinds/index.ts"
import type { WorkerKinds } from "../../machines/kinds/kind.ts"
import { CurrentSettings, type Settings } from "../../layers/settings/index.ts"
import { layerNode as layerTurns } from "../../layers/turns/node.ts"
import { layerInProcess as layerWorkers } from "../../layers/worker-connector/in-process.ts"
import { layerInProcess as layerWorkerLauncher } from "./worker-launcher.ts"
import type { RbeeError } from "../../machines/errors.ts"
import { jsonLogger } from "../logs.ts"
import { ownFolder } from "./folder.ts"

const url = inProcessUrl("queen", "queen")

/** The CPU as the system tells it: a probe would be another process. */
const layerDevices = Layer.succeed(DeviceProbe, {
  look: Effect.sync(() => ({ cpu: readRam(), gpus: [], driver: undefined })),
  ram: Effect.sync(() => readRam())
})

/** The kinds of workers, and what is done for each beside what is done for those of this version. */
export interface KindsHere {
  readonly kinds: WorkerKinds
  readonly engines: EnginesByKind
  readonly runtimes: RuntimesByKind
}
const ours: KindsHere = { kinds: workerKinds, engines: {}, runtimes: {} }

/** What every part shares. */
const layerCommon = (settings: Settings, { kinds }: KindsHere) =>
  Layer.mergeAll(layerQueens, layerHives, layerWorkers).pipe(
    Layer.provideMerge(layerInProcessNetwork),
    Layer.provideMerge(
      Layer.mergeAll(
        layerRandom,
        layerTurns,
        layerProcesses,
        ActorSystem.layer,
        layerMetrics,
        HiveKeys.layer,
        PersonKeys.layer,
        layerMagicPacket,
        Layer.provide(layerCommand, Layer.succeed(CurrentSettings, settings)),
        Layer.succeed(CurrentSettings, settings),
        Layer.succeed(Kinds, kinds)
      )
    )
  )

const layerHive = (settings: Settings, here: KindsHere) => {
  const folder = hiveFolder(settings.home, settings.hive.id)
  return layerHiveLauncher.pipe(
    Layer.provide(
      Layer.mergeAll(
        layerHiveCatalog(join(folder, "catalog.sqlite")),
        layerInventory(settings.hive.gpus, layerDevices),
        layerDisk({ folder }),
        layerByKind({ ...runtimesOf({ folder, env: process.env, engines: settings.engines }), ...here.runtimes }),
        layerWorkerLauncher((plan) => engineOf(plan, { ...engines, ...here.engines })),
        // its actors are its own, as in a process of its own
        Layer.fresh(ActorSystem.layer)
      )
    )
  )
}

const layerQueen = (settings: Settings) =>
  Layer.mergeAll(
    layerQueenCatalog(join(queenFolder(settings.home), "catalog.sqlite")),
    Layer.provide(layerJobLogs, layerJournal())
  )

/**
 * The lines that daemons write to their logs go to one file; stderr belongs to whoever runs the cluster. Provide it to
 * everything that calls into the cluster: handlers run in the fiber of their caller.
 */
export const layerLogs = (settings: Settings) => {
  const file = join(settings.home.logs, "one-process.log")
  const toFile = Logger.map(jsonLogger, (line) => {
    try {
      mkdirSync(settings.home.logs, { recursive: true, mode: 0o700 })
      appendFileSync(file, `${line}\n`, { mode: 0o600 })
    } catch {
      // best effort, as everywhere
    }
  })
  // instead of every logger that the caller has
  return Layer.scopedDiscard(Effect.locallyScoped(FiberRef.currentLoggers, HashSet.make(toFile)))
}

export interface OneProcess extends OwnQueen {
  readonly api: QueenApi
}

/** Shows the cluster to somebody else as soon as it is up: a port for the inspector. */
export type Expose = (api: QueenApi) => Effect.Effect<void, RbeeError, Scope.Scope>

const start = ({ config }: Home, expose: Expose = () => Effect.void) =>
  Effect.gen(function* () {
    const network = yield* InProcessNetwork
    const queen = yield* makeQueen({ url, pid: process.pid, entries: entriesIn(config) })
    yield* network.listen(url, queenApi, queen.api)
    const api = network.connect(url, queenApi)
    yield* expose(api)
    return { url, api, health: api.health({}), ended: queen.ended } satisfies OneProcess
  })

/** The parts of a cluster whose state is in `home`; the queen is not started. */
const layerWorld = (settings: Settings, here: KindsHere) =>
  Layer.mergeAll(layerHive(settings, here), layerQueen(settings)).pipe(Layer.provideMerge(layerCommon(settings, here)))

const inOwnFolder = (given: Settings, here: KindsHere = ours) =>
  Effect.map(ownFolder(given.home), (home) => layerWorld({ ...given, home }, here))

/** The whole cluster; it ends with the scope, and its folder with it. */
export const makeOneProcess = (given: Settings, here?: KindsHere): Effect.Effect<OneProcess, RbeeError, Scope.Scope> =>
  Effect.gen(function* () {
    const world = yield* Layer.build(yield* inOwnFolder(given, here))
    return yield* Effect.provide(start(given.home), world)
  })

/** For a keeper: how it finds its queen and speaks to her, who starts when she is first asked for. */
export const layerOneProcess = (given: Settings, expose?: Expose) =>
  Layer.unwrapScoped(
    Effect.map(inOwnFolder(given), (world) =>
      Layer.provideMerge(layerQueenLauncher(url, start(given.home, expose)), world)
    )
  )
