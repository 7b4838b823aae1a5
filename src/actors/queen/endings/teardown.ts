/**
 * How a session ends, and what of its own ends with it (docs/design.md#sessions). Partial ends are logged, not
 * narrated.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { ShutdownAnswer } from "../../../protocol/queen/operators.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { Hives } from "../hives/hives.ts"
import type { JobLog } from "../log/job-log.ts"
import type { InUse, Sessions } from "../sessions/sessions.ts"
import type { WorkerView } from "../../../machines/vocabulary/hive.ts"

/** A keeper that is still there asks for the end of its cold session within this time of its job's end. */
const keeperGone = "10 seconds"
/** What a worker of a session may take to stop. */
const stopWithin = "10 seconds"

export interface Teardown {
  /** What the session woke and nobody else uses ends; returns when it is gone, or, where the queen ends, before. */
  readonly end: (sessionId: string) => Effect.Effect<ShutdownAnswer>
  /** A job of a session ended: if the session is cold and its keeper is gone, the queen ends the session herself. */
  readonly jobEnded: (log: Pick<JobLog, "request">) => void
  /** Sessions that the queen before left open: their keepers may be gone as well. */
  readonly adopt: (sessionIds: ReadonlyArray<string>) => void
}

export interface TeardownWorld {
  readonly view: ClusterView
  readonly sessions: Sessions
  readonly hives: Hives
  /** logs of the jobs that have not ended */
  readonly live: () => ReadonlyArray<JobLog>
  /** the queen ends with all that is left */
  readonly cascade: Effect.Effect<void>
}

export const makeTeardown = (world: TeardownWorld): Effect.Effect<Teardown, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { view, sessions, hives } = world
    const fork = yield* FiberSet.makeRuntime<never>()

    const inUse = (): InUse => {
      const live = world.live()
      const places = live.flatMap((log) => log.facts().placement ?? [])
      return {
        jobs: live.length,
        // a job that waits for a hive has no place yet
        hives: new Set([...places.map(({ hive }) => hive), ...hives.awaited()]),
        workers: new Set(places.flatMap(({ worker }) => worker ?? []))
      }
    }
    const isBusy = (sessionId: string) => world.live().some(({ request }) => request.session?.id === sessionId)

    const stopWorker = ({ hive, id, instance }: WorkerView): Effect.Effect<void> =>
      Effect.suspend(() => {
        const api = view.hive(hive)?.claimed?.api
        if (api === undefined) return Effect.void
        return Effect.zipRight(
          Effect.ignore(Effect.timeoutOption(api.stopWorker({ id }), stopWithin)),
          Effect.sync(() => view.workerLost({ worker: id, instance }))
        )
      })

    const end = (sessionId: string): Effect.Effect<ShutdownAnswer> =>
      Effect.gen(function* () {
        const ending = sessions.end(sessionId, inUse())
        yield* Effect.logInfo("a cold session ends", { session: sessionId, ...ending })
        if (ending.queenEnds) {
          yield* world.cascade
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

    const endLater = (sessionId: string): void => {
      fork(
        Effect.zipRight(
          Effect.sleep(keeperGone),
          Effect.suspend(() => (sessions.hasEnded(sessionId) || isBusy(sessionId) ? Effect.void : end(sessionId)))
        )
      )
    }
    return {
      end,
      jobEnded: ({ request: { session } }) => {
        if (session?.teardown === "cold" && !sessions.hasEnded(session.id) && !isBusy(session.id)) endLater(session.id)
      },
      adopt: (sessionIds) => {
        for (const id of sessionIds) endLater(id)
      }
    }
  })
