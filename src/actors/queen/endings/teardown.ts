/** How a session ends, and what of its own ends with it (docs/design.md#sessions). Partial ends are logged, not narrated. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type { ShutdownAnswer } from "../../../protocol/queen/operators.ts"
import type { WorkerView } from "../../../machines/vocabulary/hive.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { Hives } from "../hives/hives.ts"
import { LiveJobs } from "../log/live-jobs.ts"
import type { InUse } from "../sessions/sessions.ts"
import { SessionBook } from "../sessions/stored-sessions.ts"
import { OwnLife } from "./own-life.ts"

/** A keeper that is still there asks for the end of its cold session within this time of its job's end. */
const keeperGone = "10 seconds"
/** What a worker of a session may take to stop. */
const stopWithin = "10 seconds"

export class Teardown extends Context.Tag("rbee/queen/Teardown")<
  Teardown,
  {
    /** What the session woke and nobody else uses ends; returns when it is gone, or, where the queen ends, before. */
    readonly end: (sessionId: string) => Effect.Effect<ShutdownAnswer>
    /** Sessions that the queen before left open: their keepers may be gone as well. */
    readonly adopt: (sessionIds: ReadonlyArray<string>) => void
  }
>() {
  /** Where a cold session's job ends and its keeper is gone, the queen ends the session herself. */
  static readonly layer = Layer.scoped(
    Teardown,
    Effect.gen(function* () {
      const context = yield* Effect.context<Ports>()
      const sessions = yield* SessionBook
      const jobs = yield* LiveJobs
      const fork = yield* FiberSet.makeRuntime<never>()
      const end = (sessionId: string) => Effect.provide(endSession(sessionId), context)
      const isOver = (id: string) =>
        sessions.hasEnded(id) || jobs.logs.some(({ request }) => request.session?.id === id)
      const endLater = (id: string): void => {
        fork(
          Effect.zipRight(
            Effect.sleep(keeperGone),
            Effect.suspend(() => (isOver(id) ? Effect.void : end(id)))
          )
        )
      }
      jobs.onEnd(({ request: { session } }) => {
        if (session?.teardown === "cold" && !isOver(session.id)) endLater(session.id)
      })
      return {
        end,
        adopt: (sessionIds) => {
          for (const id of sessionIds) endLater(id)
        }
      }
    })
  )
}

type Ports = Cluster | Hives | LiveJobs | OwnLife | SessionBook

/** What jobs use right now, whoever they belong to. */
const inUse = Effect.gen(function* () {
  const hives = yield* Hives
  const { logs } = yield* LiveJobs
  const places = logs.flatMap((log) => log.facts().placement ?? [])
  return {
    jobs: logs.length,
    // a job that waits for a hive has no place yet
    hives: new Set([...places.map(({ hive }) => hive), ...hives.awaited()]),
    workers: new Set<string>(places.flatMap(({ worker }) => worker ?? []))
  } satisfies InUse
})

const endSession = (sessionId: string): Effect.Effect<ShutdownAnswer, never, Ports> =>
  Effect.gen(function* () {
    const view = yield* Cluster
    const hives = yield* Hives
    const sessions = yield* SessionBook
    const { queenEnds, ...ending } = sessions.end(sessionId, yield* inUse)
    yield* Effect.logInfo("a cold session ends", { session: sessionId, queenEnds, ...ending })
    if (queenEnds) {
      yield* (yield* OwnLife).shutdown(true)
      return { queen: "ends", kept: ending.kept }
    }
    const stopped = view
      .allWorkers()
      .filter(({ hive, id }) => ending.workers.includes(id) && !ending.hives.includes(hive))
    yield* Effect.forEach(stopped, stopWorker, { concurrency: "unbounded", discard: true })
    yield* Effect.forEach(ending.hives, (id) => Effect.ignore(hives.release(id)), {
      concurrency: "unbounded",
      discard: true
    })
    return { queen: "stays", kept: ending.kept }
  })

const stopWorker = ({ hive, id, instance }: WorkerView): Effect.Effect<void, never, Cluster> =>
  Effect.gen(function* () {
    const view = yield* Cluster
    const api = view.hive(hive)?.claimed?.api
    if (api === undefined) return
    yield* Effect.ignore(Effect.timeoutOption(api.stopWorker({ id }), stopWithin))
    view.workerLost({ worker: id, instance })
  })
