/**
 * The queen program: a daemon that serves her interface. She asks for leadership (the port is the lock: she
 * binds it) before she opens her stores, so of two that start at once one serves and the other ends with exit code 75.
 * Where systemd has bound it for her (`LISTEN_FDS`) her journal's exclusive lock is what keeps two apart.
 *
 * Exit codes: 0 ended as asked, 1 a failure (the reason is the last line of her log), 75 her address is in use.
 */
import "./working-folder.ts"
import { hostname } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { keepLogs, lastLines } from "../layers/process/log-file.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { ActorSystem } from "../actors/core/system.ts"
import { reign } from "../actors/queen/endings/reign.ts"
import { layer as layerJobLogs } from "../actors/queen/log/job-logs.ts"
import { layerMetrics } from "../actors/queen/metrics/metrics.ts"
import { makeQueen } from "../actors/queen/queen.ts"
import { BrowserSessions } from "../layers/transport/http/server/browser-sessions.ts"
import type { Beside } from "../layers/transport/http/server/exchange.ts"
import { serveHttp, type ServeOptions, serveStreams } from "../layers/transport/http/server/server.ts"
import { openApi } from "../protocol/openapi/openapi.ts"
import { type Caller, hiveCaller, local } from "../protocol/rights.ts"
import { layerNode as layerDaemons } from "../layers/daemon/node.ts"
import { noteHeld } from "../layers/daemon/held-address.ts"
import { settled } from "../layers/daemon/launch.ts"
import { awaitedSuccessor, lostToStay, stateFile } from "../layers/daemon/state-file.ts"
import { CurrentGrammars } from "../layers/grammars/index.ts"
import { threadedGrammars } from "../layers/grammars/thread.ts"
import { layerHttp as layerHives } from "../layers/hive-connector/http.ts"
import type { CallerOf } from "../layers/transport/http/server/guard.ts"
import { HiveKeyring, HiveKeys, PersonKeyring, PersonKeys } from "../layers/keys/index.ts"
import { layerProcess } from "../layers/hive-launcher/process.ts"
import { layerSsh as layerHiveSsh } from "../layers/hive-launcher/ssh.ts"
import { cachedRepos } from "../layers/hub/cached.ts"
import { hubRoutes } from "../layers/hub/routes.ts"
import { pageHandlers } from "../layers/pages/files.ts"
import { pagesApi } from "../layers/pages/index.ts"
import { layerRandom } from "../layers/ids/random.ts"
import { handedSockets } from "../layers/leadership/handed.ts"
import { lead } from "../layers/leadership/index.ts"
import { layerStandby } from "../layers/leadership/standby.ts"
import { layerPort } from "../layers/leadership/port.ts"
import { layerSqlite as layerJournal } from "../layers/journal/sqlite.ts"
import { hubPrefix } from "../layers/models/hugging-face/queen.ts"
import { entriesIn } from "../layers/model-entries/file.ts"
import { fileWriter } from "../layers/model-entries/writer.ts"
import { hubOffers } from "../layers/model-offers/hub.ts"
import { copiesOnDisk } from "../layers/models/notes.ts"
import { hiveFolder, queenFolder } from "../layers/paths/index.ts"
import { discovered } from "../layers/lan/discovered.ts"
import { bootOf } from "../layers/process/identity.ts"
import { Processes } from "../layers/process/index.ts"
import { layerNode as layerProcesses } from "../layers/process/node.ts"
import { ollamaHomeApi } from "../protocol/surfaces/ollama.ts"
import { running } from "../protocol/surfaces/ollama-surface.ts"
import { type QueenApi, queenApi } from "../protocol/queen/index.ts"
import { layerMagicPacket } from "../layers/power/magic-packet.ts"
import { layerSqlite as layerCatalog } from "../layers/queen-catalog/sqlite.ts"
import { layerDirectListener } from "../layers/remote/direct-listener.ts"
import { layerSsh as layerRemotes } from "../layers/remote/ssh.ts"
import { layerTunnels } from "../layers/remote/tunnels.ts"
import { requiresToken } from "../layers/keys/own-token.ts"
import { CurrentSettings, type Settings } from "../layers/settings/index.ts"
import { layerSsh2 } from "../layers/ssh/ssh2.ts"
import { layerNode as layerTurns } from "../layers/turns/node.ts"
import { layerTunnelled as layerWorkers } from "../layers/worker-connector/http.ts"
import { type RbeeError, rbeeError } from "../machines/errors.ts"
import type { TlsFiles } from "../layers/transport/http/tls-front.ts"
import { environmentOf, loadSettings } from "./config.ts"
import { isLoopback, urlOf } from "../machines/vocabulary/address.ts"
import { daemonOf, exit } from "./ending.ts"
import { deferredHandlers } from "../layers/transport/deferred-handlers.ts"

const file = fileURLToPath(import.meta.url)
const programs = dirname(file)
const daemon = daemonOf("queen", file)

const hubOf = (settings: Settings): Beside => ({
  prefix: hubPrefix,
  scope: "peer",
  answer: hubRoutes(() => cachedRepos(hiveFolder(settings.home, settings.hive.id)))
})

const onDiskOf = ({ hive, home }: Settings) => Effect.promise(() => copiesOnDisk(hiveFolder(home, hive.id), hive.id))

/** What a hive of another machine may call: it reports, and takes models from her hub. */
const peerApi = { health: queenApi.health, heartbeat: queenApi.heartbeat }

const directListenerOf = (settings: Settings, handlers: QueenApi, keys: HiveKeyring) => {
  const served = {
    apis: [{ api: peerApi, handlers }],
    beside: hubOf(settings),
    // nobody's: only hives are let in
    token: () => []
  } as const
  return layerDirectListener({
    serve: (host) => {
      const { port } = settings.queen
      // where she listens for everybody already, there is nothing to open
      if (["0.0.0.0", "::", host].includes(settings.queen.host)) return Effect.succeed({ port, url: urlOf(host, port) })
      return serveHttp({ ...served, callerOf: hiveWith(keys), host, port, role: "queen's direct listener" })
    },
    serveOne: (hive) => {
      const callerOf = (secret: string) => (keys.hiveOf(secret) === hive ? hiveCaller(hive) : undefined)
      return serveStreams({ ...served, callerOf, host: "queen", role: `queen's channel of hive ${hive}` })
    }
  })
}

const hiveWith =
  (keys: HiveKeyring) =>
  (secret: string): Caller | undefined => {
    const hive = keys.hiveOf(secret)
    return hive === undefined ? undefined : hiveCaller(hive)
  }

const callerWith =
  (keys: HiveKeyring, people: PersonKeyring): CallerOf =>
  (secret) =>
    people.callerOf(secret) ?? hiveWith(keys)(secret)

const worldOf = (settings: Settings, handlers: QueenApi, keys: HiveKeyring, people: PersonKeyring) => {
  const own = Object.entries(process.env).filter(
    // an invitation is for a hive that is started by hand, not for her own
    (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith("RBEE_HIVE_INVITE")
  )
  const env = { ...Object.fromEntries(own), ...environmentOf(settings) }
  const folder = queenFolder(settings.home)
  return Layer.mergeAll(
    layerCatalog(join(folder, "catalog.sqlite")),
    Layer.provide(layerJobLogs, layerJournal(join(folder, "journal.sqlite"))),
    layerHiveSsh(layerProcess({ file: join(programs, "hive.js"), env })),
    layerHives,
    layerWorkers,
    layerRemotes,
    layerMagicPacket,
    Layer.effect(ActorSystem, ActorSystem.make)
  ).pipe(
    Layer.provideMerge(
      Layer.provideMerge(Layer.provideMerge(layerTunnels, layerSsh2), directListenerOf(settings, handlers, keys))
    ),
    Layer.provideMerge(
      Layer.mergeAll(
        layerProcesses,
        layerDaemons,
        layerRandom,
        layerTurns,
        layerMetrics,
        Layer.succeed(CurrentSettings, settings),
        Layer.succeed(CurrentGrammars, threadedGrammars()),
        Layer.succeed(HiveKeys, keys),
        Layer.succeed(PersonKeys, people)
      )
    )
  )
}

const ollamaHome = { ollamaHome: () => Effect.succeed(running.text) }

/** Her interface once more where Ollama's clients look for it; that somebody else is there is no reason to end. */
const forOllama = (
  { queen: { ollamaPort } }: Settings,
  served: Omit<ServeOptions<readonly [typeof queenApi, typeof ollamaHomeApi]>, "port" | "role">
): Effect.Effect<void, never, Scope.Scope> =>
  ollamaPort === undefined
    ? Effect.void
    : serveHttp({ ...served, port: ollamaPort, role: "queen for Ollama's clients" }).pipe(
        Effect.catchAll((error) =>
          Effect.logWarning(`Ollama's clients are not served on ${ollamaPort}: ${error.message}`)
        ),
        Effect.asVoid
      )

/** Both files or none: half of it would be HTTP in clear where TLS was meant. */
const tlsOf = ({ queen: { tlsCert: cert, tlsKey: key } }: Settings): Effect.Effect<TlsFiles | undefined, RbeeError> => {
  if (cert !== undefined && key !== undefined) return Effect.succeed({ cert, key })
  if (cert === undefined && key === undefined) return Effect.succeed(undefined)
  return rbeeError(
    "INVALID_REQUEST",
    "of the certificate and its key for TLS only one is named",
    "Name both, or none: `cert` and `key` under [queen.tls]",
    {
      field: cert === undefined ? "queen.tls_cert" : "queen.tls_key"
    }
  )
}

/** Her own, and the one for Ollama's clients, where systemd has them for her (src/main/service/systemd.ts). */
const sockets = handedSockets(process.env, process.pid)
const [socket, ollamaSocket] = sockets

/** Whoever only looks goes by it while she sleeps; without one her address is her own again. */
const noteSocket = ({ home, queen: { host, ollamaPort, port } }: Settings) =>
  Effect.gen(function* () {
    if (sockets.length > (ollamaPort === undefined ? 1 : 2))
      yield* Effect.logWarning("more sockets were handed over than are served: run `rbee service install` again")
    yield* noteHeld(queenFolder(home), socket === undefined ? undefined : urlOf(host, port))
  }).pipe(Effect.provide(layerDaemons))

/** Undefined: who is there does not answer, or nobody is any more. */
const queenLeads = (url: string): Effect.Effect<boolean | undefined> =>
  Effect.map(settled(url), (seen) =>
    Option.match(seen, {
      onNone: () => undefined,
      onSome: (one) => (one._tag === "Nobody" ? undefined : one._tag === "Daemon" && one.health.role === "queen")
    })
  ).pipe(Effect.provide(layerDaemons))

/** Whoever comes after one who was to stay, and ended without goodbye, stays in her place, whoever wakes her. */
const inHerPlace = (settings: Settings) =>
  Effect.map(lostToStay(queenFolder(settings.home)), (before) =>
    before === undefined ? settings : { ...settings, queen: { ...settings.queen, idleMs: Number.POSITIVE_INFINITY } }
  ).pipe(Effect.provide(Layer.merge(layerProcesses, layerDaemons)))

const program = Effect.gen(function* () {
  const settings = yield* Effect.flatMap(loadSettings({ env: process.env, makeToken: true }), inHerPlace)
  keepLogs(join(settings.home.logs, "queen.log"), undefined)
  const ready = yield* Deferred.make<QueenApi>()
  const handlers = deferredHandlers(queenApi, ready)
  const keys = new HiveKeyring()
  const people = new PersonKeyring()
  const { host, port } = settings.queen
  const sessions = new BrowserSessions(settings.token)
  const isOpen = !requiresToken(settings) && isLoopback(host)
  const guarded = {
    sessions,
    host,
    token: settings.token,
    sites: { origins: settings.queen.origins, hosts: settings.queen.hosts },
    callerOf: callerWith(keys, people),
    tls: yield* tlsOf(settings),
    anonymous: isOpen ? local : undefined
  }
  const candidate = layerPort(
    serveHttp({
      ...guarded,
      apis: [
        { api: queenApi, handlers },
        { api: pagesApi, handlers: pageHandlers({ folder: programs, sessions }) }
      ],
      port,
      socket,
      beside: hubOf(settings),
      role: "queen"
    })
  )
  const leadership = daemon.isService ? layerStandby(candidate, queenLeads(urlOf(host, port))) : candidate
  const term = yield* Effect.provide(lead, leadership)
  yield* forOllama(settings, {
    ...guarded,
    socket: ollamaSocket,
    apis: [
      { api: queenApi, handlers },
      { api: ollamaHomeApi, handlers: ollamaHome }
    ]
  })
  const world = yield* Layer.build(worldOf(settings, handlers, keys, people))
  yield* Effect.gen(function* () {
    const info = { title: "rbee queen", version: settings.version, guarded: settings.token !== undefined }
    const queen = yield* makeQueen({
      url: term.url,
      pid: process.pid,
      name: `of ${hostname()}, ${term.url}`,
      boot: bootOf(),
      onDisk: onDiskOf(settings),
      entries: entriesIn(settings.home.config),
      discovered: discovered(settings),
      hiveLog: (hive, lines) => Effect.sync(() => lastLines(join(settings.home.logs, `hive-${hive}.log`), lines)),
      offers: hubOffers(process.env),
      writer: fileWriter(settings.home.config),
      isSuccessor: (yield* awaitedSuccessor(queenFolder(settings.home))) === settings.version,
      isWokenByCalls: socket !== undefined,
      document: () => openApi({ ...queenApi, ...pagesApi }, info)
    })
    const { self } = yield* Processes
    const write = yield* stateFile(queenFolder(settings.home), {
      ...self,
      port: term.port,
      url: term.url,
      role: "queen",
      id: queen.id,
      instance: queen.instance,
      version: settings.version,
      stays: settings.queen.idleMs === Number.POSITIVE_INFINITY
    })
    yield* noteSocket(settings)
    // whoever looks after her must know, should she die now, whether she was to stay
    yield* Effect.forkScoped(Effect.zipRight(queen.stayed, write({ stays: true })))
    yield* Effect.forkScoped(Effect.zipRight(queen.leaving, write({ stays: false })))
    yield* Deferred.succeed(ready, queen.api)
    yield* Effect.forkScoped(Effect.zipRight(daemon.mustEnd, queen.shutdown(false)))
    yield* Effect.forkScoped(Effect.flatMap(queen.handingOver, (successor) => write({ stays: false, successor })))
    // under systemd this is a failure, after which she is started again
    const handedOver = Effect.zipRight(queen.handedOver, exit(daemon.isService ? 1 : 0))
    yield* Effect.raceFirst(reign(queen, term), handedOver)
  }).pipe(Effect.provide(world))
}).pipe(Effect.scoped)

daemon.run(program)
