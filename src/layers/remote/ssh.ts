/** Other machines over SSH: a connection for each call, closed with it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { rbeeError } from "../../machines/errors.ts"
import { CurrentSettings } from "../settings/index.ts"
import { type ConnectOptions, Ssh, type SshConnection } from "../ssh/index.ts"
import { ask } from "./ask.ts"
import { nodeFits } from "./check.ts"
import { CurrentRemotes, type Facts, type Remote } from "./index.ts"
import { packed } from "./pack.ts"
import { queenKey } from "./queen-key.ts"
import type { Look } from "./questions.ts"

/** an installation has about 300 MB while it is made */
const diskMb = 600

const discardMs = 3000

const enoughDisk = (remote: Remote, { disk_free_mb }: Look) =>
  disk_free_mb >= diskMb
    ? Effect.void
    : rbeeError(
        "DISK_FULL",
        `${remote.place.host} has ${disk_free_mb} MB of disk left, and rbee needs ${diskMb} MB`,
        "Make room there",
        { required_mb: diskMb, available_mb: disk_free_mb }
      )

export const layerSsh: Layer.Layer<CurrentRemotes, never, Ssh | CurrentSettings> = Layer.effect(
  CurrentRemotes,
  // long: the calls of one port over one book of connections, each of them short
  Effect.gen(function* () {
    const ssh = yield* Ssh
    const settings = yield* CurrentSettings
    const queen = queenKey(settings)
    const connected = (remote: Remote, options: ConnectOptions = {}) =>
      ssh.connect(remote.place, options).pipe(
        // three tries: a machine may just be waking up
        Effect.retry({
          while: (error) => error.code === "SSH_UNREACHABLE",
          schedule: Schedule.intersect(Schedule.recurs(2), Schedule.spaced("500 millis"))
        })
      )

    const lookAt = (connection: SshConnection, { id, place }: Remote) =>
      ask(connection, place, "look", { hive: id, queen })

    /** A place for an archive there; what lies in it is taken away with the scope, if the connection is still there. */
    const arriving = (connection: SshConnection, { place }: Remote, name: string) =>
      Effect.map(
        Effect.acquireRelease(ask(connection, place, "incoming", { name }), ({ path }) =>
          Effect.ignore(
            Effect.timeout(Effect.interruptible(ask(connection, place, "discard", { archive: path })), discardMs)
          )
        ),
        ({ path }) => path
      )

    return {
      check: (remote, options) =>
        Effect.scoped(
          Effect.gen(function* () {
            const connection = yield* connected(remote, options)
            const before = yield* Clock.currentTimeMillis
            const { clock, ...look } = yield* lookAt(connection, remote)
            const after = yield* Clock.currentTimeMillis
            yield* nodeFits(remote.id, { ...look, clock })
            const facts: Facts = {
              ...look,
              latencyMs: after - before,
              clockAheadMs: Math.round(clock - (before + after) / 2)
            }
            return facts
          })
        ),

      install: (remote, tell) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { host } = remote.place
            const connection = yield* connected(remote)
            const look = yield* lookAt(connection, remote)
            yield* nodeFits(remote.id, look)
            yield* enoughDisk(remote, look)
            tell(`packing rbee ${settings.version}`)
            const { digest, file, name } = yield* packed
            const version = settings.version
            const archive = yield* arriving(connection, remote, name)
            tell(`copying it to ${host}`)
            yield* connection.upload(file, archive).pipe(
              // SFTP has no word for a full disk
              Effect.tapError(() => Effect.flatMap(lookAt(connection, remote), (now) => enoughDisk(remote, now)))
            )
            const { inUse } = yield* ask(connection, remote.place, "install", { archive, version, digest }, tell)
            if (!inUse) yield* ask(connection, remote.place, "use", { version, digest })
            return { version, changed: !inUse }
          })
        ),

      uninstall: (remote) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { removed } = yield* ask(yield* connected(remote), remote.place, "uninstall", {})
            return removed
          })
        ),

      logs: (remote, lines) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { text } = yield* ask(yield* connected(remote), remote.place, "logs", { hive: remote.id, lines })
            return text
          })
        ),

      unlock: ssh.unlock
    }
  })
)
