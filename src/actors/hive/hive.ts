/**
 * The hive: one machine's devices, models and workers (docs/design.md#who-supervises-whom).
 *
 *   hive (rest_for_one)
 *   ├ store        catalog; reaps what an earlier hive left
 *   ├ machines     devices and the ledger over them
 *   ├ downloads    (one_for_one, transient)
 *   ├ installs     (one_for_one, temporary)
 *   ├ workers      (one_for_one, transient)
 *   ├ heartbeat    (permanent)
 *   ├ queen watch  wakes the next queen, where she ended without goodbye
 *   └ own end      when it was of no use for its time
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type ChildStartFailed, resource, task } from "../core/supervision/child.ts"
import { supervisor } from "../core/supervision/supervisor.ts"
import type { ActorSystem } from "../core/system.ts"
import type { DeviceProbe } from "../../layers/devices/index.ts"
import type { HiveApi } from "../../protocol/hive.ts"
import type { HiveCatalog } from "../../layers/hive-catalog/index.ts"
import type { Ids } from "../../layers/ids/index.ts"
import type { Models } from "../../layers/models/index.ts"
import type { Suspend } from "../../layers/power/index.ts"
import type { Processes } from "../../layers/process/index.ts"
import type { QueenConnector } from "../../layers/queen-connector/index.ts"
import type { Runtimes } from "../../layers/runtimes/index.ts"
import type { CurrentSettings } from "../../layers/settings/index.ts"
import type { WorkerConnector } from "../../layers/worker-connector/index.ts"
import type { WorkerLauncher } from "../../layers/worker-launcher/index.ts"
import type { RbeeError } from "../../machines/errors.ts"
import { hiveApiOf } from "./api.ts"
import { CurrentLogs } from "./common/event-log.ts"
import { branch, part, Parts } from "./common/parts.ts"
import { CurrentHive, HiveWorld, type Identity } from "./common/ports.ts"
import { CurrentDevices, Devices } from "./devices/devices.ts"
import { CurrentInstalls, Installs } from "./devices/installs.ts"
import { Ending, endWhenIdle, type Why } from "./ending.ts"
import { CurrentHeartbeat } from "./heartbeat.ts"
import { CurrentDownloads, Downloads } from "./models/downloads.ts"
import { openStore } from "./models/store.ts"
import { CurrentOwnership } from "./ownership.ts"
import { Rest } from "./rest.ts"
import { watchQueen } from "./queen-watch.ts"
import { CurrentUsage } from "./usage.ts"
import { CurrentWorkers, Workers } from "./workers/workers.ts"

export type HivePorts =
  | ActorSystem
  | CurrentSettings
  | HiveCatalog
  | DeviceProbe
  | Ids
  | Models
  | Runtimes
  | Processes
  | WorkerLauncher
  | WorkerConnector
  | QueenConnector
  | Suspend

export interface Hive extends Identity {
  readonly api: HiveApi
  /** Tells where the server of this hive is reached; heartbeats wait for it. */
  readonly listening: (url: string) => Effect.Effect<void>
  /** Drains, stops the workers; returns when they are gone. Asked again, it waits for the same end. */
  readonly shutdown: (drainMs: number) => Effect.Effect<void>
  /** Completes when the hive may end: it was shut down, or stood idle for its time. Fails when its tree gave up. */
  readonly ended: Effect.Effect<Why, unknown>
}

/** What the hive is made of, each over those below it. It outlives what the tree restarts. */
const layers = Ending.layer.pipe(
  Layer.provideMerge(CurrentHeartbeat.layer),
  Layer.provideMerge(CurrentOwnership.layer),
  Layer.provideMerge(Rest.layer),
  Layer.provideMerge(CurrentUsage.layer),
  Layer.provideMerge(Parts.layer),
  Layer.provideMerge(CurrentLogs.layer),
  Layer.provideMerge(CurrentHive.layer),
  Layer.provideMerge(HiveWorld.layer)
)

const start = Effect.gen(function* () {
  const { id, instance, url } = yield* CurrentHive
  const { over, shutdown } = yield* Ending
  const heartbeat = yield* CurrentHeartbeat
  const lacking = Effect.flatMap(Parts, (parts) => parts.find(CurrentInstalls)?.lacking ?? Effect.void)
  const tree = yield* supervisor({
    path: "hive",
    strategy: "rest_for_one",
    intensity: 3,
    period: "30 seconds",
    children: [
      { id: "store", start: resource(openStore) },
      { id: "devices", start: resource(part(CurrentDevices, Devices.make)) },
      branch("downloads", CurrentDownloads, Downloads.over),
      branch("installs", CurrentInstalls, Installs.over),
      { id: "missing-runtime", restart: "transient", start: task(lacking) },
      branch("workers", CurrentWorkers, Workers.over),
      { id: "heartbeat", start: task(heartbeat.run) },
      { id: "queen-watch", restart: "transient", start: task(watchQueen) },
      { id: "own-end", restart: "transient", start: task(endWhenIdle) }
    ]
  })
  return {
    id,
    instance,
    api: yield* hiveApiOf,
    listening: (at: string) => Effect.asVoid(Deferred.succeed(url, at)),
    shutdown,
    ended: Effect.raceFirst(over, Effect.zipRight(Fiber.join(tree.fiber), Effect.never))
  }
})

export const makeHive: Effect.Effect<Hive, RbeeError | ChildStartFailed, Scope.Scope | HivePorts> = Effect.flatMap(
  Layer.build(layers),
  (context) => Effect.provide(start, context)
)
