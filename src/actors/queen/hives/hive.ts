/** One known hive as an actor of the queen: what each activity and command of its chart does. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { HiveConnector } from "../../../layers/hive-connector/index.ts"
import { HiveLauncher } from "../../../layers/hive-launcher/index.ts"
import type { Wake } from "../../../layers/power/index.ts"
import type { QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { type Claimed, type HiveCommand, hiveMachine } from "../../../machines/hive.ts"
import * as say from "../../../machines/narration.ts"
import { type MachineActor, machineActor } from "../../core/machine/machine-actor.ts"
import type { ActorSystem } from "../../core/system.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import type { OwnLife } from "../endings/own-life.ts"
import type { CurrentQueen } from "../identity.ts"
import { Events } from "../log/event-ring.ts"
import { LiveJobs } from "../log/live-jobs.ts"
import { SessionBook } from "../sessions/stored-sessions.ts"
import { isUp } from "./asleep/rousing.ts"
import { fallAsleep, suspend } from "./asleep/suspending.ts"
import { checkCapabilities } from "./capabilities.ts"
import { claimLasting } from "./claiming.ts"
import { findOrEnd, locate, silenceMs } from "./finding.ts"
import { hiveAt } from "./hive-calls.ts"
import type { KnownHive } from "./known-hive.ts"
import { stop } from "./stopping.ts"
import { wake, type Wakings } from "./waking.ts"

/** What a hive's actor needs of the queen and of the world. */
export type HivePorts =
  | ActorSystem
  | Cluster
  | CurrentQueen
  | CurrentSettings
  | Events
  | HiveConnector
  | HiveLauncher
  | LiveJobs
  | OwnLife
  | QueenCatalog
  | SessionBook
  | Wake
  | Wakings

export type HiveActor = MachineActor<typeof hiveMachine>

export const startHive = (hive: KnownHive, path: string): Effect.Effect<HiveActor, never, HivePorts | Scope.Scope> =>
  Effect.gen(function* () {
    const { lateMs, lostMs } = (yield* CurrentSettings).hive
    return yield* machineActor({
      path,
      machine: hiveMachine,
      input: { lateMs, lostMs, asleep: hive.row.power !== undefined && hive.row.sleep?.since !== undefined },
      perform: (command: HiveCommand): Effect.Effect<void, never, HivePorts> => {
        switch (command.type) {
          case "entered":
            return entered(hive, command.state)
          case "lost":
          case "gone":
            return left(hive, command.type)
        }
      },
      activities: {
        attach: () => attach(hive),
        wake: () => wake(hive),
        checkCapabilities: (claimed) => checkCapabilities(hive, claimed),
        watch: (ms) => watch(hive, ms),
        probe: (claimed) => probe(hive, claimed),
        recover: () => recover(hive),
        suspend: (claimed) => suspend(hive, claimed),
        stop: (claimed) => stop(hive, claimed)
      }
    })
  })

/** One that can be woken and is not there sleeps: nobody goes on looking. */
const isAway = ({ target }: KnownHive) =>
  Effect.flatMap(HiveLauncher, (launcher) => Effect.map(launcher.reachable(target), (isThere) => !isThere))

const found = (hive: KnownHive) =>
  Effect.flatMap(locate(hive), (url) => (url === undefined ? Effect.succeed(undefined) : claimLasting(hive, url)))

const attach = (hive: KnownHive) =>
  hive.row.power === undefined
    ? found(hive)
    : Effect.gen(function* () {
        if (yield* isAway(hive)) return "asleep" as const
        const claimed = yield* found(hive)
        if (claimed !== undefined) yield* isUp(hive, undefined)
        return claimed
      })

const recover = (hive: KnownHive) =>
  Effect.gen(function* () {
    if (hive.row.power !== undefined && (yield* isAway(hive))) return { wakeAgain: false, sleeps: true }
    const url = yield* findOrEnd(hive)
    return { wakeAgain: hive.wasUsed && hive.isWakeable, answers: url !== undefined }
  })

const entered = (hive: KnownHive, state: Extract<HiveCommand, { readonly type: "entered" }>["state"]) =>
  Effect.gen(function* () {
    const { entry } = hive
    const { id } = entry
    yield* Effect.logInfo(`hive ${id} is ${state}`)
    const before = entry.enter(state)
    if (before !== state) (yield* Events).stateChanged("hive", id, before, state)
    // It does not run: what is woken next is another one.
    if (state === "cold" || state === "asleep") (yield* SessionBook).gone("hive", id)
    if (state === "asleep") yield* fallAsleep(hive)
    ;(yield* Cluster).hiveChanged(id)
  })

/** It is gone, or out of reach: its workers leave the view, its jobs fail over. */
const left = (hive: KnownHive, how: "lost" | "gone") =>
  Effect.gen(function* () {
    const { entry, waiters } = hive
    const { id } = entry
    if (how === "lost") yield* Effect.logWarning(`hive ${id} is lost`)
    const view = yield* Cluster
    const hadWorkers = view.countOn(id) > 0
    const jobs = (yield* LiveJobs).on(id)
    view.dropWorkers(id)
    hive.wasUsed = hadWorkers || jobs > 0 || waiters.size > 0
    entry.lose()
    if (how === "lost" && hive.wasUsed) (yield* Events).narrate(say.hiveLost(id, jobs), { hiveId: id })
  })

/** Comes true when its last beat is `lateMs` old. */
const watch = (hive: KnownHive, lateMs: number): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const rest = (hive.entry.beatAt ?? now) + lateMs - now
    return rest <= 0 ? Effect.void : Effect.zipRight(Effect.sleep(rest), watch(hive, lateMs))
  })

const probe = ({ row: { id } }: KnownHive, claimed: Claimed | undefined) =>
  Effect.gen(function* () {
    const gone: RbeeError = rbeeError("CONNECTION_TIMEOUT", `hive ${id} does not answer`)
    if (claimed === undefined) return yield* gone
    const api = yield* hiveAt(claimed.url)
    const health = yield* api.health({}).pipe(Effect.timeoutFail({ duration: silenceMs, onTimeout: () => gone }))
    if (health.instance !== claimed.instance) return yield* gone
  })
