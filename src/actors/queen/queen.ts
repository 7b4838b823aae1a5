/**
 * The queen (docs/design.md#who-supervises-whom): her parts, her tree, her interface.
 *
 *   queen (rest_for_one)
 *   ├ hives (one_for_one)   one actor a known hive; starts by re-reading the catalog
 *   ├ jobs (one_for_one)    one temporary actor a job; starts by re-reading the journal
 *   └ queen (significant)   her own life, and the shutdown protocol; its end ends the tree
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { HiveConnector } from "../../layers/hive-connector/index.ts"
import { HiveKeys } from "../../layers/keys/index.ts"
import { HiveLauncher } from "../../layers/hive-launcher/index.ts"
import { Ids } from "../../layers/ids/index.ts"
import type { QueenApi } from "../../protocol/queen/index.ts"
import { QueenCatalog } from "../../layers/queen-catalog/index.ts"
import { CurrentRemotes } from "../../layers/remote/index.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import { Turns } from "../../layers/turns/index.ts"
import { WorkerConnector } from "../../layers/worker-connector/index.ts"
import { RbeeError } from "../../machines/errors.ts"
import type { Named } from "../../machines/formats/model-name.ts"
import type { QueenEvent, queenMachine } from "../../machines/queen.ts"
import type { MachineActor } from "../core/machine/machine-actor.ts"
import { supervisor } from "../core/supervision/supervisor.ts"
import { ActorSystem } from "../core/system.ts"
import { ClusterView } from "./cluster/cluster-view.ts"
import { asQueen } from "./hives/hive-calls.ts"
import { type EventRing, makeEventRing } from "./log/event-ring.ts"
import { type Hives, makeHives } from "./hives/hives.ts"
import { JobLogs } from "./log/job-log.ts"
import { makeInvitations } from "./hives/invitations.ts"
import { queenInspect } from "./inspect/inspect.ts"
import { type Jobs, makeJobs } from "./jobs/jobs.ts"
import { Metrics } from "./metrics/metrics.ts"
import { endWhatARebootCut } from "./endings/reboot.ts"
import { makeScheduler } from "./placement/scheduler.ts"
import { queenApiOf } from "./server.ts"
import { queenActor } from "./endings/shutdown.ts"
import { openSessions } from "./sessions/stored-sessions.ts"
import { makeTeardown } from "./endings/teardown.ts"

/** Hives of other machines that are woken at once: each has an SSH connection and a program on it. */
const wakingsMax = 4

export interface QueenOptions {
  /** where hives reach her */
  readonly url: string
  readonly pid: number
  /** what others call her, where a hive is hers */
  readonly name?: string
  /** which start of her machine this is; absent: that is not known, and a restart of it goes unnoticed */
  readonly boot?: string | undefined
  /** what this machine's hive has on its disk, also while it sleeps; absent: that is asked of hives alone */
  readonly onDisk?: Effect.Effect<ReadonlyArray<Named>>
  /** the OpenAPI document of her interface */
  readonly document?: () => unknown
}

export interface Queen {
  readonly api: QueenApi
  readonly id: string
  readonly instance: string
  /** The whole protocol; returns at once. */
  readonly shutdown: (cascade: boolean) => Effect.Effect<void>
  /** Comes true when she has said goodbye and her tree has stopped; dies if her tree gave up. */
  readonly ended: Effect.Effect<void>
}

type Ports =
  | ActorSystem
  | CurrentSettings
  | HiveConnector
  | HiveKeys
  | HiveLauncher
  | Ids
  | JobLogs
  | Metrics
  | QueenCatalog
  | Scope.Scope
  | Turns
  | WorkerConnector

/** Where a part is looked up at each use: after a restart of its supervisor it is another one. */
const holder = <A>(name: string) => {
  let held: A | undefined
  return {
    set: (value: A) => {
      held = value
    },
    peek: (): A | undefined => held,
    get: (): A => {
      if (held === undefined) throw new Error(`the queen's ${name} are not up`)
      return held
    }
  }
}

export const makeQueen = (options: QueenOptions): Effect.Effect<Queen, RbeeError, Ports> =>
  Effect.gen(function* () {
    const settings = yield* CurrentSettings
    const catalog = yield* QueenCatalog
    const logs = yield* JobLogs
    const launcher = yield* HiveLauncher
    const hiveConnector = yield* HiveConnector
    const workerConnector = yield* WorkerConnector
    const ids = yield* Ids
    const keys = yield* HiveKeys
    const meters = yield* Metrics
    const system = yield* ActorSystem
    const instance = yield* ids.make("queen")
    const startedAt = yield* Clock.currentTimeMillis
    const clock = yield* Effect.clock
    // so many uses in a row, with every heartbeat of a hive in use among them, that not each is told
    const touchEvery = Math.min(1000, settings.queen.idleMs / 10)
    const events = yield* makeEventRing(catalog.identity.epoch)
    const ring: EventRing = {
      ...events,
      narrate: (line, ids) => {
        events.narrate(line, ids)
        // lines reach who watches, too
        if (system.watched()) system.publish({ type: "narration", path: "queen", line, job: undefined })
      }
    }
    const fork = yield* FiberSet.makeRuntime<never>()

    const { atEndOfTurn } = yield* Turns
    const endOfTurn = Effect.async<void>((resume) => atEndOfTurn(() => resume(Effect.void)))

    const view = new ClusterView(() => clock.unsafeCurrentTimeMillis())
    const scheduler = makeScheduler(view)
    const sessions = yield* openSessions
    view.onForgotten((id) => sessions.gone("worker", id))
    for (const { id, ssh } of yield* catalog.hives.all) view.addHive(id, ssh)
    yield* endWhatARebootCut(options.boot)

    const current = {
      hives: holder<Hives>("hives"),
      jobs: holder<Jobs>("jobs"),
      queen: holder<MachineActor<typeof queenMachine>>("own life")
    }
    // Parts know each other by these: each call goes to whoever lives then.
    const hives: Hives = {
      ensure: (...args) => Effect.suspend(() => current.hives.get().ensure(...args)),
      add: (...args) => Effect.suspend(() => current.hives.get().add(...args)),
      rowOf: (id) => current.hives.get().rowOf(id),
      placeOf: (...args) => Effect.suspend(() => current.hives.get().placeOf(...args)),
      remove: (...args) => Effect.suspend(() => current.hives.get().remove(...args)),
      suspect: (...args) => Effect.suspend(() => current.hives.get().suspect(...args)),
      left: (...args) => Effect.suspend(() => current.hives.get().left(...args)),
      beat: (...args) => Effect.suspend(() => current.hives.get().beat(...args)),
      stop: (...args) => Effect.suspend(() => current.hives.get().stop(...args)),
      release: (...args) => Effect.suspend(() => current.hives.get().release(...args)),
      canBeWoken: (id) => current.hives.get().canBeWoken(id),
      isReleased: (id) => current.hives.get().isReleased(id),
      awaited: () => current.hives.get().awaited()
    }
    const jobs: Jobs = {
      submit: (...args) => Effect.suspend(() => current.jobs.get().submit(...args)),
      get: (...args) => Effect.suspend(() => current.jobs.get().get(...args)),
      list: (...args) => current.jobs.get().list(...args),
      cancel: (...args) => Effect.suspend(() => current.jobs.get().cancel(...args)),
      running: () => current.jobs.get().running(),
      waiting: () => current.jobs.get().waiting(),
      live: () => current.jobs.get().live(),
      drain: (...args) => Effect.suspend(() => current.jobs.get().drain(...args))
    }
    // Before she is up and after her end there is nobody to tell.
    const tell = (event: QueenEvent) => Effect.suspend(() => current.queen.peek()?.ref.tell(event) ?? Effect.void)
    const shutdown = (cascade: boolean) => tell({ type: "SHUTDOWN", cascade })
    let isBusy = false
    let touchedAt = startedAt
    const touch = (): void => {
      const now = clock.unsafeCurrentTimeMillis()
      if (isBusy || now - touchedAt < touchEvery) return
      touchedAt = now
      fork(tell({ type: "IDLE" }))
    }

    const teardown = yield* makeTeardown({
      view,
      sessions,
      hives,
      live: () => jobs.live(),
      cascade: shutdown(true)
    })

    const hivesChild = Effect.map(
      makeHives(
        {
          view,
          catalog,
          launcher,
          keys,
          sessions,
          ring,
          connect: (url) => asQueen(hiveConnector.connect(url), catalog.identity),
          queen: { ...catalog.identity, name: options.name ?? "queen", url: options.url },
          version: settings.version,
          localHive: settings.hive.id,
          wakings: Effect.unsafeMakeSemaphore(wakingsMax),
          jobsOn: (id) =>
            (current.jobs.peek()?.live() ?? []).filter((log) => log.facts().placement?.hive === id).length,
          capabilitiesMs: settings.queen.capabilitiesMs,
          lateMs: settings.hive.lateMs,
          lostMs: settings.hive.lostMs
        },
        "queen/hives"
      ),
      ({ hives: made, fiber }) => {
        current.hives.set(made)
        return { fiber }
      }
    )
    const jobsChild = Effect.map(
      makeJobs(
        {
          view,
          hives,
          scheduler,
          sessions,
          meters,
          logs,
          ids,
          localHive: settings.hive.id,
          connectWorker: workerConnector.connect,
          portBase: settings.worker.portBase,
          stateChanged: ring.stateChanged,
          queueMax: settings.queen.queueMax,
          slots: settings.worker.slots,
          onBusy: (busy) => {
            isBusy = busy
            fork(tell({ type: busy ? "BUSY" : "IDLE" }))
          },
          onEnd: teardown.jobEnded
        },
        "queen/jobs"
      ),
      ({ jobs: made, fiber }) => {
        current.jobs.set(made)
        return { fiber }
      }
    )
    const tree = yield* supervisor({
      path: "queen/tree",
      strategy: "rest_for_one",
      intensity: 3,
      period: "30 seconds",
      autoShutdown: "any_significant",
      children: [
        { id: "hives", shutdown: "infinity", start: hivesChild },
        { id: "jobs", shutdown: "infinity", start: jobsChild },
        queenActor(
          {
            view,
            ring,
            hives,
            jobs,
            times: settings.shutdown,
            idleMs: settings.queen.idleMs,
            endOfTurn,
            onGoodbye: () => sessions.gone("queen", "queen")
          },
          "queen",
          (actor) => {
            current.queen.set(actor)
            if (isBusy) fork(actor.ref.tell({ type: "BUSY" }))
          }
        )
      ]
    }).pipe(Effect.catchTag("ChildStartFailed", (failure) => startFailed(failure.cause)))
    teardown.adopt(sessions.open())

    const api = queenApiOf({
      settings,
      identity: { id: catalog.identity.id, instance, pid: options.pid, startedAt },
      view,
      hives,
      remotes: yield* CurrentRemotes,
      invitations: yield* makeInvitations,
      jobs,
      logs,
      ring,
      sessions,
      teardown,
      meters,
      touch,
      shutdown,
      inspect: yield* queenInspect({ view, jobs }),
      onDisk: options.onDisk ?? Effect.succeed([]),
      document: options.document ?? (() => ({}))
    })
    return { api, id: catalog.identity.id, instance, shutdown, ended: Effect.orDie(Fiber.join(tree.fiber)) }
  })

/** A store that cannot be read is said as what it is; anything else is a bug. */
const startFailed = (cause: Cause.Cause<unknown>): Effect.Effect<never, RbeeError> => {
  const reason = Cause.squash(cause)
  return reason instanceof RbeeError ? Effect.fail(reason) : Effect.die(reason)
}
