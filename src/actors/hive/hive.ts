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
 *   └ own end      when it was of no use for its time
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { type ChildStartFailed, resource, task } from "../core/supervision/child.ts"
import { supervisor } from "../core/supervision/supervisor.ts"
import type { ActorSystem } from "../core/system.ts"
import { DeviceProbe } from "../../layers/devices/index.ts"
import type { HiveApi } from "../../protocol/hive.ts"
import { HiveCatalog } from "../../layers/hive-catalog/index.ts"
import { Ids } from "../../layers/ids/index.ts"
import { Kinds } from "../../layers/kinds/index.ts"
import { Models } from "../../layers/models/index.ts"
import { Processes } from "../../layers/process/index.ts"
import { QueenConnector } from "../../layers/queen-connector/index.ts"
import { Runtimes } from "../../layers/runtimes/index.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import { WorkerConnector } from "../../layers/worker-connector/index.ts"
import { WorkerLauncher } from "../../layers/worker-launcher/index.ts"
import type { RbeeError } from "../../machines/errors.ts"
import { hiveApiOf } from "./api.ts"
import { branch } from "./branch.ts"
import { Downloads } from "./models/downloads.ts"
import { EventLogs } from "./common/event-log.ts"
import { Heartbeat } from "./heartbeat.ts"
import { Installs } from "./devices/installs.ts"
import { Machines } from "./devices/devices.ts"
import { Ownership } from "./ownership.ts"
import type { Parts } from "./parts.ts"
import type { Identity, Ports } from "./common/ports.ts"
import { openStore } from "./models/store.ts"
import { Usage } from "./usage.ts"
import { Workers } from "./workers/workers.ts"

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

export interface Hive extends Identity {
  readonly api: HiveApi
  /** Tells where the server of this hive is reached; heartbeats wait for it. */
  readonly listening: (url: string) => Effect.Effect<void>
  /** Drains, stops the workers; returns when they are gone. Asked again, it waits for the same end. */
  readonly shutdown: (drainMs: number) => Effect.Effect<void>
  /** Completes when the hive may end: it was shut down, or stood idle for its time. Fails when its tree gave up. */
  readonly ended: Effect.Effect<"shutdown" | "idle", unknown>
}

const ports: Effect.Effect<Ports, never, HivePorts> = Effect.all({
  settings: CurrentSettings,
  catalog: HiveCatalog,
  probe: DeviceProbe,
  ids: Ids,
  models: Models,
  kinds: Kinds,
  runtimes: Runtimes,
  processes: Processes,
  launcher: WorkerLauncher,
  workerConnector: WorkerConnector
})

export const makeHive: Effect.Effect<Hive, RbeeError | ChildStartFailed, Scope.Scope | HivePorts> = Effect.gen(
  function* () {
    const world = yield* ports
    const { settings } = world
    const identity: Identity = { id: settings.hive.id, instance: yield* world.ids.make("hive") }
    const startedAt = yield* Clock.currentTimeMillis
    const logs = new EventLogs()
    const parts: Parts = { machines: undefined, downloads: undefined, installs: undefined, workers: undefined }
    const url = yield* Deferred.make<string>()
    const over = yield* Deferred.make<"shutdown" | "idle">()
    const usage = new Usage(startedAt)
    const ownership = yield* Ownership.load(world.catalog)
    const heartbeat = yield* Heartbeat.make({
      ports: world,
      identity,
      parts,
      ownership,
      queens: yield* QueenConnector,
      url: Deferred.await(url)
    })

    const inContact = Effect.map(
      Clock.currentTimeMillis,
      (now) => heartbeat.contactAt !== undefined && now - heartbeat.contactAt <= settings.hive.lostMs
    )
    const inUse = Effect.gen(function* () {
      if ((parts.downloads?.count ?? 0) + (parts.installs?.count ?? 0) > 0) return true
      // Without its queen nobody can use what was pinned.
      return yield* parts.workers?.inUse(yield* inContact) ?? Effect.succeed(false)
    })

    // One of which nobody wants anything, not even to own it, is nobody's: who woke it died, and its name was forgotten.
    const isStray = () => ownership.owner === undefined && usage.isUnused
    const idleMs = () => (ownership.wokenCold || isStray() ? settings.hive.idleColdMs : settings.hive.idleMs)

    let stopping = false
    const stopped = yield* Deferred.make<void>()
    const shutdown = (drainMs: number, why: "shutdown" | "idle" = "shutdown") =>
      Effect.suspend(() => {
        if (stopping) return Deferred.await(stopped)
        stopping = true
        return Effect.gen(function* () {
          yield* Effect.logInfo(`hive ${identity.id} ends (${why})`)
          yield* parts.workers?.stopAll(drainMs) ?? Effect.void
          yield* Deferred.succeed(stopped, undefined)
          yield* Deferred.succeed(over, why)
        }).pipe(Effect.uninterruptible)
      })

    const tree = yield* supervisor({
      path: "hive",
      strategy: "rest_for_one",
      intensity: 3,
      period: "30 seconds",
      children: [
        { id: "store", start: resource(openStore(world)) },
        {
          id: "machines",
          start: resource(
            Effect.acquireRelease(
              Effect.map(Machines.make(world), (machines) => void (parts.machines = machines)),
              () => Effect.sync(() => void (parts.machines = undefined))
            )
          )
        },
        branch("downloads", parts, (ref, machines) => new Downloads(world, identity, machines, logs, ref)),
        branch("installs", parts, (ref, machines) => new Installs(world, identity, machines, logs, ref)),
        {
          id: "missing-runtime",
          restart: "transient",
          start: task(Effect.suspend(() => parts.installs?.lacking ?? Effect.void))
        },
        branch("workers", parts, (ref, machines) => new Workers(world, identity, machines, logs, ref)),
        { id: "heartbeat", start: task(heartbeat.run) },
        {
          id: "own-end",
          restart: "transient",
          start: task(Effect.zipRight(usage.idle({ idleMs, inUse }), shutdown(settings.shutdown.drainMs, "idle")))
        }
      ]
    })

    return {
      ...identity,
      api: yield* hiveApiOf({
        ports: world,
        identity,
        parts,
        ownership,
        heartbeat,
        usage,
        logs,
        startedAt,
        stopping: () => stopping,
        shutdown
      }),
      listening: (at) => Effect.asVoid(Deferred.succeed(url, at)),
      shutdown,
      ended: Effect.raceFirst(Deferred.await(over), Effect.zipRight(Fiber.join(tree.fiber), Effect.never))
    }
  }
)
