/** SSH by the library ssh2, which is loaded with the first connection: most queens never make one. */
import { connect as connectTcp, Socket } from "node:net"
import type { Duplex } from "node:stream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { none as noFiber } from "effect/FiberId"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import type { Client, ConnectConfig } from "ssh2"
import { rbeeError } from "../../machines/errors.ts"
import type { SshPlace } from "../../machines/vocabulary/place.ts"
import { CurrentSettings } from "../settings/index.ts"
import { hostKeysOf } from "./host-keys.ts"
import { authFailed, identitiesOf, isLocked } from "./identities.ts"
import { type ConnectOptions, Ssh, type SshConnection, type SshError } from "./index.ts"
import { type Resolved, resolve } from "./resolve.ts"
import { connectionOf } from "./ssh2-connection.ts"

/** a host that swallows packets */
const tcpMs = 5000
/** from the first byte to an authenticated connection */
const handshakeMs = 15_000
/** the other side is asked every second; so many questions without an answer are the end */
const keepalive = { keepaliveInterval: 1000, keepaliveCountMax: 15 }

const library = Effect.promise(async () => {
  const { Client, utils } = (await import("ssh2")).default
  return { Client, parseKey: utils.parseKey }
})

const isNameless = /^(ENOTFOUND|EAI_AGAIN)/

const unreachable = (at: Resolved, why: string): SshError =>
  rbeeError(
    "SSH_UNREACHABLE",
    `no SSH connection to ${at.host}:${at.port}: ${why}`,
    isNameless.test(why)
      ? "No machine has this name: check it, or say its address with --host"
      : "Is the machine on and its sshd running?",
    {
      host: at.host,
      port: at.port
    }
  )

const tcp = (at: Resolved): Effect.Effect<Socket, SshError> =>
  Effect.async((resume) => {
    const socket = connectTcp({ host: at.host, port: at.port, noDelay: true })
    const fail = (why: string) => {
      socket.destroy()
      resume(unreachable(at, why))
    }
    const timer = setTimeout(() => fail(`no answer within ${tcpMs / 1000} s`), tcpMs)
    socket.once("connect", () => {
      clearTimeout(timer)
      // from here on its errors are the client's
      socket.removeAllListeners("error").on("error", () => {})
      resume(Effect.succeed(socket))
    })
    socket.once("error", (error) => {
      clearTimeout(timer)
      fail("code" in error ? String(error.code) : error.message)
    })
    return Effect.sync(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  })

/** An address of IPv4 in the clothes of IPv6 is taken out of them. */
const plain = (address: string): string => address.replace(/^::ffff:(?=[0-9.]+$)/i, "")

const endsOf = (stream: Duplex): SshConnection["ends"] =>
  stream instanceof Socket && stream.localAddress !== undefined && stream.remoteAddress !== undefined
    ? { local: plain(stream.localAddress), remote: plain(stream.remoteAddress) }
    : undefined

/** ssh2 tells the stage at which it failed. */
const stageOf = (error: Error): string => ("level" in error ? String(error.level) : "")

export const layerSsh2: Layer.Layer<Ssh, never, CurrentSettings> = Layer.effect(
  Ssh,
  // long: one library behind one port: what a connection takes, step by step
  Effect.gen(function* () {
    const { queen } = yield* CurrentSettings
    const passphrases = new Map<string, string>()

    const handshake = (
      client: Client,
      config: ConnectConfig,
      explain: (error: Error) => SshError
    ): Effect.Effect<void, SshError> =>
      Effect.async((resume) => {
        client.once("ready", () => resume(Effect.void))
        client.once("error", (error) => resume(explain(error)))
        client.once("close", () => resume(explain(new Error("the other side hung up"))))
        try {
          client.connect(config)
        } catch (error) {
          resume(explain(error instanceof Error ? error : new Error(String(error))))
        }
      })

    const connectTo = (
      at: Resolved,
      place: SshPlace,
      options: ConnectOptions,
      sock: Duplex
    ): Effect.Effect<SshConnection, SshError, Scope> =>
      Effect.gen(function* () {
        const { Client, parseKey } = yield* library
        const keys = yield* hostKeysOf(at, place.host, options.acceptNewHostKey ?? false)
        const { locked, methods } = yield* identitiesOf(at, parseKey, passphrases)
        let refused: SshError | undefined
        const client = yield* Effect.acquireRelease(
          Effect.sync(() => new Client()),
          (open) => Effect.sync(() => void open.end().destroy())
        )
        const closed = Deferred.unsafeMake<void>(noFiber)
        client.on("close", () => Deferred.unsafeDone(closed, Effect.void))
        // once it is open an error is followed by its close
        client.on("error", () => {})
        const types = keys.types.flatMap((type) =>
          type === "ssh-rsa" ? (["rsa-sha2-512", "rsa-sha2-256"] as const) : [type as "ssh-ed25519"]
        )
        const config: ConnectConfig = {
          sock,
          username: at.user,
          authHandler: methods,
          readyTimeout: handshakeMs,
          ...keepalive,
          hostVerifier: (key: Buffer) => {
            refused = keys.refuse(key)
            return refused === undefined
          },
          algorithms: {
            ...(types.length === 0 ? {} : { serverHostKey: { prepend: types, append: [], remove: [] } }),
            // one pass for cipher and integrity: half the work of a separate MAC
            cipher: { prepend: ["aes128-gcm@openssh.com"], append: [], remove: [] }
          }
        }
        yield* handshake(client, config, (error) => {
          if (refused !== undefined) return refused
          if (stageOf(error) === "client-authentication") return authFailed(at, place.host, locked)
          const why = /no matching/i.test(error.message)
            ? `${error.message} (post-quantum key exchange alone is not supported)`
            : error.message
          return unreachable(at, why)
        })
        let heardAt = performance.now()
        sock.on("data", () => {
          heardAt = performance.now()
        })
        return connectionOf(client, place.host, {
          silentMs: () => performance.now() - heardAt,
          closed: Deferred.await(closed),
          ends: endsOf(sock)
        })
      })

    /** Through the hosts on the way, each with its own keys and known hosts. */
    const connect = (place: SshPlace, options: ConnectOptions = {}): Effect.Effect<SshConnection, SshError, Scope> =>
      Effect.gen(function* () {
        const at = yield* resolve(place, queen.sshConfig)
        let way: SshConnection | undefined
        for (const jump of at.jumps) {
          const [, user, host, port] = /^(?:ssh:\/\/)?(?:([^@]+)@)?(.+?)(?::(\d+))?$/.exec(jump) ?? []
          const hop: SshPlace = {
            host: host ?? jump,
            hive_port: place.hive_port,
            ...(user === undefined ? {} : { user }),
            ...(port === undefined ? {} : { port: Number(port) })
          }
          const over = yield* resolve(hop, queen.sshConfig)
          way = yield* connectTo(over, hop, options, yield* socketTo(over, way))
        }
        return yield* connectTo(at, place, options, yield* socketTo(at, way))
      })

    const socketTo = (at: Resolved, way: SshConnection | undefined): Effect.Effect<Duplex, SshError, Scope> =>
      Effect.acquireRelease(way === undefined ? tcp(at) : way.open(at.port, at.host), (socket) =>
        Effect.sync(() => void socket.destroy())
      )

    return {
      connect,
      unlock: (file, passphrase) =>
        Effect.gen(function* () {
          const { parseKey } = yield* library
          passphrases.set(file, passphrase)
          const { readFileSync } = yield* Effect.promise(() => import("node:fs"))
          const opens = yield* Effect.try(() => !isLocked(parseKey(readFileSync(file), passphrase))).pipe(
            Effect.orElseSucceed(() => false)
          )
          if (!opens) passphrases.delete(file)
          return opens
        })
    }
  })
)
