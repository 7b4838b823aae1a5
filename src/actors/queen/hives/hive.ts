/** One known hive as an actor of the queen: what each activity of its chart does. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { none as noFiber } from "effect/FiberId"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { ofOneProcess } from "../../../protocol/endpoint.ts"
import type { HiveApi } from "../../../protocol/hive.ts"
import type { HiveKeyring } from "../../../layers/keys/index.ts"
import type { HiveLauncher } from "../../../layers/hive-launcher/index.ts"
import type { CapabilitiesRow, HiveRow, QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { type Claimed, type HiveCommand, hiveMachine } from "../../../machines/hive.ts"
import * as say from "../../../machines/narration.ts"
import { mismatchOfRunning } from "../../../machines/policy/version.ts"
import { describeDevices } from "../../../machines/vocabulary/device.ts"
import type { SessionRequest } from "../../../machines/vocabulary/job.ts"
import type { ChildSpec } from "../../core/supervision/child.ts"
import { type MachineActor, machineActor } from "../../core/machine/machine-actor.ts"
import type { ActorSystem } from "../../core/system.ts"
import { type ClusterView } from "../cluster/cluster-view.ts"
import { hasOthers } from "../cluster/entries.ts"
import type { EventRing } from "../log/event-ring.ts"
import { untilGone } from "./hive-calls.ts"
import type { Narrate } from "../log/job-log.ts"
import type { Sessions } from "../sessions/sessions.ts"

/** Who waits for a hive: it hears the lines of step 3A. */
export interface Waiter {
  readonly narrate: Narrate
  readonly session: SessionRequest | undefined
  /** wants it also where it belongs to another queen */
  readonly takeOver?: boolean | undefined
}

export interface HiveWorld {
  readonly view: ClusterView
  readonly catalog: QueenCatalog["Type"]
  readonly launcher: HiveLauncher["Type"]
  readonly keys: HiveKeyring
  readonly connect: (url: string) => HiveApi
  readonly sessions: Sessions
  readonly ring: EventRing
  readonly queen: { readonly id: string; readonly name: string; readonly epoch: number; readonly url: string }
  /** of this queen and so of her hives */
  readonly version: string
  /** the hive of the queen's own machine */
  readonly localHive: string
  /** so many on other machines are woken at once */
  readonly wakings: Effect.Semaphore
  /** jobs that have their place on this hive */
  readonly jobsOn: (hiveId: string) => number
  /** milliseconds that registered capabilities hold */
  readonly capabilitiesMs: number
  readonly lateMs: number
  readonly lostMs: number
}

/** Who told where it is was started by somebody else: nothing of it can be started from here. */
export const canBeWoken = (row: HiveRow, localHive: string): boolean => row.id === localHive || row.ssh !== undefined

/** It holds the cluster's token, as hives that were started by hand did: nothing is sent to it. */
const isUninvited = (row: HiveRow, localHive: string): boolean =>
  !canBeWoken(row, localHive) && row.joined === undefined

/** A hive that does not answer /health for so long, milliseconds, is taken for dead though its process is there. */
const silenceMs = 5000
/** What a hive may take to stop its workers, and then to end, milliseconds, before it is killed. */
const stopMs = 8000
const endMs = 3000
/**
 * What a hive that shuts down already may take: its answers may finish until their deadline (docs/design.md#shutdown).
 */
export const leaveMs = 33_000

export const hive = (
  world: HiveWorld,
  row: HiveRow,
  waiters: ReadonlySet<Waiter>,
  path: string,
  onStart: (actor: MachineActor<typeof hiveMachine>) => void
): ChildSpec<ActorSystem, MachineActor<typeof hiveMachine>> => {
  const { id } = row
  const { view, catalog, launcher, sessions, ring } = world
  const target = launcher.target(id, row.ssh)
  const isWakeable = canBeWoken(row, world.localHive)
  const entry = view.addHive(id, row.ssh)
  /** fails once the claimed process is lost */
  let gone: Deferred.Deferred<never, RbeeError> | undefined
  /** it had workers or jobs when it was lost: then it is woken again without being asked */
  let wasUsed = false

  const narrate: Narrate = (line, ids) => {
    const all = { hiveId: id, ...ids }
    if (waiters.size === 0) ring.narrate(line, all)
    for (const waiter of waiters) waiter.narrate(line, all)
  }

  /**
   * Of another queen is a hive taken over only where she cannot be any more: she had this very address (her catalog was
   * lost), or the hive's process was started by this one just now; or where somebody says so.
   */
  const isTakenOver = () => [...waiters].some(({ takeOver }) => takeOver === true)
  const claim = (url: string, justWoken = false): Effect.Effect<Claimed, RbeeError> =>
    Effect.gen(function* () {
      const api = world.connect(url)
      const isCold = waiters.size > 0 && [...waiters].every(({ session }) => session?.teardown === "cold")
      const request = { queen: world.queen, ...(isCold ? { woken_cold: true } : {}) }
      const { instance, version } = yield* api.claim(request).pipe(
        Effect.catchIf(
          (error) =>
            error.code === "HIVE_OWNED" &&
            (justWoken || isTakenOver() || wasHere(error.details["owner"], world.queen.url)),
          () => api.claim({ ...request, take_over: true })
        )
      )
      // once it is hers, so that she can end it
      const mismatch = mismatchOfRunning({
        hive: id,
        theirs: version,
        ours: world.version,
        remote: row.ssh !== undefined
      })
      if (mismatch !== undefined) return yield* mismatch
      const now = yield* Clock.currentTimeMillis
      gone = Deferred.unsafeMake(noFiber)
      entry.claimed = { url, instance, version, api: untilGone(ofOneProcess(api, url), gone) }
      entry.beatAt = now
      yield* Effect.forkDaemon(stored(catalog.hives.put({ ...row, url, instance })))
      return { url, instance, version }
    })

  /** Where it runs already; a hive that told its url itself is looked for there as well. */
  const locate = Effect.gen(function* () {
    if (isUninvited(row, world.localHive)) return undefined
    // one that was invited is asked with its own secret, where it said that it is
    const found = row.joined === undefined ? yield* launcher.find(target) : undefined
    // on another machine its launcher has looked there already
    if (found !== undefined || row.url === undefined || row.ssh !== undefined) return found
    const health = yield* Effect.option(Effect.timeout(world.connect(row.url).health({}), "2 seconds"))
    return Option.isSome(health) && health.value.role === "hive" && health.value.id === id ? row.url : undefined
  })

  /**
   * Where it runs. One whose process is there and says nothing gets its time and is ended: it would hold its address
   * against the next one.
   */
  const findOrEnd = Effect.gen(function* () {
    const found = yield* locate
    if (found !== undefined || !(yield* Effect.orElseSucceed(launcher.present(target), () => false))) return found
    const back = yield* locate.pipe(
      Effect.repeat({ until: (url) => url !== undefined, schedule: Schedule.spaced("250 millis") }),
      Effect.timeoutOption(silenceMs)
    )
    if (Option.isSome(back)) return yield* locate
    yield* Effect.catchAll(launcher.kill(target), (error) =>
      Effect.logWarning(`hive ${id} could not be ended: ${error.message}`)
    )
    return undefined
  })

  /** One that shuts down is nobody's any more: the next one can be woken when it is gone. */
  const claimLasting = (url: string): Effect.Effect<Claimed | undefined, RbeeError> =>
    Effect.catchIf(
      claim(url),
      (error) => error.code === "SHUTTING_DOWN",
      () => Effect.succeed(undefined)
    )
  const untilLeft = launcher
    .present(target)
    .pipe(
      Effect.repeat({ until: (there) => !there, schedule: Schedule.spaced("100 millis") }),
      Effect.timeoutOption(leaveMs)
    )

  const wake = Effect.gen(function* () {
    const running = yield* findOrEnd
    if (running !== undefined) {
      const claimed = yield* claimLasting(running)
      if (claimed !== undefined) return claimed
      yield* untilLeft
    }
    if (isUninvited(row, world.localHive)) return yield* notInvited(id)
    if (!isWakeable) return yield* startedElsewhere(row)
    narrate(say.hiveWake(target.at))
    const waking = launcher.wake(target)
    const { url, woken } = yield* row.ssh === undefined ? waking : world.wakings.withPermits(1)(waking)
    if (woken) {
      sessions.woke(
        "hive",
        id,
        undefined,
        [...waiters].map(({ session }) => session)
      )
    }
    return yield* claim(url, woken)
  })

  /** Which models need no download there: a hive that cannot tell is taken to have none. */
  const knowFiles = (url: string): Effect.Effect<void> =>
    world
      .connect(url)
      .listModels({})
      .pipe(
        Effect.map((models) =>
          view.fleet.seen.setFiles(
            id,
            models.map(({ bytes, model_ref }) => ({ model: model_ref, bytes }))
          )
        ),
        Effect.timeout("2 seconds"),
        Effect.ignore
      )

  const checkCapabilities = (claimed: Claimed | undefined): Effect.Effect<void, RbeeError> =>
    Effect.gen(function* () {
      if (claimed === undefined) return yield* rbeeError("INTERNAL", `hive ${id} is not claimed`)
      const now = yield* Clock.currentTimeMillis
      const known = yield* Effect.catchAll(catalog.capabilities.get(id), () => Effect.succeed(undefined))
      const isSame = known?.instance === claimed.instance && known.version === claimed.version
      if (
        known !== undefined &&
        isSame &&
        !hasOthers(known, entry.beats) &&
        now - known.askedAt < world.capabilitiesMs
      ) {
        entry.devices = known.devices
        entry.devicesAt = known.askedAt
        return yield* knowFiles(claimed.url)
      }
      if (!isSame) narrate(say.hiveFirstHeartbeat(id))
      const devices = yield* world.connect(claimed.url).devices({})
      entry.devices = devices
      entry.devicesAt = yield* Clock.currentTimeMillis
      yield* knowFiles(claimed.url)
      narrate(say.hiveCapabilities(id, describeDevices(devices), devices.models, devices.workers))
      const capabilities: CapabilitiesRow = {
        hive: id,
        instance: claimed.instance,
        version: claimed.version,
        devices,
        askedAt: entry.devicesAt,
        ...(devices.driver === undefined ? {} : { driver: devices.driver })
      }
      yield* Effect.forkDaemon(stored(catalog.capabilities.put(capabilities)))
    })

  const watch = (lateMs: number): Effect.Effect<void> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const left = (entry.beatAt ?? now) + lateMs - now
      return left <= 0 ? Effect.void : Effect.zipRight(Effect.sleep(left), watch(lateMs))
    })

  const probe = (claimed: Claimed | undefined): Effect.Effect<void, RbeeError> =>
    Effect.gen(function* () {
      const gone = rbeeError("CONNECTION_TIMEOUT", `hive ${id} does not answer`)
      if (claimed === undefined) return yield* gone
      const health = yield* world
        .connect(claimed.url)
        .health({})
        .pipe(Effect.timeoutFail({ duration: silenceMs, onTimeout: () => gone }))
      if (health.instance !== claimed.instance) return yield* gone
    })

  const recover = Effect.map(findOrEnd, (url) => ({
    wakeAgain: wasUsed && isWakeable,
    answers: url !== undefined
  }))

  const stop = (claimed: Claimed | undefined): Effect.Effect<void, RbeeError> =>
    Effect.gen(function* () {
      const url = claimed?.url ?? (yield* locate)
      if (url !== undefined) {
        const shutdown = Effect.timeoutOption(world.connect(url).shutdown({ deadline_ms: stopMs }), stopMs)
        const isAnothers = yield* shutdown.pipe(
          // Hers from before she lost her catalog: it is claimed anew.
          Effect.catchIf(
            (error) => error.code === "HIVE_OWNED",
            () => Effect.zipRight(claim(url), shutdown)
          ),
          Effect.as(false),
          Effect.catchAll((error) => Effect.succeed(error.code === "HIVE_OWNED"))
        )
        // What belongs to another queen is hers to end.
        if (isAnothers) return
      }
      const ended = yield* launcher
        .present(target)
        .pipe(
          Effect.repeat({ until: (there) => !there, schedule: Schedule.spaced("20 millis") }),
          Effect.timeoutOption(endMs)
        )
      if (Option.isNone(ended)) yield* launcher.kill(target)
    }).pipe(Effect.ensuring(Effect.sync(() => sessions.gone("hive", id))))

  const logged = (command: HiveCommand): Effect.Effect<void> =>
    command.type === "lost"
      ? Effect.logWarning(`hive ${id} is lost`)
      : command.type === "entered"
        ? Effect.logInfo(`hive ${id} is ${command.state}`)
        : Effect.void
  const perform = (command: HiveCommand): Effect.Effect<void> =>
    Effect.flatMap(Effect.zipRight(logged(command), Clock.currentTimeMillis), (now) =>
      Effect.sync(() => {
        switch (command.type) {
          case "entered":
            if (entry.state !== command.state) ring.stateChanged("hive", id, entry.state, command.state)
            entry.state = command.state
            // It does not run: what is woken next is another one.
            if (command.state === "cold") sessions.gone("hive", id)
            return view.changed()
          case "confirm":
            return command.beat === undefined ? undefined : view.confirm(command.beat, now)
          case "lost":
          case "gone": {
            const had = view.allWorkers().some((worker) => worker.hive === id)
            const jobs = world.jobsOn(id)
            view.dropWorkers(id)
            wasUsed = had || jobs > 0 || waiters.size > 0
            entry.claimed = undefined
            entry.devices = undefined
            if (gone !== undefined)
              Deferred.unsafeDone(gone, rbeeError("CONNECTION_TIMEOUT", `hive ${id} is out of reach`))
            if (command.type === "lost" && wasUsed) ring.narrate(say.hiveLost(id, jobs), { hiveId: id })
          }
        }
      })
    )

  return {
    id,
    restart: "transient",
    start: Effect.tap(
      machineActor({
        path,
        machine: hiveMachine,
        input: { lateMs: world.lateMs, lostMs: world.lostMs },
        perform,
        activities: {
          attach: () =>
            Effect.flatMap(locate, (url) => (url === undefined ? Effect.succeed(undefined) : claimLasting(url))),
          wake: () => wake,
          checkCapabilities,
          watch,
          probe,
          recover: () => recover,
          stop
        }
      }),
      (actor) => Effect.sync(() => onStart(actor))
    )
  }
}

/** Whoever is not the queen's own and not over SSH has a secret of its own, or nothing is sent to it. */
export const notInvited = (id: string) =>
  rbeeError(
    "INVALID_REQUEST",
    `hive ${id} has no invitation, and no other hive than this machine's own has the cluster's token`,
    `Start it there with what \`rbee hives invite ${id}\` prints, or add its machine over SSH: \`rbee hives add ${id}\``,
    { field: "url", hive: id, permanent: true }
  )

const startedElsewhere = ({ id, url = "an address of its own" }: HiveRow) =>
  rbeeError(
    "CONNECTION_TIMEOUT",
    `hive ${id} does not answer at ${url}, and was not started by this queen`,
    `Start it there again, or forget it: \`rbee hives rm ${id}\``,
    { hive: id, permanent: true }
  )

/** What is stored serves the next queen; this one goes on without it. */
const stored = <E>(write: Effect.Effect<void, E>): Effect.Effect<void> =>
  Effect.catchAll(write, (error) => Effect.logWarning("the queen's catalog was not written", error))

const wasHere = (owner: unknown, url: string): boolean =>
  typeof owner === "object" && owner !== null && "url" in owner && owner.url === url
