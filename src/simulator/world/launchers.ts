/**
 * The launchers over simulated processes. What a program does is handed in as `boot`, so that this file knows no actor;
 * what a launcher promises is as over real processes: a worker on its hive's leash with a control pipe, daemons that
 * outlive who woke them, the bound address as the lock.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { addressInUse } from "../../machines/vocabulary/address.ts"
import type { Health } from "../../machines/vocabulary/common.ts"
import type { ControlMessage } from "../../machines/vocabulary/worker.ts"
import { hiveApi } from "../../protocol/hive.ts"
import { HiveLauncher, type HiveTarget } from "../../layers/hive-launcher/index.ts"
import type { ExitStatus } from "../../layers/process/index.ts"
import { queenApi } from "../../protocol/queen/index.ts"
import { QueenLauncher } from "../../layers/queen-launcher/index.ts"
import { WorkerLauncher, type WorkerPlan } from "../../layers/worker-launcher/index.ts"
import type { Network } from "./network/network.ts"
import { endProcess } from "./ports.ts"
import type { Host, SimProcess } from "./process.ts"

const healthMs = 1000
const pollMs = 10
const hiveWakeMs = 15_000
const queenWakeMs = 30_000
const queenGoneMs = 40_000
const queenGraceMs = 1000
const workerGraceMs = 3000
const hiveGraceMs = 1000

export type BootWorker = (process: SimProcess, plan: WorkerPlan, tell: (message: ControlMessage) => void) => void

/** Workers of the hive that `process` is. */
export const layerWorkers = (process: SimProcess, boot: BootWorker): Layer.Layer<WorkerLauncher> =>
  Layer.succeed(WorkerLauncher, {
    launch: (plan, onMessage) =>
      Effect.gen(function* () {
        const exit = yield* Deferred.make<ExitStatus>()
        const child = yield* Effect.acquireRelease(
          Effect.sync(() => process.machine.spawn(`worker-${plan.workerId}`, process)),
          (child) => endProcess(process, () => child, workerGraceMs)
        )
        // the pipe is drained before the exit is told
        child.exited((status) => process.post(child, () => Deferred.unsafeDone(exit, Effect.succeed(status))))
        boot(child, plan, (message) => {
          if (child.isAlive) process.post(child, () => onMessage(message))
        })
        return { process: child.id, exit: Deferred.await(exit), lastWords: () => child.lastWords }
      })
  })

export interface HiveSite {
  readonly id: string
  readonly machine: Host
  readonly url: string
  /** its daemon, as its state file names it */
  running: SimProcess | undefined
  readonly boot: (process: SimProcess) => void
}

/** Hives as the queen `process` wakes them: her own machine's directly, others over the wire. */
export const layerHives = (
  process: SimProcess,
  network: Network,
  sites: ReadonlyMap<string, HiveSite>,
  reaches: (machine: Host) => boolean
): Layer.Layer<HiveLauncher> => {
  const siteOf = ({ id }: HiveTarget): Effect.Effect<HiveSite, RbeeError<"CONNECTION_TIMEOUT" | "INTERNAL">> =>
    Effect.gen(function* () {
      const site = sites.get(id)
      if (site === undefined) return yield* rbeeError("INTERNAL", `there is no machine for hive ${id}`)
      if (reaches(site.machine)) return site
      yield* Effect.sleep("5 seconds")
      return yield* rbeeError("CONNECTION_TIMEOUT", `the machine of hive ${id} cannot be reached`)
    })
  const living = (site: HiveSite) => (site.running?.isAlive === true ? site.running : undefined)
  const answers = (site: HiveSite) =>
    network
      .connect(process, site.url, hiveApi, { timeoutMs: healthMs })
      .health({})
      .pipe(Effect.option, Effect.map(Option.exists(({ id, role }) => role === "hive" && id === site.id)))
  const findAt = (site: HiveSite) =>
    living(site) === undefined
      ? Effect.succeed(undefined)
      : Effect.map(answers(site), (yes) => (yes ? site.url : undefined))
  return Layer.succeed(HiveLauncher, {
    target: (id) => ({ id, at: `${id}:8600`, port: 8600 }),
    find: (target) => Effect.orElseSucceed(Effect.flatMap(siteOf(target), findAt), () => undefined),
    present: (target) => Effect.map(siteOf(target), (site) => living(site) !== undefined),
    wake: (target) =>
      Effect.gen(function* () {
        const site = yield* siteOf(target)
        const found = yield* findAt(site)
        if (found !== undefined) return { url: found, woken: false }
        const child = site.machine.spawn(`hive-${site.id}`)
        site.boot(child)
        const ready = Effect.gen(function* () {
          for (;;) {
            const url = yield* findAt(site)
            if (url !== undefined) return { url, woken: living(site) === child }
            const isTaken = !child.isAlive && child.status?.code === addressInUse
            const holds = isTaken && living(site) !== undefined
            if (isTaken && !holds) return yield* rbeeError("CONFLICT", `the address of hive ${site.id} is taken`)
            if (!child.isAlive && !holds)
              return yield* rbeeError("INTERNAL", `hive ${site.id} ended while it was starting`)
            yield* Effect.sleep(pollMs)
          }
        })
        return yield* ready.pipe(
          Effect.timeoutFail({
            duration: hiveWakeMs,
            onTimeout: () => rbeeError("CONNECTION_TIMEOUT", `hive ${site.id} did not answer in time`)
          }),
          Effect.onError(() => endProcess(process, () => child, hiveGraceMs))
        )
      }),
    kill: (target) => Effect.flatMap(siteOf(target), (site) => endProcess(process, () => living(site), hiveGraceMs))
  })
}

export interface QueenSite {
  readonly url: string
  readonly machine: Host
  readonly boot: (process: SimProcess) => void
}

/** The queen as the keeper `process` finds and wakes her. */
export const layerQueen = (process: SimProcess, network: Network, site: QueenSite): Layer.Layer<QueenLauncher> => {
  const ask = network
    .connect(process, site.url, queenApi, { timeoutMs: healthMs })
    .health({})
    .pipe(
      Effect.map((health): Health | "nobody" | "silent" => health),
      Effect.catchAll(({ details }) =>
        Effect.succeed(details["reason"] === "ECONNREFUSED" ? ("nobody" as const) : ("silent" as const))
      )
    )
  const find = Effect.gen(function* () {
    const first = yield* ask
    const second = first === "silent" ? yield* Effect.delay(ask, pollMs) : first
    if (second === "nobody") return undefined
    if (second === "silent")
      return yield* rbeeError(
        "CONFLICT",
        "the queen's port is taken by somebody who does not answer /health within 1 s"
      )
    return second
  })
  const wakeWith = (start: () => SimProcess) =>
    Effect.gen(function* () {
      let child = start()
      let spawns = 1
      for (;;) {
        const seen = yield* ask
        if (typeof seen === "object") return { health: seen, woken: seen.pid === child.id.pid }
        if (!child.isAlive && child.status?.code !== addressInUse)
          return yield* rbeeError("INTERNAL", "the queen ended while it was starting")
        if (!child.isAlive && seen === "nobody" && spawns < 3) {
          spawns++
          child = start()
        }
        yield* Effect.sleep(pollMs)
      }
    }).pipe(
      Effect.timeoutFail({
        duration: queenWakeMs,
        onTimeout: () => rbeeError("CONNECTION_TIMEOUT", "the queen did not answer in time")
      })
    )
  const endUnneeded = (child: SimProcess) =>
    Effect.flatMap(ask, (seen) =>
      typeof seen === "object" && seen.pid === child.id.pid
        ? Effect.void
        : endProcess(process, () => child, queenGraceMs)
    )
  const wake = Effect.suspend(() => {
    let latest: SimProcess | undefined
    const start = () => {
      latest = site.machine.spawn("queen")
      site.boot(latest)
      return latest
    }
    return Effect.onExit(wakeWith(start), (exit) =>
      latest === undefined || (Exit.isSuccess(exit) && exit.value.woken) ? Effect.void : endUnneeded(latest)
    )
  })
  const gone = (health: Health) =>
    Effect.gen(function* () {
      for (;;) {
        if (!site.machine.processes.has(health.pid) && (yield* ask) !== "silent") return true
        yield* Effect.sleep(pollMs)
      }
    }).pipe(Effect.timeoutTo({ duration: queenGoneMs, onTimeout: () => false, onSuccess: () => true }))
  return Layer.succeed(QueenLauncher, { url: site.url, port: 8500, find, wake, gone, hives: Effect.succeed([]) })
}
