/** The calls about hives of other machines: adding one, looking at its machine, installing, logs. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../../../protocol/endpoint.ts"
import { frame } from "../../../../protocol/sse.ts"
import type { QueenApi } from "../../../../protocol/queen/index.ts"
import { CurrentRemotes, type Facts, type Remote, type Remotes } from "../../../../layers/remote/index.ts"
import { CurrentSettings } from "../../../../layers/settings/index.ts"
import { type RbeeError, rbeeError, sentence } from "../../../../machines/errors.ts"
import * as say from "../../../../machines/narration.ts"
import { isLoopback } from "../../../../machines/vocabulary/address.ts"
import type { HiveView, MachineView } from "../../../../machines/vocabulary/hive.ts"
import { CurrentQueen } from "../../identity.ts"
import { Hives } from "../hives.ts"
import { notInvited } from "../known-hive.ts"
import type { HiveId } from "../../../../machines/vocabulary/ids.ts"

const defaultLines = 100

const machineView = (facts: Facts): MachineView => {
  const { arch, clockAheadMs, cores, disk_free_mb, gpu_tools, latencyMs, node, platform, ram_free_mb, ram_mb } = facts
  return {
    platform,
    arch,
    node,
    cores,
    ram_mb,
    ram_free_mb,
    disk_free_mb,
    gpu_tools,
    latency_ms: latencyMs,
    clock_ahead_ms: clockAheadMs,
    ...(facts.installed === undefined ? {} : { installed: facts.installed }),
    ...(facts.hive === undefined ? {} : { hive: { pid: facts.hive.pid, version: facts.hive.version } })
  }
}

/** It would be shown the cluster's own token there, in clear. */
const isElsewhere = (url: string): boolean =>
  !isLoopback(/^https?:\/\//.test(url) && URL.canParse(url) ? new URL(url).hostname : "localhost")

const remoteOf = (id: HiveId): Effect.Effect<Remote, RbeeError<"HIVE_NOT_FOUND" | "INVALID_REQUEST">, Hives> =>
  Effect.gen(function* () {
    const place = yield* (yield* Hives).placeOf(id)
    if (place !== undefined) return { id, place }
    return yield* rbeeError(
      "INVALID_REQUEST",
      `hive ${id} is on this machine`,
      "This is for hives that were added over SSH"
    )
  })

const notElsewhere = rbeeError(
  "INVALID_REQUEST",
  "this machine cannot be woken by its own queen",
  "Say how a machine is woken that ssh reaches",
  { field: "power" }
)

/** Runs while its reader is there; one who leaves interrupts it. */
const installation =
  (remotes: Remotes, remote: Remote): EventFeed =>
  (sink) =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const tell = (step: string) =>
        sink.write(
          frame({
            event: "narration",
            data: { ...say.hiveInstall(remote.id, step), hiveId: remote.id, at: clock.unsafeCurrentTimeMillis() }
          })
        )
      const outcome = yield* Effect.either(remotes.install(remote, tell))
      if (outcome._tag === "Right") sink.write(frame({ event: "done", data: outcome.right }))
      else {
        const { code, details } = outcome.left
        sink.write(frame({ event: "error", data: { code, message: sentence(outcome.left), details } }))
      }
    })

type Calls = Pick<QueenApi, "addHive" | "checkHive" | "installHive" | "uninstallHive" | "hiveLogs" | "unlockKey">

/** `viewOf` shows a hive as it is. */
export const remoteHives = (viewOf: (id: HiveId) => Effect.Effect<HiveView, RbeeError<"HIVE_NOT_FOUND">>) =>
  Effect.gen(function* () {
    const hives = yield* Hives
    const remotes = yield* CurrentRemotes
    const { hiveLog } = yield* CurrentQueen
    const localHive = (yield* CurrentSettings).hive.id
    const remote = (id: HiveId) => Effect.provideService(remoteOf(id), Hives, hives)
    return {
      addHive: ({ accept_new_host_key = false, host_key, id, power, ssh, url }) =>
        Effect.gen(function* () {
          const isOwn = id === localHive && (url === undefined || !isElsewhere(url))
          if (ssh === undefined && !isOwn) return yield* notInvited(id)
          // nothing is stored of a machine that cannot be used
          if (ssh !== undefined)
            yield* remotes.check({ id, place: ssh }, { acceptNewHostKey: host_key ?? accept_new_host_key })
          if (ssh === undefined && power !== undefined) return yield* notElsewhere
          yield* hives.add(id, {
            ...(url === undefined ? {} : { url }),
            ...(ssh === undefined ? {} : { ssh }),
            ...(power === undefined ? {} : { power })
          })
          return yield* viewOf(id)
        }),
      checkHive: ({ id }) =>
        Effect.gen(function* () {
          return machineView(yield* remotes.check(yield* remote(id), { acceptNewHostKey: false }))
        }),
      installHive: ({ id }) => Effect.map(remote(id), (found) => installation(remotes, found)),
      uninstallHive: ({ id }) => Effect.map(Effect.flatMap(remote(id), remotes.uninstall), (removed) => ({ removed })),
      hiveLogs: ({ id, lines = defaultLines }) => {
        const count = Math.max(0, Math.floor(lines))
        return id === localHive ? hiveLog(id, count) : Effect.flatMap(remote(id), (found) => remotes.logs(found, count))
      },
      unlockKey: ({ file, passphrase }) => Effect.map(remotes.unlock(file, passphrase), (opens) => ({ opens }))
    } satisfies Calls
  })
