/**
 * The jobs that found no room on any device but would if others went, longest waiting first: one line for all models,
 * so that none is forgotten over another (`policy/turns.ts` says whose turn it is).
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { invariant } from "../../../machines/invariant.ts"
import { fittingResidents, type PlacementRequest } from "../../../machines/policy/placement/placement.ts"
import { type CapacityWait, takeCapacityTurns } from "../../../machines/policy/placement/capacity-turns.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { JobId, WorkerId } from "../../../machines/vocabulary/ids.ts"

/** Where waiting would help. */
export type Hopes = Pick<CapacityWait, "hopes" | "elsewhere">

interface Waiting extends CapacityWait {
  readonly turn: Deferred.Deferred<void>
}

/** A hive whose beat is old has said no: it is not asked again sooner, milliseconds. */
const pauseMs = 250
/** The line is looked at so often at least, milliseconds. */
const lookMs = 1000

export class CapacityQueue {
  private readonly view: ClusterView
  /** by job; since when it waits, over all its tries */
  private readonly since = new Map<JobId, number>()
  private readonly joined = new Map<JobId, Hopes>()
  private readonly line = new Map<JobId, Waiting>()
  /** by job that has its turn: workers of its model that it is about to replace */
  private readonly replaced = new Map<JobId, ReadonlyArray<WorkerId>>()
  /** workers that are closed for those in line */
  private closed: ReadonlySet<WorkerId> = new Set()

  constructor(view: ClusterView) {
    this.view = view
  }

  /** The job is to wait from its next `wait` on; how long it has waited before counts. */
  join(jobId: JobId, hopes: Hopes): void {
    invariant(!this.line.has(jobId), () => `job ${jobId} joins the line that it stands in`)
    this.joined.set(jobId, hopes)
  }

  leave(jobId: JobId): void {
    this.joined.delete(jobId)
    this.since.delete(jobId)
    if (this.replaced.delete(jobId)) this.close()
  }

  /** Returns when it may look for a place again; at once if it has not joined. */
  wait(jobId: JobId, request: PlacementRequest, onQueued: (position: number) => void): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const hopes = this.joined.get(jobId)
      this.joined.delete(jobId)
      // what it was to replace did not do, or somebody else has done it
      const isOver = hopes !== undefined || this.hasComeOtherwise(request)
      if (isOver && this.replaced.delete(jobId)) this.close()
      if (hopes === undefined) return
      const began = yield* Clock.currentTimeMillis
      const first = this.since.get(jobId)
      this.since.set(jobId, first ?? began)
      const turn = yield* Deferred.make<void>()
      this.line.set(jobId, { job: jobId, model: request.model, since: first ?? began, ...hopes, turn })
      if (first === undefined) onQueued(this.line.size)
      yield* Effect.sleep(pauseMs)
      while (!(yield* Deferred.isDone(turn))) {
        const now = yield* Clock.currentTimeMillis
        if (this.hasComeOtherwise(request)) return
        const at = this.pump(now)
        const pause = Math.max(1, Math.min(lookMs, at === undefined ? lookMs : at - now))
        yield* Effect.timeoutOption(Deferred.await(turn), pause)
      }
    }).pipe(Effect.ensuring(Effect.map(Clock.currentTimeMillis, (now) => this.stepOut(jobId, now))))
  }

  /** 1 is next; undefined when it does not wait */
  position(jobId: JobId): number | undefined {
    const waiting = this.line.get(jobId)
    if (waiting === undefined) return undefined
    return 1 + [...this.line.values()].filter((other) => other.since < waiting.since).length
  }

  /** Of all that wait. */
  positions(): ReadonlyMap<JobId, number> {
    const places = new Map<JobId, number>()
    let last: Waiting | undefined
    for (const [at, waiting] of [...this.line.values()].toSorted((a, b) => a.since - b.since).entries()) {
      // those that came at the same time have the same place
      places.set(waiting.job, last?.since === waiting.since ? (places.get(last.job) ?? 0) : at + 1)
      last = waiting
    }
    return places
  }

  waiting(): number {
    return this.line.size
  }

  /** Somebody else has brought the model meanwhile. */
  private hasComeOtherwise(request: PlacementRequest): boolean {
    return fittingResidents(request, this.view.fleet).length > 0
  }

  private close(): void {
    this.view.close(new Set([...this.closed, ...[...this.replaced.values()].flat()]))
  }

  /** Gives turns out; when the next one may come, milliseconds since 1970. */
  private pump(now: number): number | undefined {
    const waits = [...this.line.values()].toSorted((a, b) => a.since - b.since)
    const turns = takeCapacityTurns(waits, this.view.fleet, now)
    for (const { job, replaces } of turns.go) {
      const waiting = this.line.get(job)
      if (waiting === undefined) continue
      this.line.delete(job)
      if (replaces.length > 0) this.replaced.set(job, replaces)
      Deferred.unsafeDone(waiting.turn, Effect.void)
    }
    this.closed = turns.close
    this.close()
    return turns.at
  }

  private stepOut(jobId: JobId, now: number): void {
    if (this.line.delete(jobId)) this.pump(now)
  }
}
