/**
 * TLS before a server of HTTP, on one port: what begins as a handshake of TLS is one; what does not is answered where it
 * comes from this machine itself, whose daemons and commands speak without, and is told so elsewhere. The first byte tells: that of
 * a handshake is no letter.
 */
import { readFileSync, unwatchFile, watchFile } from "node:fs"
import { createServer, type Server as NetServer, type Socket } from "node:net"
import { createServer as createTls } from "node:tls"
import type { Server } from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { isLoopback } from "../../../machines/vocabulary/address.ts"

/** PEM files: the certificate with its chain, and its private key. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/** the first byte of a record that is a handshake (RFC 8446, 5.1) */
const handshake = 0x16
/** who connects has this time to say something */
const silentMs = 65_000
/** Certificates of three months are replaced while a queen runs: their files are looked at every so often, milliseconds. */
const renewalMs = 60_000

const plainRefused = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: application/json",
  "Connection: close",
  "",
  JSON.stringify({ error: { code: "INVALID_REQUEST", message: "This port speaks TLS. Use https://." } })
].join("\r\n")

const isHere = ({ remoteAddress = "" }: Socket): boolean => isLoopback(remoteAddress.replace(/^::ffff:/, ""))

const read = ({ cert, key }: TlsFiles) => ({ cert: readFileSync(cert), key: readFileSync(key) })

const unusable = ({ cert, key }: TlsFiles, reason: unknown): RbeeError<"INVALID_REQUEST"> =>
  rbeeError(
    "INVALID_REQUEST",
    `${cert} and ${key} cannot be used for TLS (${reason instanceof Error && "code" in reason ? String(reason.code) : String(reason)})`,
    "Name PEM files of a certificate and its private key that this user may read: `cert` and `key` under [queen.tls]"
  )

/** What listens in `server`'s place. */
export const tlsFront = (
  server: Server,
  files: TlsFiles,
  lookEveryMs = renewalMs
): Effect.Effect<NetServer, RbeeError<"INVALID_REQUEST">, Scope.Scope> =>
  Effect.gen(function* () {
    const secure = yield* Effect.try({
      try: () => createTls({ ...read(files), minVersion: "TLSv1.2", ALPNProtocols: ["http/1.1"] }),
      catch: (reason) => unusable(files, reason)
    })
    secure.on("secureConnection", (socket) => void server.emit("connection", socket))
    secure.on("tlsClientError", (_, socket) => socket.destroy())
    const renew = (): void => {
      try {
        secure.setSecureContext({ ...read(files), minVersion: "TLSv1.2" })
      } catch {
        // half of a pair is there, the other half comes: the one of before goes on, and it is looked again
      }
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        for (const file of [files.cert, files.key]) watchFile(file, { interval: lookEveryMs, persistent: false }, renew)
      }),
      () =>
        Effect.sync(() => {
          for (const file of [files.cert, files.key]) unwatchFile(file, renew)
        })
    )
    /** those that have said nothing yet: the others are the server's to close */
    const silent = new Set<Socket>()
    const front = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => {
      silent.add(socket)
      socket.on("close", () => silent.delete(socket)).on("error", () => socket.destroy())
      socket.setTimeout(silentMs, () => socket.destroy())
      socket.once("data", (first) => {
        silent.delete(socket)
        socket.pause().removeAllListeners("timeout").setTimeout(0)
        socket.unshift(first)
        if (first[0] === handshake) secure.emit("connection", socket)
        else if (isHere(socket)) server.emit("connection", socket)
        else return void socket.end(plainRefused)
        process.nextTick(() => socket.resume())
      })
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        front.close()
        for (const socket of silent) socket.destroy()
      })
    )
    return front
  })
