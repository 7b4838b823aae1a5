/**
 * Whose turn it is. Jobs that want the same model wait in one line, first in first out, as long as all slots of the
 * workers that fit are taken; where no such worker is resident nobody waits here, the job goes on to be placed. Whoever
 * gets a slot from the line holds it already when it leaves the line, so nobody can overtake.
 *
 * Where the line gets long and another device has room, the first of it leaves to start another worker there
 * (`policy/spread.ts`); the rest gets its slots.
 *
 * Of several accounts (people) it is whose share is the least (`machines/people/fair-share.ts`): who waits is taken in that order,
 * and an answer of one that is ahead is paused for one that is behind. It goes back into the line with the tokens that it has.
 *
 * Jobs that found no room, but would if others went, wait in one line for all models (`capacity-queue.ts`).
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import { invariant } from "../../../machines/invariant.ts"
import type { SlotLease } from "../../../machines/job.ts"
import { FairShare } from "../../../machines/people/fair-share.ts"
import {
  type Place,
  type PlacementRequest,
  decide,
  fittingResidents
} from "../../../machines/policy/placement/placement.ts"
import { isWorthAnother } from "../../../machines/policy/placement/scale-out.ts"
import { Keys } from "../people/keys.ts"
import { Cluster, type ClusterView } from "../cluster/cluster-view.ts"
import { type Hopes, CapacityQueue } from "./capacity-queue.ts"
import type { JobId, ModelRef, WorkerId } from "../../../machines/vocabulary/ids.ts"

interface Waiting {
  readonly jobId: JobId
  readonly request: PlacementRequest
  /** done when its turn has come, and when it is to look again */
  turn: Deferred.Deferred<void>
  hasTurn: boolean
  /** since when it waits, milliseconds since 1970 */
  readonly since: number
}

interface Turnstile {
  /**
   * Waits for the job's turn. Afterwards the job holds a slot (`ClusterView.seatOf`), or no fitting worker is resident.
   * `onQueued` hears the position (1 is next) if it has to wait.
   */
  readonly admit: (
    jobId: JobId,
    account: string,
    request: PlacementRequest,
    onQueued: (position: number) => void
  ) => Effect.Effect<void>
  /** The slot that a job finds which has nobody before it; undefined: it is to wait for its turn, or for a place. */
  readonly slotFor: (jobId: JobId, account: string, request: PlacementRequest) => SlotLease | undefined
  /**
   * Its answer is decoded on this worker from now on; `pause` has it give up its slot, and come back. What is returned ends
   * that, and tells the device-seconds that it took.
   */
  readonly runs: (jobId: JobId, worker: WorkerId, pause: (() => void) | undefined) => () => number
  /** It is over. */
  readonly gone: (jobId: JobId) => void
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
  /** of all that wait */
  readonly positions: () => ReadonlyMap<JobId, number>
  /** jobs that wait in all lines */
  readonly waiting: () => number
}

export class Scheduler extends Context.Tag("rbee/queen/Scheduler")<Scheduler, Turnstile>() {
  static readonly layer = Layer.suspend(() =>
    Layer.effect(
      Scheduler,
      Effect.zipWith(Cluster, Keys, (view, { weightOf }) => new Lines(view, weightOf))
    )
  )
}

/** Those who want another worker of the model hold nobody up. */
const lineOf = ({ model, setup }: PlacementRequest): string =>
  setup === undefined ? model : `${model} ${setup.slots ?? ""} ${setup.kv_type ?? ""} ${setup.engine ?? ""}`

/** Where nobody who waits for a model has found a device for another worker of it, none looks for so long, milliseconds. */
const vainMs = 1000

/** Among several accounts who waits looks so often, milliseconds. */
const lookMs = 250

const untold = () => Deferred.unsafeMake<void>(FiberId.none)

class Lines implements Turnstile {
  private readonly view: ClusterView
  private readonly capacity: CapacityQueue
  /** by model and how it is to be set up, first in first out */
  private readonly lines = new Map<string, Array<Waiting>>()
  /** by model: the job that looks for a device where another worker can be started; one at a time */
  private readonly apart = new Map<ModelRef, { readonly job: JobId; place: Place | undefined }>()

  /** by model: until when nobody looks for one again, milliseconds since 1970 */
  private readonly vain = new Map<ModelRef, number>()

  private readonly shares: FairShare
  /** by job whose answer is decoded */
  private readonly running = new Map<JobId, { readonly worker: WorkerId; readonly pause: (() => void) | undefined }>()
  /** by job that is asked to pause: for whom */
  private readonly pausing = new Map<JobId, JobId>()
  private wasShared = false

  constructor(view: ClusterView, weightOf: (account: string) => number) {
    this.view = view
    this.shares = new FairShare(weightOf)
    this.capacity = new CapacityQueue(view)
    view.onChange((models) => this.pump(models))
  }

  admit(
    jobId: JobId,
    account: string,
    request: PlacementRequest,
    onQueued: (position: number) => void
  ): Effect.Effect<void> {
    return Effect.zipRight(
      this.capacity.wait(jobId, request, onQueued),
      Effect.suspend(() => {
        this.shares.arrive(jobId, account)
        this.noteShared()
        return this.inLine(jobId, request, onQueued)
      })
    )
  }

  slotFor(jobId: JobId, account: string, request: PlacementRequest): SlotLease | undefined {
    if (this.lines.has(request.model) || this.lines.has(lineOf(request))) return undefined
    if (!this.enter(jobId, request)) return undefined
    const lease = this.view.leaseOf(jobId)
    if (lease === undefined) return undefined
    this.shares.arrive(jobId, account)
    this.noteShared()
    return lease
  }

  runs(jobId: JobId, worker: WorkerId, pause: (() => void) | undefined): () => number {
    this.running.set(jobId, { worker, pause })
    this.shares.begin(jobId, worker, this.view.now())
    return () => {
      this.running.delete(jobId)
      this.pausing.delete(jobId)
      return this.shares.end(jobId, this.view.now())
    }
  }

  gone(jobId: JobId): void {
    this.shares.leave(jobId)
    this.noteShared()
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
    for (const [model, { job }] of this.apart) if (job === jobId) this.vain.set(model, this.view.now() + vainMs)
    this.comesBack(jobId)
  }

  settled(jobId: JobId): void {
    this.comesBack(jobId)
    this.capacity.leave(jobId)
  }

  position(jobId: JobId): number | undefined {
    for (const line of this.lines.values()) {
      const at = line.findIndex((waiting) => waiting.jobId === jobId)
      if (at >= 0) return at + 1
    }
    return this.capacity.position(jobId)
  }

  positions(): ReadonlyMap<JobId, number> {
    const lines = [...this.lines.values()].flatMap((line) =>
      line.map(({ jobId }, at): readonly [JobId, number] => [jobId, at + 1])
    )
    return new Map([...this.capacity.positions(), ...lines])
  }

  waiting(): number {
    return [...this.lines.values()].reduce((sum, line) => sum + line.length, this.capacity.waiting())
  }

  /** It does not look for a device any more. */
  private comesBack(jobId: JobId): void {
    for (const [model, { job }] of this.apart) {
      if (job !== jobId) continue
      this.apart.delete(model)
      this.pump(new Set([model]))
    }
  }

  private inLine(jobId: JobId, request: PlacementRequest, onQueued: (position: number) => void): Effect.Effect<void> {
    this.comesBack(jobId)
    // Who wants more context than any worker of the model has does not wait for those that are served by it.
    const isFree = this.lines.has(request.model)
      ? decide(request, this.view.fleet).kind === "devices"
      : this.enter(jobId, request)
    if (isFree) return Effect.void
    return Effect.suspend(() => {
      const waiting: Waiting = { jobId, request, turn: untold(), hasTurn: false, since: this.view.now() }
      const joined = this.lines.get(lineOf(request)) ?? []
      invariant(!joined.some((other) => other.jobId === jobId), () => `job ${jobId} waits twice in one line`)
      joined.push(waiting)
      this.lines.set(lineOf(request), joined)
      // A slot may have come free since we looked.
      this.pump(new Set([request.model]))
      const position = joined.indexOf(waiting) + 1
      if (position > 0) onQueued(position)
      this.look()
      return Effect.onInterrupt(this.turnOf(waiting), () => Effect.sync(() => this.leave(waiting)))
    })
  }

  /**
   * Among several accounts the first of a line looks now and then whether somebody is to give way: shares move while
   * nothing happens.
   */
  private turnOf(waiting: Waiting): Effect.Effect<void> {
    return Effect.suspend(() => {
      const told = Deferred.await(waiting.turn)
      const looks = this.wasShared && this.lines.get(lineOf(waiting.request))?.[0] === waiting
      return Effect.flatMap(looks ? Effect.timeoutOption(told, lookMs) : told, () => {
        if (waiting.hasTurn) return Effect.void
        this.look()
        return this.turnOf(waiting)
      })
    })
  }

  /** Who waits has nothing to look at until there is another account. */
  private noteShared(): void {
    const isShared = this.shares.isShared()
    const begins = isShared && !this.wasShared
    this.wasShared = isShared
    if (begins) for (const line of this.lines.values()) this.wake(line)
  }

  /** The first of it looks, and goes on looking. */
  private wake([first]: ReadonlyArray<Waiting>): void {
    if (first === undefined || !this.wasShared) return
    Deferred.unsafeDone(first.turn, Effect.void)
    first.turn = untold()
  }

  /** Has an answer give way to who is next, where its account is ahead of that one's. */
  private look(): void {
    if (!this.wasShared) return
    const now = this.view.now()
    const asked = new Set(this.pausing.values())
    for (const line of this.lines.values()) {
      const next = line[this.nextOf(line)]
      if (next === undefined || asked.has(next.jobId)) continue
      const fitting = new Set(fittingResidents(next.request, this.view.fleet).map(({ worker }) => worker))
      const those = [...this.running].flatMap(([job, { pause, worker }]) =>
        pause !== undefined && fitting.has(worker) && !this.pausing.has(job) ? [job] : []
      )
      const job = this.shares.paused(next.jobId, those, now)
      if (job === undefined) continue
      this.pausing.set(job, next.jobId)
      this.running.get(job)?.pause?.()
    }
  }

  private nextOf(line: ReadonlyArray<Waiting>): number {
    return this.wasShared
      ? this.shares.next(
          line.map(({ jobId }) => jobId),
          this.view.now()
        )
      : 0
  }

  /** Whoever can have a slot of these models' workers leaves its line with it. */
  private pump(models: ReadonlySet<ModelRef>): void {
    for (const [key, line] of this.lines) {
      const [first] = line
      if (first === undefined || !models.has(first.request.model)) continue
      for (
        let at = this.nextOf(line), next = line[at];
        next !== undefined && (this.enter(next.jobId, next.request) || this.scalesOut(next, line));
        at = this.nextOf(line), next = line[at]
      ) {
        line.splice(at, 1)
        next.hasTurn = true
        Deferred.unsafeDone(next.turn, Effect.void)
        if (at === 0) this.wake(line)
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
    if ((this.vain.get(request.model) ?? 0) > now) return false
    this.vain.delete(request.model)
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
    else if (at === 0) this.wake(line)
    this.pump(new Set([waiting.request.model]))
  }
}
