/**
 * The hive program: a daemon that owns one machine's devices, models and workers. It outlives the queen that woke it.
 * The port is the lock: it binds it before it opens its catalog, so of two that start at once one serves and the other
 * ends with exit code 75.
 *
 * Exit codes: 0 ended as asked or for being idle, 1 a failure (the reason is the last line of its log), 75 its address
 * is in use.
 */
import "./working-folder.ts"
import { dirname, join as pathOf } from "node:path"
import { fileURLToPath } from "node:url"
import { keepLogs } from "../layers/process/log-file.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ActorSystem } from "../actors/core/system.ts"
import { makeHive } from "../actors/hive/hive.ts"
import { serveHttp } from "../layers/transport/http/server/server.ts"
import { layerNode as layerDaemons } from "../layers/daemon/node.ts"
import { stateFile } from "../layers/daemon/state-file.ts"
import { layerInventory } from "../layers/devices/inventory.ts"
import { layerProbe } from "../layers/devices/probe.ts"
import { wokenHere, wokenMark } from "../layers/hive-launcher/index.ts"
import { type HiveApi, hiveApi } from "../protocol/hive.ts"
import { layerSqlite } from "../layers/hive-catalog/sqlite.ts"
import { layerRandom } from "../layers/ids/random.ts"
import { layerDisk } from "../layers/models/disk.ts"
import { hiveFolder } from "../layers/paths/index.ts"
import { layerCommand } from "../layers/power/command.ts"
import { Processes } from "../layers/process/index.ts"
import { layerNode } from "../layers/process/node.ts"
import { layerProcess as layerQueenLauncher } from "../layers/queen-launcher/process.ts"
import { layerHttp as layerQueens } from "../layers/queen-connector/http.ts"
import { environmentOf, layerRuntimes, tellerOf } from "../layers/kinds/runtimes.ts"
import { CurrentSettings, type Settings } from "../layers/settings/index.ts"
import { layerHttp as layerWorkers } from "../layers/worker-connector/http.ts"
import { layerProcess } from "../layers/worker-launcher/process.ts"
import { type RbeeError, rbeeError } from "../machines/errors.ts"
import { environmentOf as environmentOfSettings, loadInvitation, loadSettings } from "./config.ts"
import { layerDisk as layerParked } from "../layers/parked/disk.ts"
import { daemonOf } from "./ending.ts"
import { join } from "./hive/join.ts"
import { joiningOf, type Place, secretOf } from "./hive/membership.ts"
import { deferredHandlers } from "../layers/transport/deferred-handlers.ts"

const file = fileURLToPath(import.meta.url)
const programs = dirname(file)
const daemon = daemonOf("hive", file)

/** By which her own machine's hive wakes the next queen. */
const nextQueen = (settings: Settings) => {
  if (process.env[wokenMark] !== wokenHere) return Layer.empty
  const own = Object.entries({ ...process.env, ...environmentOfSettings(settings) })
  const env = Object.fromEntries(
    own.filter((entry): entry is [string, string] => entry[1] !== undefined && entry[0] !== wokenMark)
  )
  return layerQueenLauncher({ file: pathOf(programs, "queen.js"), env })
}

const worldOf = (settings: Settings) => {
  const folder = hiveFolder(settings.home, settings.hive.id)
  const env = environmentOf(process.env)
  return Layer.mergeAll(
    layerSqlite(pathOf(folder, "catalog.sqlite")),
    layerInventory(
      settings.hive.gpus,
      layerProbe({ env, vulkan: settings.hive.vulkan, teller: tellerOf({ folder, env }) })
    ),
    layerDisk({ folder }),
    layerRuntimes({ folder, env, engines: settings.engines }),
    layerProcess({ env }),
    layerParked({ folder, maxBytes: settings.worker.parkMb * 1_000_000 }),
    layerWorkers,
    layerQueens,
    nextQueen(settings),
    layerCommand,
    ActorSystem.layer
  ).pipe(
    Layer.provideMerge(Layer.mergeAll(layerNode, layerDaemons, layerRandom, Layer.succeed(CurrentSettings, settings)))
  )
}

/** A taken port is somebody's: who it is helps more than that it is. */
const nameOwner = (error: RbeeError<"CONFLICT" | "INVALID_REQUEST">, port: number) =>
  Effect.provide(
    Effect.gen(function* () {
      if (error.code !== "CONFLICT") return error
      const owner = yield* (yield* Processes).portOwner(port)
      if (owner === undefined) return error
      return rbeeError(error.code, `port ${port} is taken by ${owner}`, error.todo, { ...error.details, owner })
    }),
    layerNode
  )

const program = Effect.gen(function* () {
  const invitation = yield* loadInvitation(process.env)
  const isWoken = process.env[wokenMark] !== undefined
  const joiningAt = (place: Place) => (isWoken ? undefined : joiningOf(place, invitation))
  const loaded = yield* loadSettings({
    env: process.env,
    makeToken: true,
    secretOf: (place) => {
      const joining = joiningAt(place)
      return joining === undefined ? undefined : secretOf(place, joining)
    }
  })
  const settings: Settings = { ...loaded, isWoken }
  const joining = joiningAt(settings)
  keepLogs(pathOf(settings.home.logs, `hive-${settings.hive.id}.log`), "worker-")
  const { host, port } = settings.hive
  const ready = yield* Deferred.make<HiveApi>()
  const bound = yield* serveHttp({
    apis: [{ api: hiveApi, handlers: deferredHandlers(hiveApi, ready) }],
    host,
    port,
    token: settings.token,
    role: "hive"
  }).pipe(Effect.catchAll((error) => Effect.flip(nameOwner(error, port))))
  const world = yield* Layer.build(worldOf(settings))
  yield* Effect.gen(function* () {
    const hive = yield* makeHive
    const { self } = yield* Processes
    yield* hive.listening(bound.url)
    yield* stateFile(hiveFolder(settings.home, hive.id), {
      ...self,
      port: bound.port,
      url: bound.url,
      role: "hive",
      id: hive.id,
      instance: hive.instance,
      version: settings.version
    })
    yield* Deferred.succeed(ready, hive.api)
    yield* Effect.forkScoped(Effect.zipRight(daemon.mustEnd, hive.shutdown(settings.shutdown.drainMs)))
    const joined = joining === undefined ? Effect.void : join(settings, bound.port, joining)
    yield* Effect.raceFirst(hive.ended, Effect.zipRight(joined, Effect.never))
  }).pipe(Effect.provide(world))
}).pipe(Effect.scoped)

daemon.run(program)
