/**
 * Hives of other machines: woken over SSH, detached from it, with state file and log there; reached through the
 * machine's tunnel, which is held for as long as the hive lives, or over the network with a token of their own. How one
 * that runs is reached is seen by where it listens.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { farUrl, type SshPlace } from "../../machines/vocabulary/place.ts"
import { makeHttpClient } from "../transport/http/client/client.ts"
import { hiveApi } from "../../protocol/hive.ts"
import { freshSecret, type HiveKeyring, HiveKeys } from "../keys/index.ts"
import { hostInUrl, isLoopback } from "../../machines/vocabulary/address.ts"
import { ask } from "../remote/ask.ts"
import { usable } from "../remote/check.ts"
import { queenKey } from "../remote/queen-key.ts"
import { DirectListener } from "../remote/direct-listener.ts"
import type { HiveFile, Look } from "../remote/questions.ts"
import type { Tunnel } from "../remote/tunnel.ts"
import { Tunnels } from "../remote/tunnels.ts"
import type { Ends } from "../ssh/index.ts"
import { listens } from "../ssh/listens.ts"
import { CurrentSettings, type Settings } from "../settings/index.ts"
import { defaults } from "../settings/defaults.ts"
import { HiveLauncher, type HiveTarget, wokenMark } from "./index.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

/** /health answers in under 500 ms while everything else is busy; the way there may be long */
const healthMs = 3000
/** what a hive that does not answer may take to obey SIGTERM */
const graceMs = 1000

type Remote = HiveTarget & { readonly ssh: SshPlace }

const listensAt = ({ url }: HiveFile): { readonly address: string; readonly port: number } => {
  const [, address = "127.0.0.1", port = "0"] = /^http:\/\/(.+):(\d+)$/.exec(url) ?? []
  return { address, port: Number(port) }
}

/**
 * Where such a hive will listen; undefined: on its loopback, also where there is no network between. Only where its
 * operator asked for it, and only at the address that SSH itself reaches: what the machine says of itself is no proof.
 */
const networkAddress = ({ id, ssh }: Remote, look: Look, ends: Ends | undefined) => {
  if (ssh.direct !== true) return Effect.succeed(undefined)
  if (ends === undefined) return notDirect(`hive ${id} is reached through another host, and HTTP would not go that way`)
  if (isLoopback(ends.remote)) return Effect.succeed(undefined)
  if (look.ends?.hive === ends.remote) return Effect.succeed(ends.remote)
  return notDirect(`ssh reaches hive ${id} at ${ends.remote}, which its machine does not know as its own address`)
}

const notDirect = (what: string) => rbeeError("INVALID_REQUEST", what, "Add the hive without --direct")

/** It was started as earlier versions did, or by another hand. */
const wrongSecret = (id: HiveId) =>
  rbeeError(
    "CONFLICT",
    `hive ${id} has no secret of its own, or the cluster's token in its place`,
    `Stop it there; \`rbee hives start ${id}\` starts it with a secret of its own`
  )

const wrongAddress = (id: HiveId, address: string, ssh: SshPlace) =>
  rbeeError(
    "CONFLICT",
    ssh.direct === true
      ? `hive ${id} says that it listens at ${address}, and ssh reaches another address`
      : `hive ${id} listens at ${address}, where HTTP is not encrypted, and was added without --direct`,
    "Nothing was sent there. Stop it there; this queen starts it where it is reached"
  )

/** What this queen was told differently from the defaults, her hives are told too; the rest is their machine's. */
const environmentFor = (settings: Settings, { ssh }: Remote, address = "127.0.0.1"): Record<string, string> => {
  const env: Record<string, string> = {
    [wokenMark]: "1",
    RBEE_HIVE_HOST: address,
    RBEE_HIVE_PORT: String(ssh.hive_port),
    // above the hive's own port, where that is not the usual one
    RBEE_WORKER_PORT_BASE: String(ssh.hive_port + 1)
  }
  const { heartbeatMs, idleColdMs, idleMs, lateMs, lostMs } = settings.hive
  for (const [name, value, usual] of [
    ["RBEE_HIVE_HEARTBEAT_MS", heartbeatMs, defaults.hive.heartbeatMs],
    ["RBEE_HIVE_LATE_MS", lateMs, defaults.hive.lateMs],
    ["RBEE_HIVE_LOST_MS", lostMs, defaults.hive.lostMs],
    ["RBEE_HIVE_IDLE_MS", idleMs, defaults.hive.idleMs],
    ["RBEE_HIVE_IDLE_COLD_MS", idleColdMs, defaults.hive.idleColdMs]
  ] as const)
    if (value !== usual) env[name] = Number.isFinite(value) ? String(value) : "never"
  return env
}

// long: the calls of one port over one book of machines, each of them short
const make = (tunnels: Tunnels["Type"], listener: DirectListener["Type"], keys: HiveKeyring, settings: Settings) => {
  const tunnelOf = (target: Remote) => tunnels.of(target.id, target.ssh)
  const looked = (target: Remote, tunnel: Tunnel) =>
    Effect.flatMap(tunnel.connection, (connection) =>
      ask(connection, target.ssh, "look", { hive: target.id, queen: queenKey(settings) })
    )

  const answers = (target: Remote, url: string): Effect.Effect<boolean> =>
    makeHttpClient(hiveApi, { baseUrl: url, way: tunnels.way(url), timeoutMs: healthMs })
      .health({})
      .pipe(Effect.option, Effect.map(Option.exists(({ role, id }) => role === "hive" && id === target.id)))

  /** Where the queen is that it reports to: at an address of hers, or, where none leads back (NAT), behind the tunnel. */
  const wayBack = ({ id }: Remote, tunnel: Tunnel, { ends, socket }: Look) =>
    Effect.flatMap(tunnel.connection, ({ ends: own }) =>
      own === undefined || ends?.queen !== own.local
        ? rbeeError("INVALID_REQUEST", "its machine sees this one at another address than this one has")
        : listener.open(own.local)
    ).pipe(
      Effect.catchAll((error) =>
        Effect.gen(function* () {
          yield* Effect.logInfo(`hive ${id} reports through the tunnel: ${error.message}`)
          yield* tunnel.lead(socket)
          return undefined
        })
      )
    )

  /** Holds the tunnel meanwhile. Where nothing needs it any more it is let go. */
  const over = <A, E>(target: Remote, use: (tunnel: Tunnel) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.flatMap(tunnelOf(target), (tunnel) =>
      Effect.zipRight(tunnel.hold, use(tunnel)).pipe(
        // one that its hive reports through is made again until the machine is back
        Effect.onError(() => (target.ssh.direct === true ? tunnel.release : Effect.void))
      )
    )
  const letGo = (tunnel: Tunnel) => (tunnel.queenUrl === undefined ? Effect.void : tunnel.release)

  /** A hive that lives there, as it is reached from here. */
  const adopt = (target: Remote, tunnel: Tunnel, file: HiveFile, look: Look) =>
    Effect.gen(function* () {
      const { id, ssh } = target
      const { address, port } = listensAt(file)
      if (file.token === undefined || file.token === settings.token) return yield* wrongSecret(id)
      if (isLoopback(address)) {
        keys.setToHive(id, file.token)
        tunnel.queenUrl = undefined
        yield* tunnel.lead(look.socket)
        return farUrl({ hive: id, port })
      }
      const { ends } = yield* tunnel.connection
      if (ssh.direct !== true || ends === undefined || address !== hostInUrl(ends.remote))
        return yield* wrongAddress(id, address, ssh)
      keys.setToHive(id, file.token)
      tunnel.queenUrl = yield* wayBack(target, tunnel, look)
      return farUrl({ hive: id, address, port })
    })

  const end = (target: Remote, tunnel: Tunnel) =>
    Effect.flatMap(tunnel.connection, (connection) =>
      ask(connection, target.ssh, "end", { hive: target.id, graceMs })
    ).pipe(Effect.zipRight(tunnel.release))

  return {
    target: (id: HiveId, ssh: SshPlace): Remote => ({
      id,
      ssh,
      at: `${ssh.host}:${ssh.hive_port}`,
      port: ssh.hive_port
    }),

    find: (target: Remote): Effect.Effect<string | undefined> =>
      over(target, (tunnel) =>
        Effect.gen(function* () {
          const look = yield* looked(target, tunnel)
          const { hive } = look
          if (hive === undefined) {
            yield* tunnel.release
            return undefined
          }
          const url = yield* adopt(target, tunnel, hive, look)
          yield* letGo(tunnel)
          return (yield* answers(target, url)) ? url : undefined
        })
      ).pipe(Effect.catchAll((error) => Effect.as(Effect.logInfo(`hive ${target.id}: ${error.message}`), undefined))),

    present: (target: Remote): Effect.Effect<boolean, RbeeError> =>
      over(target, (tunnel) =>
        Effect.gen(function* () {
          const { hive } = yield* looked(target, tunnel)
          if (hive === undefined) yield* tunnel.release
          return hive !== undefined
        })
      ),

    wake: (target: Remote): Effect.Effect<{ readonly url: string; readonly woken: boolean }, RbeeError> =>
      over(target, (tunnel) =>
        Effect.gen(function* () {
          const look = yield* looked(target, tunnel)
          yield* usable(target.id, look, settings.version)
          const woken = look.hive === undefined
          const connection = yield* tunnel.connection
          const address = look.hive === undefined ? yield* networkAddress(target, look, connection.ends) : undefined
          const file =
            look.hive ??
            (yield* ask(connection, target.ssh, "start", {
              hive: target.id,
              env: environmentFor(settings, target, address),
              token: freshSecret()
            }))
          const url = yield* adopt(target, tunnel, file, look)
          if (yield* answers(target, url)) {
            yield* letGo(tunnel)
            return { url, woken }
          }
          // out of reach it would only hold its port
          if (woken && address !== undefined) yield* Effect.ignore(end(target, tunnel))
          const at = listensAt(file).address
          return yield* isLoopback(at)
            ? rbeeError(
                "CONNECTION_TIMEOUT",
                `hive ${target.id} runs on ${target.ssh.host} (pid ${file.pid}) and does not answer`,
                `rbee hives logs ${target.id}`
              )
            : rbeeError(
                "CONNECTION_TIMEOUT",
                `hive ${target.id} ${woken ? "was started" : `runs (pid ${file.pid})`}, and nothing answers at ${at}:${target.ssh.hive_port}`,
                `Let this machine through to that port and those above it, or add the hive without --direct`
              )
        })
      ),

    kill: (target: Remote): Effect.Effect<void, RbeeError> => over(target, (tunnel) => end(target, tunnel)),

    reachable: ({ ssh }: Remote): Effect.Effect<boolean> => listens(ssh, settings.queen.sshConfig),

    letGo: (target: Remote): Effect.Effect<void> => Effect.flatMap(tunnelOf(target), (tunnel) => tunnel.release)
  }
}

/** Hives of this machine by `local`, those of others over SSH: who wakes them sees no difference. */
export const layerSsh = <E, R>(
  local: Layer.Layer<HiveLauncher, E, R>
): Layer.Layer<HiveLauncher, E, R | HiveKeys | Tunnels | DirectListener | CurrentSettings> =>
  Layer.effect(
    HiveLauncher,
    Effect.gen(function* () {
      const here = yield* HiveLauncher
      const there = make(yield* Tunnels, yield* DirectListener, yield* HiveKeys, yield* CurrentSettings)
      const by = <A, F>(
        target: HiveTarget,
        local: (target: HiveTarget) => Effect.Effect<A, F>,
        remote: (target: Remote) => Effect.Effect<A, F>
      ) => (target.ssh === undefined ? local(target) : remote({ ...target, ssh: target.ssh }))
      return {
        target: (id, ssh) => (ssh === undefined ? here.target(id) : there.target(id, ssh)),
        find: (target) => by(target, here.find, there.find),
        present: (target) => by(target, here.present, there.present),
        wake: (target) => by(target, here.wake, there.wake),
        kill: (target) => by(target, here.kill, there.kill),
        reachable: (target) => by(target, here.reachable, there.reachable),
        letGo: (target) => by(target, here.letGo, there.letGo)
      }
    })
  ).pipe(Layer.provide(local))
