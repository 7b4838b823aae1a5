/** Commands that only look: status, lists, one job. Exit code 3 where what they are about does not run. */
import * as Effect from "effect/Effect"
import { connect, findAnyQueen, running } from "../../../actors/keeper/lifecycle.ts"
import type { QueenConnector } from "../../../layers/queen-connector/index.ts"
import type { OwnApi } from "../../../protocol/queen/own.ts"
import { QueenLauncher } from "../../../layers/queen-launcher/index.ts"
import type { DaemonFiles } from "../../../layers/daemon/index.ts"
import { hiveFolder } from "../../../layers/paths/index.ts"
import type { Processes } from "../../../layers/process/index.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import { noEntries } from "../../../machines/entries/entries.ts"
import type { ModelView } from "../../../machines/vocabulary/model.ts"
import type { Health } from "../../../machines/vocabulary/common.ts"
import { notRunning, notRunningCode } from "../not-running.ts"
import type { Context } from "../spec.ts"
import { age, roomOf } from "../table.ts"
import { askedFor, defaultModelOf } from "../asked-for.ts"
import {
  hivesTable,
  jobDetails,
  jobsTable,
  keptLines,
  parkedLine,
  planDetails,
  workerRows,
  workersTable
} from "../views.ts"
import { modelsTable } from "../finding/models-table.ts"
import { inWorld } from "../world.ts"
import { asleepNote, hivesAsleep } from "./asleep.ts"
import { jobNamed } from "../named.ts"
import type { HiveId, DeviceId } from "../../../machines/vocabulary/ids.ts"

const show = (context: Context, json: boolean, value: unknown, text: (room: number | undefined) => string): number => {
  const { stdout } = context.terminal
  stdout.write(json ? `${JSON.stringify(value)}\n` : text(roomOf(stdout)))
  return 0
}

/** Wakes nobody: where she does not run, that is the answer. */
export const withQueen = (
  context: Context,
  json: boolean,
  use: (api: OwnApi, health: Health) => Effect.Effect<number, RbeeError, QueenLauncher | QueenConnector>,
  asleep: Effect.Effect<number, never, DaemonFiles | Processes> = Effect.sync(() => notRunning(context, json))
) =>
  inWorld(
    context,
    Effect.gen(function* () {
      const health = yield* findAnyQueen
      if (health === undefined) return yield* asleep
      return yield* use(yield* connect, health)
    })
  )

/** With the pid of a hive of this machine, which its queen need not know. */
export const hivesOf = (api: OwnApi) =>
  Effect.gen(function* () {
    const local = yield* (yield* QueenLauncher).hives
    return (yield* api.listHives({})).map((hive) => {
      const pid = hive.pid ?? local.find((one) => one.id === hive.id)?.process.pid
      return pid === undefined ? hive : { ...hive, pid }
    })
  })

const workersOf = (api: OwnApi) => Effect.zipWith(api.listWorkers({}), api.listJobs({}), workerRows)

/** An older queen keeps none. */
const keptBy = (api: OwnApi) => Effect.orElseSucceed(api.keptLoaded({}), () => [])

const parkedBy = (api: OwnApi) => Effect.orElseSucceed(api.parked({}), () => [])

const now = Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())

/** As the configuration has them now; a fault in it is another command's to tell. */
const ownNames = (models: ReadonlyArray<ModelView>, { settings }: Context) =>
  Effect.gen(function* () {
    const { entriesNow } = yield* Effect.promise(() => import("../../../layers/model-entries/file.ts"))
    const { namesAmong } = yield* Effect.promise(() => import("../../../machines/entries/among.ts"))
    const entries = yield* Effect.orElseSucceed(entriesNow(settings.home.config), () => noEntries)
    return namesAmong(entries, models)
  })

/** Models on the disk are there, whoever sleeps. */
const modelsOnDisk = (json: boolean, context: Context) =>
  Effect.gen(function* () {
    const { hive, home } = context.settings
    const { copiesOnDisk } = yield* Effect.promise(() => import("../../../layers/models/notes.ts"))
    const models = yield* Effect.promise(() => copiesOnDisk(hiveFolder(home, hive.id), hive.id))
    if (models.length === 0) return notRunning(context, json)
    const own = yield* ownNames(models, context)
    context.terminal.stderr.write("queen is not running: these are on this machine's disk\n")
    return show(context, json, models, (room) => modelsTable(models, room, own))
  })

const hivesKnown = (json: boolean, context: Context) =>
  Effect.map(hivesAsleep(context.settings), (hives) => {
    if (hives.length === 0) return notRunning(context, json)
    context.terminal.stderr.write(asleepNote)
    return show(context, json, hives, (room) => hivesTable(hives, room))
  })

export const list = (kind: "hives" | "workers" | "models" | "jobs", json: boolean, context: Context) => {
  const asked = (api: OwnApi) => {
    switch (kind) {
      case "hives":
        return Effect.map(hivesOf(api), (hives) => show(context, json, hives, (room) => hivesTable(hives, room)))
      case "workers":
        return Effect.zipWith(workersOf(api), keptBy(api), (workers, kept) =>
          show(context, json, workers, (room) => `${workersTable(workers, room)}${keptLines(kept)}`)
        )
      case "models":
        return Effect.flatMap(api.listModels({}), (models) =>
          Effect.map(ownNames(models, context), (own) =>
            show(context, json, models, (room) => modelsTable(models, room, own))
          )
        )
      case "jobs":
        return Effect.zipWith(api.listJobs({}), now, (jobs, at) =>
          show(context, json, jobs, (room) => jobsTable(jobs, at, room))
        )
    }
  }
  const asleep = { models: modelsOnDisk, hives: hivesKnown, workers: undefined, jobs: undefined }[kind]
  return withQueen(context, json, asked, asleep?.(json, context))
}

export interface PlanValues {
  readonly model: string | undefined
  readonly hive: HiveId | undefined
  readonly device: DeviceId | undefined
  readonly noCpu: boolean
  readonly context: number | undefined
  readonly json: boolean
}

export const plan = ({ json, model, noCpu, ...where }: PlanValues, context: Context) =>
  withQueen(context, json, (api) =>
    Effect.gen(function* () {
      const asked = yield* askedFor(model ?? defaultModelOf(context.settings))
      const view = yield* api.plan({ model: asked, ...defined(where), ...(noCpu ? { allow_cpu: false } : {}) })
      return show(context, json, view, () => planDetails(view))
    })
  )

const defined = ({ context, device, hive }: Pick<PlanValues, "context" | "device" | "hive">) => ({
  ...(context === undefined ? {} : { context }),
  ...(device === undefined ? {} : { device }),
  ...(hive === undefined ? {} : { hive })
})

export const showJob = (id: string, json: boolean, context: Context) =>
  withQueen(context, json, (api) =>
    Effect.map(
      Effect.flatMap(jobNamed(id), (job) => api.getJob({ id: job })),
      (job) => show(context, json, job, () => jobDetails(job))
    )
  )

const queenLine = (health: Health, context: Context): string =>
  `queen is running on :${context.settings.queen.port} (pid ${health.pid}, rbee ${health.version}, up ${age(health.uptime_s * 1000)})\n`

export const queenStatus = (json: boolean, context: Context) =>
  withQueen(context, json, (_, health) =>
    Effect.succeed(show(context, json, { running: true, ...health }, () => queenLine(health, context)))
  )

export const hiveStatus = (alias: string | undefined, json: boolean, context: Context) => {
  const id = alias ?? context.settings.hive.id
  return withQueen(context, json, (api) =>
    Effect.map(hivesOf(api), (hives) => {
      const hive = hives.find((one) => one.id === id)
      if (hive === undefined) return notRunning(context, json, `hive ${id}`)
      show(context, json, { running: running.has(hive.state), ...hive }, (room) => hivesTable([hive], room))
      return running.has(hive.state) ? 0 : notRunningCode
    })
  )
}

/** Hives outlive their queen: `status` says so instead of leaving them out. */
const withoutQueen = (json: boolean, context: Context) =>
  Effect.gen(function* () {
    const left = yield* (yield* QueenLauncher).hives
    const hives = left.map((hive) => ({ id: hive.id, pid: hive.process.pid }))
    show(context, json, { queen: { running: false }, hives, workers: [] }, () =>
      [
        `queen is not running; start it with: ${context.typed("up")}\n`,
        ...hives.map(
          (hive) => `hive ${hive.id} lives on without her (pid ${hive.pid}); end it with: ${context.typed("down")}\n`
        )
      ].join("")
    )
    return notRunningCode
  })

export const status = (json: boolean, context: Context) =>
  inWorld(
    context,
    Effect.gen(function* () {
      const health = yield* findAnyQueen
      if (health === undefined) return yield* withoutQueen(json, context)
      const api = yield* connect
      const [hives, workers, kept, parked] = yield* Effect.all([
        hivesOf(api),
        workersOf(api),
        keptBy(api),
        parkedBy(api)
      ])
      const keeping = { ...(kept.length === 0 ? {} : { kept }), ...(parked.length === 0 ? {} : { parked }) }
      return show(context, json, { queen: { running: true, ...health }, hives, workers, ...keeping }, (room) =>
        [
          queenLine(health, context),
          hives.length === 0 ? "no hives\n" : `\n${hivesTable(hives, room)}`,
          workers.length === 0 ? "no workers\n" : `\n${workersTable(workers, room)}`,
          keptLines(kept),
          parkedLine(parked)
        ].join("")
      )
    })
  )
