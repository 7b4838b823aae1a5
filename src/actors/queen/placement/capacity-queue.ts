/**
 * The jobs that found no room on any device but would if others went, longest waiting first: one line for all models,
 * so that none is forgotten over another (`policy/turns.ts` says whose turn it is).
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { fittingResidents, type Wish } from "../../../machines/policy/placement/placement.ts"
import { type RoomWait, takeTurns } from "../../../machines/policy/placement/capacity-turns.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { JobId, WorkerId } from "../../../machines/vocabulary/ids.ts"

/** Where waiting would help. */
export type Hopes = Pick<RoomWait, "hopes" | "elsewhere">

interface Waiting extends RoomWait {
  readonly turn: Deferred.Deferred<void>
}

export interface RoomLine {
  /** The job is to wait from its next `wait` on; how long it has waited before counts. */
  readonly join: (jobId: JobId, hopes: Hopes) => void
  /** Returns when it may look for a place again; at once if it has not joined. */
  readonly wait: (jobId: JobId, wish: Wish, onQueued: (position: number) => void) => Effect.Effect<void>
  readonly leave: (jobId: JobId) => void
  /** 1 is next; undefined when it does not wait */
  readonly position: (jobId: JobId) => number | undefined
  readonly waiting: () => number
}

/** A hive whose beat is old has said no: it is not asked again sooner, milliseconds. */
const pauseMs = 250
/** The line is looked at so often at least, milliseconds. */
const lookMs = 1000

export const makeRoomLine = (view: ClusterView): RoomLine => {
  /** by job; since when it waits, over all its tries */
  const since = new Map<JobId, number>()
  const joined = new Map<JobId, Hopes>()
  const line = new Map<JobId, Waiting>()
  /** by job that has its turn: workers of its model that it is about to replace */
  const replaced = new Map<JobId, ReadonlyArray<WorkerId>>()
  /** workers that are closed for those in line */
  let closed: ReadonlySet<WorkerId> = new Set()
  const close = (): void => view.close(new Set([...closed, ...[...replaced.values()].flat()]))

  const pump = (now: number): number | undefined => {
    const waits = [...line.values()].toSorted((a, b) => a.since - b.since)
    const turns = takeTurns(waits, view.fleet, now)
    for (const { job, replaces } of turns.go) {
      const waiting = line.get(job)
      if (waiting === undefined) continue
      line.delete(job)
      if (replaces.length > 0) replaced.set(job, replaces)
      Deferred.unsafeDone(waiting.turn, Effect.void)
    }
    closed = turns.close
    close()
    return turns.at
  }
  const leave = (jobId: JobId, now: number): void => {
    line.delete(jobId)
    pump(now)
  }

  return {
    join: (jobId, hopes) => void joined.set(jobId, hopes),
    leave: (jobId) => {
      joined.delete(jobId)
      since.delete(jobId)
      if (replaced.delete(jobId)) close()
    },
    wait: (jobId, wish, onQueued) =>
      Effect.gen(function* () {
        const hopes = joined.get(jobId)
        joined.delete(jobId)
        // what it was to replace did not do, or somebody else has done it
        const isOver = hopes !== undefined || fittingResidents(wish, view.fleet).length > 0
        if (isOver && replaced.delete(jobId)) close()
        if (hopes === undefined) return
        const began = yield* Clock.currentTimeMillis
        const first = since.get(jobId)
        since.set(jobId, first ?? began)
        const turn = yield* Deferred.make<void>()
        line.set(jobId, { job: jobId, model: wish.model, since: first ?? began, ...hopes, turn })
        if (first === undefined) onQueued(line.size)
        yield* Effect.sleep(pauseMs)
        while (!(yield* Deferred.isDone(turn))) {
          const now = yield* Clock.currentTimeMillis
          // somebody else has brought the model meanwhile
          if (fittingResidents(wish, view.fleet).length > 0) return
          const at = pump(now)
          const pause = Math.max(1, Math.min(lookMs, at === undefined ? lookMs : at - now))
          yield* Effect.timeoutOption(Deferred.await(turn), pause)
        }
      }).pipe(
        Effect.ensuring(Effect.map(Clock.currentTimeMillis, (now) => (line.has(jobId) ? leave(jobId, now) : undefined)))
      ),
    position: (jobId) => {
      const waiting = line.get(jobId)
      if (waiting === undefined) return undefined
      return 1 + [...line.values()].filter((other) => other.since < waiting.since).length
    },
    waiting: () => line.size
  }
}
