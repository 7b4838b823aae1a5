/** The hive's interface (docs/api.md#hive): what each call asks of which part. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ActorSystem } from "../core/system.ts"
import { type InputOf, mapCalls, provided } from "../../protocol/endpoint.ts"
import type { HiveApi, hiveApi } from "../../protocol/hive.ts"
import { makeInspect } from "../inspect/shared.ts"
import { watch } from "../inspect/source.ts"
import { type CurrentLogs, feedOf } from "./common/event-log.ts"
import { Parts } from "./common/parts.ts"
import { CurrentHive, HiveWorld } from "./common/ports.ts"
import { CurrentDevices } from "./devices/devices.ts"
import { Ending, open } from "./ending.ts"
import { CurrentHeartbeat } from "./heartbeat.ts"
import { modelCalls } from "./models-api.ts"
import { CurrentOwnership } from "./ownership.ts"
import type { CurrentUsage } from "./usage.ts"
import { workerCalls } from "./workers-api.ts"
import { CurrentWorkers } from "./workers/workers.ts"

type Needs =
  | ActorSystem
  | CurrentHeartbeat
  | CurrentHive
  | CurrentLogs
  | CurrentOwnership
  | CurrentUsage
  | Ending
  | HiveWorld
  | Parts

const health = Effect.gen(function* () {
  const { id, instance, startedAt } = yield* CurrentHive
  const { processes, settings } = yield* HiveWorld
  const now = yield* Clock.currentTimeMillis
  return {
    status: "healthy" as const,
    role: "hive" as const,
    version: settings.version,
    id,
    instance,
    pid: processes.self.pid,
    uptime_s: (now - startedAt) / 1000
  }
})

const claim = (request: InputOf<typeof hiveApi.claim>) =>
  Effect.gen(function* () {
    const { id, instance } = yield* CurrentHive
    const { models, settings } = yield* HiveWorld
    yield* open
    yield* (yield* CurrentOwnership).claim(request)
    const { models: offers, secret = settings.token, url } = request.queen
    yield* models.offered(offers === true ? { url, token: secret } : undefined)
    yield* (yield* CurrentHeartbeat).claimed
    return { hive_id: id, instance, version: settings.version }
  })

const devices = Effect.gen(function* () {
  const parts = yield* Parts
  const { catalog } = yield* HiveWorld
  const { cpu, driver, gpus } = yield* (yield* parts.get(CurrentDevices)).look()
  return {
    cpu: {
      cores: cpu.cores,
      ram_mb: Math.floor(cpu.ramBytes / 1e6),
      ram_free_mb: Math.floor(cpu.ramFreeBytes / 1e6)
    },
    gpus,
    ...(driver === undefined ? {} : { driver }),
    models: yield* catalog.models.count,
    workers: (yield* parts.get(CurrentWorkers)).count
  }
})

const shutdown = (drainMs: number | undefined) =>
  Effect.gen(function* () {
    const { settings } = yield* HiveWorld
    yield* (yield* Ending).shutdown(drainMs ?? settings.shutdown.drainMs)
  })

export const hiveApiOf: Effect.Effect<HiveApi, never, Needs | Scope.Scope> = Effect.gen(function* () {
  const context = yield* Effect.context<Needs>()
  const ownership = yield* CurrentOwnership
  const daemon = `hive-${(yield* CurrentHive).id}`
  const inspect = yield* makeInspect(daemon, (trunk, redacted) => watch({ ...redacted, daemon }, trunk.put))
  const calls = provided<typeof hiveApi, Needs>(context, {
    health: () => health,
    claim,
    devices: () => devices,
    ...modelCalls,
    ...workerCalls,
    modelEvents: feedOf("a provision", "NOT_FOUND"),
    runtimeEvents: feedOf("a provision", "NOT_FOUND"),
    workerEvents: feedOf("a worker", "WORKER_NOT_FOUND"),
    inspectEvents: ({ contents }) => Effect.sync(() => inspect({ contents: contents === true })),
    suspend: ({ idle_ms }) => Effect.flatMap(Ending, (ending) => ending.suspend(idle_ms)),
    shutdown: ({ deadline_ms }) => shutdown(deadline_ms)
  })
  /** A queen that lost this hive to another one learns it from whatever she asks. */
  const ofItsOwner = mapCalls(calls, (call, name) =>
    name === "health" || name === "claim" ? call : Effect.zipRight(ownership.admit, call)
  )
  return ofItsOwner
})
