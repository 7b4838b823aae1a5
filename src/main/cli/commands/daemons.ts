/** Commands that start and stop: queen, hives, workers, jobs. Narration goes to stderr, the result to stdout. */
import * as Effect from "effect/Effect"
import {
  connect,
  findAnyQueen,
  startHive,
  startQueen,
  stopHive,
  stopQueen,
  upgradeQueen
} from "../../../actors/keeper/lifecycle.ts"
import { makeQueenLink } from "../../../actors/keeper/queen-link.ts"
import { makeRenderer, type Renderer } from "../../../actors/keeper/renderer.ts"
import type { QueenConnector } from "../../../layers/queen-connector/index.ts"
import type { OwnApi } from "../../../protocol/queen/own.ts"
import type { QueenLauncher } from "../../../layers/queen-launcher/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { living } from "../../../layers/daemon/state-file.ts"
import { queenFolder } from "../../../layers/paths/index.ts"
import { isRenewed } from "../../service/renew.ts"
import { isAfterHer, startSocket, stopService, stopSocket } from "../../service/socket.ts"
import { notRunning } from "../not-running.ts"
import type { Context } from "../spec.ts"
import { conversations } from "../views.ts"
import { inWorld } from "../world.ts"
import { hiveNamed, jobNamed, workerNamed } from "../named.ts"
import { isOlder } from "../../../machines/policy/version.ts"
import type { HiveId, WorkerId } from "../../../machines/vocabulary/ids.ts"
import { modelNamed } from "../asked-for.ts"

const rendererOf = (context: Context): Effect.Effect<Renderer> =>
  Effect.map(Effect.clock, (clock) => makeRenderer(context.terminal, "plain", () => clock.unsafeCurrentTimeMillis()))

const answer = (context: Context, text: string): number => {
  context.terminal.stdout.write(`${text}\n`)
  return 0
}

export const queenStart = (context: Context) =>
  inWorld(
    context,
    Effect.gen(function* () {
      const { changed, health } = yield* startQueen(yield* rendererOf(context))
      const state = changed ? "running" : "already running"
      return answer(context, `queen ${state} on :${context.settings.queen.port} (pid ${health.pid})`)
    })
  )

export const queenStop = (cascade: boolean, context: Context) =>
  inWorld(
    context,
    Effect.gen(function* () {
      if (isAfterHer && (yield* findAnyQueen) === undefined) return answer(context, "queen is not running")
      // or the next connection would wake her again
      const held = yield* stopSocket(context)
      const { changed } = yield* stopQueen(yield* rendererOf(context), cascade)
      const next = cascade ? yield* stopService(context) : []
      return answer(context, [...held, ...next, changed ? "queen stopped" : "queen is not running"].join("\n"))
    })
  )

export const hivesStart = (alias: string | undefined, takeOver: boolean, context: Context) =>
  inWorld(
    context,
    Effect.gen(function* () {
      const local = context.settings.hive.id
      const id = alias === undefined ? local : yield* hiveNamed(alias)
      const { changed, hive } = yield* startHive(yield* rendererOf(context), id, local, takeOver)
      return answer(context, `hive ${id} ${changed ? "running" : "already running"} (${hive.state})`)
    })
  )

export const hivesStop = (alias: string | undefined, context: Context) =>
  inWorld(
    context,
    Effect.gen(function* () {
      const id = alias === undefined ? context.settings.hive.id : yield* hiveNamed(alias)
      const { changed } = yield* stopHive(yield* rendererOf(context), id)
      return answer(context, changed ? `hive ${id} stopped` : `hive ${id} is not running`)
    })
  )

/** What `up` wakes stays until `down`, however idle it is. */
const staying = ({ settings, ...context }: Context): Context => ({
  ...context,
  settings: {
    ...settings,
    queen: { ...settings.queen, idleMs: Number.POSITIVE_INFINITY },
    hive: { ...settings.hive, idleMs: Number.POSITIVE_INFINITY }
  }
})

export const up = (foreground: boolean, given: Context) => {
  const context = staying(given)
  return inWorld(
    context,
    Effect.gen(function* () {
      const { hive: own, queen } = context.settings
      yield* startSocket(context)
      const renderer = yield* rendererOf(context)
      const hive = yield* startToStay(renderer, own.id)
      answer(context, `up: queen on :${queen.port}, hive ${own.id} ${hive.state}`)
      return foreground ? yield* stayUp(renderer, own.id, context) : 0
    })
  )
}

/** A queen who was here before is told to stay, as one that `up` wakes is. */
const startToStay = (renderer: Renderer, local: HiveId) =>
  Effect.gen(function* () {
    const { hive } = yield* startHive(renderer, local, local)
    yield* (yield* connect).stay({})
    return hive
  })

/** A queen who stays is followed by one who stays. */
export const upgrade = (given: Context) =>
  Effect.gen(function* () {
    const { home, shutdown, version } = given.settings
    const before = yield* inWorld(given, living(queenFolder(home)))
    const context = before?.stays === true ? staying(given) : given
    const isRestarted =
      before !== undefined && isOlder(before.version, version) && (yield* isRenewed(before.pid, given))
    return yield* inWorld(
      context,
      Effect.gen(function* () {
        const renderer = yield* rendererOf(context)
        const outcome = yield* upgradeQueen(renderer, { drainMs: shutdown.drainMs, version, isRestarted })
        if (outcome._tag === "Asleep") return answer(context, `no queen runs; the next one is rbee ${version}`)
        if (outcome._tag === "Same") return answer(context, `the queen is rbee ${version} already`)
        for (const { error, id } of outcome.remote)
          answer(
            context,
            error === undefined ? `hive ${id} has rbee ${version}` : `hive ${id} has the older rbee: ${error.message}`
          )
        return answer(context, `upgraded from rbee ${outcome.from} to ${version}`)
      })
    )
  })

/** Wakes what is lost or ended for being idle, until a signal ends everything or somebody else shuts it down. */
const stayUp = (renderer: Renderer, local: HiveId, context: Context) =>
  Effect.scoped(
    Effect.gen(function* () {
      const link = yield* makeQueenLink(renderer)
      // she may be gone already
      yield* Effect.catchAll(link.tie, () => link.retie)
      const keep = Effect.gen(function* () {
        for (;;) {
          yield* link.leave
          if (link.saidGoodbye()) return 0
          yield* link.retie
          // where somebody ends her meanwhile, her goodbye says it next
          yield* Effect.catchAll(startToStay(renderer, local), ({ message }) =>
            Effect.sync(() => void context.terminal.stderr.write(`bee-keeper: ${message}\n`))
          )
        }
      })
      const code = yield* Effect.raceFirst(keep, context.terminal.interrupted)
      if (code !== 0) yield* stopQueen(renderer, true)
      return code
    })
  )

/** Runs against a queen that is there, or ends with exit code 3. */
const withQueen = (
  context: Context,
  use: (api: OwnApi) => Effect.Effect<number, RbeeError, QueenLauncher | QueenConnector>
) =>
  inWorld(
    context,
    Effect.gen(function* () {
      if ((yield* findAnyQueen) === undefined) return notRunning(context, false)
      return yield* use(yield* connect)
    })
  )

/** a worker may finish what it decodes until the workers' deadline (30 s) */
const stopMs = 40_000

const ending = (api: OwnApi, wanted: Effect.Effect<ReadonlyArray<WorkerId>, RbeeError>) =>
  Effect.gen(function* () {
    const listed = Effect.map(api.listWorkers({}), (workers) => workers.map((worker) => worker.id))
    const ids = yield* wanted
    yield* Effect.forEach(ids, (one) => api.stopWorker({ id: one }), { concurrency: "unbounded", discard: true })
    while ((yield* listed).some((one) => ids.includes(one))) yield* Effect.sleep(25)
    return ids
  }).pipe(
    Effect.timeoutFail({
      duration: stopMs,
      onTimeout: () =>
        rbeeError("CONNECTION_TIMEOUT", `a worker is still there after ${stopMs / 1000} s`, "See `rbee workers ls`.")
    })
  )

export const workersStop = (id: string | undefined, all: boolean, context: Context) =>
  id === undefined && !all
    ? Effect.fail(rbeeError("INVALID_REQUEST", "ID is missing", "Name a worker, or say --all.", { usage: true }))
    : withQueen(context, (api) =>
        Effect.gen(function* () {
          const every = Effect.map(api.listWorkers({}), (workers) => workers.map((worker) => worker.id))
          const ids = yield* ending(api, id === undefined ? every : Effect.map(workerNamed(id), (one) => [one]))
          return answer(context, ids.length === 0 ? "no workers" : ids.map((one) => `worker ${one} stopped`).join("\n"))
        })
      )

export const modelStop = (name: string, context: Context) =>
  withQueen(context, (api) =>
    Effect.gen(function* () {
      const ref = yield* modelNamed(name, yield* api.listModels({}), context.settings)
      const its = Effect.map(api.listWorkers({}), (workers) =>
        workers.filter(({ model }) => model === ref).map((worker) => worker.id)
      )
      const ids = yield* ending(api, its)
      return answer(context, ids.length === 0 ? `model ${ref} is not loaded` : `model ${ref} unloaded`)
    })
  )

/** Of the hives that could not be told to delete something. */
const notAsked = (away: ReadonlyArray<HiveId>): string =>
  away.length === 0 ? "" : `; not asked, as they do not run: ${away.join(", ")}`

export const cacheClear = (context: Context) =>
  withQueen(context, (api) =>
    Effect.zipWith(api.clearParked({}), api.listHives({}), (cleared, hives) => {
      const [files, mb] = cleared.reduce(([n, sum], one) => [n + one.files, sum + one.mb], [0, 0])
      const deleted = files === 0 ? "no conversations were kept" : `${conversations(files)} deleted, ${mb} MB`
      const away = hives.map(({ id }) => id).filter((id) => !cleared.some(({ hive }) => hive === id))
      return answer(context, `${deleted}${notAsked(away)}`)
    })
  )

export const jobRemove = (id: string, context: Context) =>
  withQueen(context, (api) =>
    Effect.gen(function* () {
      const { not_asked } = yield* api.removeJob({ id: yield* jobNamed(id) })
      return answer(context, `job ${id} forgotten${notAsked(not_asked)}`)
    })
  )

export const jobCancel = (id: string, context: Context) =>
  withQueen(context, (api) =>
    Effect.zipRight(
      Effect.flatMap(jobNamed(id), (job) => api.cancelJob({ id: job })),
      Effect.sync(() => answer(context, `job ${id} cancelled`))
    )
  )
