/**
 * Whose turn it is. Jobs that want the same model wait in one line, first in first out, as long as all slots of the
 * workers that fit are taken; where no such worker is resident nobody waits here, the job goes on to be placed. Whoever
 * gets a slot from the line holds it already when it leaves the line, so nobody can overtake.
 *
 * Where the line gets long and another device has room, the first of it leaves to start another worker there
 * (`policy/spread.ts`); the rest gets its slots.
 *
 * Jobs that found no room, but would if others went, wait in one line for all models (`capacity-queue.ts`).
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { invariant } from "../../../machines/invariant.ts"
import { type Place, type PlacementRequest, decide } from "../../../machines/policy/placement/placement.ts"
import { isWorthAnother } from "../../../machines/policy/placement/scale-out.ts"
import { Cluster, type ClusterView } from "../cluster/cluster-view.ts"
import { type Hopes, CapacityQueue } from "./capacity-queue.ts"
import type { JobId, WorkerId } from "../../../machines/vocabulary/ids.ts"

interface Waiting {
  readonly jobId: JobId
  readonly request: PlacementRequest
  readonly turn: Deferred.Deferred<void>
  /** since when it waits, milliseconds since 1970 */
  readonly since: number
}

interface Turnstile {
  /**
   * Waits for the job's turn. Afterwards the job holds a slot (`ClusterView.seatOf`), or no fitting worker is resident.
   * `onQueued` hears the position (1 is next) if it has to wait.
   */
  readonly admit: (jobId: JobId, request: PlacementRequest, onQueued: (position: number) => void) => Effect.Effect<void>
  /** The job found no room, but would if others went: its next `admit` waits for that. */
  readonly waitForRoom: (jobId: JobId, hopes: Hopes) => void
  /** It has waited long enough behind busy workers: it is to look for a device where another one can be started. */
  readonly isScaleOut: (jobId: JobId) => boolean
  /** It has found one. */
  readonly startsAt: (jobId: JobId, place: Place) => void
  /** There is none (any more). */
  readonly stays: (jobId: JobId) => void
  /** The job has found its place, or its end. */
  readonly settled: (jobId: JobId) => void
  /** 1 is next; undefined when it does not wait */
  readonly position: (jobId: JobId) => number | undefined
  /** jobs that wait in all lines */
  readonly waiting: () => number
}

export class Scheduler extends Context.Tag("rbee/queen/Scheduler")<Scheduler, Turnstile>() {
  static readonly layer = Layer.suspend(() =>
    Layer.effect(
      Scheduler,
      Effect.map(Cluster, (view) => new Lines(view))
    )
  )
}

/** Those who want another worker of the model hold nobody up. */
const lineOf = ({ model, setup }: PlacementRequest): string =>
  setup === undefined ? model : `${model} ${setup.slots ?? ""} ${setup.kv_type ?? ""}`

class Lines implements Turnstile {
  private readonly view: ClusterView
  private readonly capacity: CapacityQueue
  /** by model and how it is to be set up, first in first out */
  private readonly lines = new Map<string, Array<Waiting>>()
  /** by model: the job that looks for a device where another worker can be started; one at a time */
  private readonly apart = new Map<string, { readonly job: JobId; place: Place | undefined }>()

  constructor(view: ClusterView) {
    this.view = view
    this.capacity = new CapacityQueue(view)
    view.onChange(() => this.pump())
  }

  admit(jobId: JobId, request: PlacementRequest, onQueued: (position: number) => void): Effect.Effect<void> {
    return Effect.zipRight(
      this.capacity.wait(jobId, request, onQueued),
      Effect.suspend(() => this.inLine(jobId, request, onQueued))
    )
  }

  waitForRoom(jobId: JobId, hopes: Hopes): void {
    this.capacity.join(jobId, hopes)
  }

  isScaleOut(jobId: JobId): boolean {
    return [...this.apart.values()].some(({ job }) => job === jobId)
  }

  startsAt(jobId: JobId, place: Place): void {
    for (const starter of this.apart.values()) if (starter.job === jobId) starter.place = place
  }

  stays(jobId: JobId): void {
    for (const [model, { job }] of this.apart) {
      if (job !== jobId) continue
      this.apart.delete(model)
      this.pump()
    }
  }

  settled(jobId: JobId): void {
    this.stays(jobId)
    this.capacity.leave(jobId)
  }

  position(jobId: JobId): number | undefined {
    for (const line of this.lines.values()) {
      const at = line.findIndex((waiting) => waiting.jobId === jobId)
      if (at >= 0) return at + 1
    }
    return this.capacity.position(jobId)
  }

  waiting(): number {
    return [...this.lines.values()].reduce((sum, line) => sum + line.length, this.capacity.waiting())
  }

  private inLine(jobId: JobId, request: PlacementRequest, onQueued: (position: number) => void): Effect.Effect<void> {
    this.stays(jobId)
    // Who wants more context than any worker of the model has does not wait for those that are served by it.
    const isFree = this.lines.has(request.model)
      ? decide(request, this.view.fleet).kind === "devices"
      : this.enter(jobId, request)
    if (isFree) return Effect.void
    return Effect.flatMap(Deferred.make<void>(), (turn) => {
      const waiting: Waiting = { jobId, request, turn, since: this.view.now() }
      const joined = this.lines.get(lineOf(request)) ?? []
      invariant(!joined.some((other) => other.jobId === jobId), () => `job ${jobId} waits twice in one line`)
      joined.push(waiting)
      this.lines.set(lineOf(request), joined)
      // A slot may have come free since we looked.
      this.pump()
      const position = joined.indexOf(waiting) + 1
      if (position > 0) onQueued(position)
      return Effect.onInterrupt(Deferred.await(turn), () => Effect.sync(() => this.leave(waiting)))
    })
  }

  /** Whoever can have a slot leaves its line with it. */
  private pump(): void {
    for (const [key, line] of this.lines) {
      for (
        let next = line[0];
        next !== undefined && (this.enter(next.jobId, next.request) || this.scalesOut(next, line));
        next = line[0]
      ) {
        line.shift()
        Deferred.unsafeDone(next.turn, Effect.void)
      }
      if (line.length === 0) this.lines.delete(key)
    }
  }

  /** True when the job need not wait (any longer). */
  private enter(jobId: JobId, request: PlacementRequest): boolean {
    const decision = decide(request, this.view.fleet)
    if (decision.kind !== "resident") return decision.kind === "devices"
    const { worker } = decision
    return !this.isSpoken(worker, jobId, request) && this.view.reserve(worker, jobId, request.alone) !== undefined
  }

  /** Of a worker that a job has started while others waited, the last slot is its own. */
  private isSpoken(worker: WorkerId, jobId: JobId, request: PlacementRequest): boolean {
    const starter = this.apart.get(request.model)
    const at = this.view.worker(worker)
    if (starter?.place === undefined || starter.job === jobId || at === undefined) return false
    const { device, hive } = starter.place
    const free = this.view.fleet.residentsOn(starter.place).find((one) => one.worker === worker)?.free ?? 0
    return at.hive === hive && at.device === device && (free <= 1 || request.alone)
  }

  private scalesOut({ jobId, since, request }: Waiting, line: ReadonlyArray<Waiting>): boolean {
    const { fleet } = this.view
    const now = this.view.now()
    if (this.apart.has(request.model) || !isWorthAnother(request, fleet, line.length - 1, now - since, now))
      return false
    this.apart.set(request.model, { job: jobId, place: undefined })
    return true
  }

  private leave(waiting: Waiting): void {
    const line = this.lines.get(lineOf(waiting.request))
    const at = line?.indexOf(waiting) ?? -1
    if (line === undefined || at < 0) return
    line.splice(at, 1)
    if (line.length === 0) this.lines.delete(lineOf(waiting.request))
    this.pump()
  }
}
