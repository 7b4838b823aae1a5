/** What is looked at around this machine: its ports and daemons, the hub, other machines. Only who runs is asked. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { connect } from "../../../actors/keeper/lifecycle.ts"
import { askAwake, sleepsAt } from "../../../layers/daemon/held-address.ts"
import { settled } from "../../../layers/daemon/launch.ts"
import { livingHives } from "../../../layers/daemon/state-file.ts"
import { reach } from "../../../layers/models/hugging-face/reach.ts"
import { hubSettings } from "../../../layers/models/hugging-face/settings.ts"
import { hiveFolder, queenFolder } from "../../../layers/paths/index.ts"
import { Processes } from "../../../layers/process/index.ts"
import { hivesKnownIn } from "../../../layers/queen-catalog/read.ts"
import type { Settings } from "../../../layers/settings/index.ts"
import { agentState, hostFacts, sshVersion } from "../../../layers/ssh/facts.ts"
import { type Finding, warn } from "../../../machines/doctor/finding.ts"
import { clockFinding, hubFinding } from "../../../machines/doctor/network.ts"
import { portFinding, type PortFacts } from "../../../machines/doctor/ports.ts"
import { hostFinding, sshFinding } from "../../../machines/doctor/ssh.ts"
import { hiveFinding, queenFinding } from "../../../machines/doctor/versions.ts"
import { RbeeError } from "../../../machines/errors.ts"
import { urlOf } from "../../../machines/vocabulary/address.ts"
import type { HiveView } from "../../../machines/vocabulary/hive.ts"
import { HiveId } from "../../../machines/vocabulary/ids.ts"
import type { OwnApi } from "../../../protocol/queen/own.ts"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** a machine that is off */
const lookMs = 15_000

type Port = Omit<PortFacts, "found"> & { readonly host: string; readonly folder: string }

const lookAt = ({ folder, host, ...port }: Port) =>
  Effect.gen(function* () {
    const url = urlOf(host, port.port)
    if (yield* sleepsAt(folder, url)) return portFinding({ ...port, found: { _tag: "Held" } })
    const seen = yield* settled(url)
    const tag = Option.match(seen, { onNone: () => "Silent" as const, onSome: ({ _tag }) => _tag })
    const found: PortFacts["found"] =
      Option.isSome(seen) && seen.value._tag === "Daemon"
        ? { _tag: "Daemon", role: seen.value.health.role, id: seen.value.health.id, pid: seen.value.health.pid }
        : tag === "Silent" || tag === "Stranger"
          ? { _tag: tag, owner: yield* (yield* Processes).portOwner(port.port) }
          : { _tag: "Nobody" }
    return portFinding({ ...port, found })
  })

export const ports = ({ hive, home, queen }: Settings) =>
  Effect.all(
    [
      lookAt({
        role: "queen",
        folder: queenFolder(home),
        host: queen.host,
        port: queen.port,
        variable: "RBEE_QUEEN_PORT",
        id: undefined
      }),
      lookAt({
        role: "hive",
        folder: hiveFolder(home, hive.id),
        host: hive.host,
        port: hive.port,
        variable: "RBEE_HIVE_PORT",
        id: hive.id
      })
    ],
    { concurrency: 2 }
  )

export const hub = Effect.promise(async (): Promise<ReadonlyArray<Finding>> => {
  const settings = hubSettings(process.env)
  const { endpoint, offline } = settings
  const asked = offline ? undefined : await reach(settings)
  const answered = asked instanceof RbeeError ? undefined : asked
  const finding = hubFinding({
    endpoint,
    isOffline: offline,
    hasToken: settings.token() !== undefined,
    status: answered?.status,
    trouble: asked instanceof RbeeError ? asked : undefined
  })
  if (answered?.date === undefined) return [finding]
  return [finding, clockFinding({ with: new URL(endpoint).host, aheadMs: answered.date - Date.now() })]
})

export const ssh = ({ home, queen }: Settings) =>
  Effect.gen(function* () {
    const known = yield* hivesKnownIn(join(queenFolder(home), "catalog.sqlite"))
    const remote = known.flatMap(({ id, ssh }) => (ssh === undefined ? [] : [{ id, ssh }]))
    const [version, agent] = yield* Effect.promise(() => Promise.all([sshVersion(), agentState()]))
    const hosts = yield* Effect.forEach(remote, ({ id, ssh }) => hostFacts(id, ssh, queen.sshConfig), {
      concurrency: 8
    })
    return [sshFinding({ version, agent, hives: remote.length }), ...hosts.map(hostFinding)]
  })

const awake: ReadonlySet<string> = new Set(["waking", "loading", "healthy", "degraded"])

/** Over SSH, by the queen, who changes nothing there and wakes no hive. */
const machineOf = (api: OwnApi, { id, state }: HiveView, ours: string) =>
  Effect.gen(function* () {
    const isAwake = awake.has(state)
    const common = { hive: id, isRemote: true, isAwake }
    const looked = yield* api.checkHive({ id }).pipe(
      Effect.timeoutFail({
        duration: lookMs,
        onTimeout: () =>
          new RbeeError({
            code: "SSH_UNREACHABLE",
            what: `no answer within ${lookMs / 1000} s`,
            todo: "Is the machine on?",
            details: {}
          })
      }),
      Effect.either
    )
    if (looked._tag === "Left")
      return [hiveFinding(ours, { ...common, running: undefined, installed: undefined, trouble: looked.left })]
    const { clock_ahead_ms, hive, installed } = looked.right
    return [
      hiveFinding(ours, { ...common, running: hive?.version, installed, trouble: undefined }),
      clockFinding({ with: `hive ${id}`, aheadMs: clock_ahead_ms })
    ]
  })

const isHiveId = Schema.is(HiveId)

/** Hives of this machine, by their state files. */
const hivesHere = ({ home, version }: Settings) =>
  Effect.map(livingHives(home.state), (hives) =>
    hives.flatMap(({ id, version: running }) =>
      isHiveId(id)
        ? [
            hiveFinding(version, {
              hive: id,
              isRemote: false,
              isAwake: true,
              running,
              installed: undefined,
              trouble: undefined
            })
          ]
        : []
    )
  )

/** Of another version, or one that is just ending, nothing is asked. */
const hivesElsewhere = (settings: Settings) =>
  Effect.gen(function* () {
    const api = yield* connect
    // nobody looks at a machine that sleeps
    const hives = (yield* api.listHives({})).filter(({ ssh, state }) => ssh !== undefined && state !== "asleep")
    return (yield* Effect.forEach(hives, (hive) => machineOf(api, hive, settings.version), { concurrency: 8 })).flat()
  }).pipe(
    Effect.catchAll(({ todo, what }) => Effect.succeed([warn("version", `the hives were not asked: ${what}`, todo)]))
  )

export const versions = (settings: Settings) =>
  Effect.gen(function* () {
    const seen = yield* askAwake(queenFolder(settings.home), urlOf(settings.queen.host, settings.queen.port))
    const queen = seen._tag === "Daemon" && seen.health.role === "queen" ? seen.health.version : undefined
    const here = yield* hivesHere(settings)
    const elsewhere = queen === settings.version ? yield* hivesElsewhere(settings) : []
    return [queenFinding(settings.version, queen), ...here, ...elsewhere]
  })
