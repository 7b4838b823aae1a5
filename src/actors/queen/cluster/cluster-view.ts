/**
 * What the queen knows of her cluster right now: hives and workers (`registry.ts`), who sits on which slot
 * (`slot-book.ts`), and the fleet that placement decides from (`fleet-feed.ts`), which follows the two. Plain state of
 * one process: every method is one synchronous step, and nobody can get in between.
 */
import type { JobId, WorkerId, HiveId, ModelRef } from "../../../machines/vocabulary/ids.ts"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SlotLease } from "../../../machines/job.ts"
import { ExactPlaces } from "../../../machines/policy/exact-places.ts"
import { Fleet } from "../../../machines/policy/placement/fleet.ts"
import type { Place } from "../../../machines/policy/placement/place.ts"
import type { Sleeper } from "../../../machines/policy/placement/sleepers.ts"
import type { Gpu } from "../../../machines/vocabulary/device.ts"
import type { Heartbeat, WorkerView } from "../../../machines/vocabulary/hive.ts"
import type { SshPlace } from "../../../machines/vocabulary/place.ts"
import type { ClaimedHive, HiveEntry } from "./hive-entry.ts"
import { serving, type WorkerEntry } from "./worker-entry.ts"
import { FleetFeed } from "./fleet-feed.ts"
import { Registry } from "./registry.ts"
import { SlotBook } from "./slot-book.ts"

export class ClusterView {
  /** what the scheduler decides from */
  readonly fleet = new Fleet()
  /** where an answer can go on as if nothing had happened */
  readonly exactness = new ExactPlaces()
  readonly now: () => number
  private readonly registry: Registry
  private readonly slots: SlotBook
  private readonly feed: FleetFeed
  private readonly listeners = new Set<(models: ReadonlySet<ModelRef>) => void>()
  private readonly forgotten = new Set<(workerId: WorkerId) => void>()

  /** `now`: milliseconds since 1970 */
  constructor(now: () => number) {
    this.now = now
    this.registry = new Registry({
      onWorker: (worker) => {
        if (serving(worker)) this.exactness.note(worker)
        this.feed.syncWorker(worker.id)
      },
      onDropped: (entry) => {
        this.slots.dropped(entry)
        this.feed.removeWorker(entry.view.id)
      },
      onForgotten: (id) => {
        for (const listener of this.forgotten) listener(id)
      }
    })
    this.slots = new SlotBook(this.registry.workers, (id) => this.feed.syncWorker(id))
    this.feed = new FleetFeed(this.fleet, this.registry, this.slots, now)
  }

  /** Called after every change by which a waiting job may get its turn, with the models whose workers it is about. */
  onChange(listener: (models: ReadonlySet<ModelRef>) => void): void {
    this.listeners.add(listener)
  }

  /** Called with the id of each worker that will not come back. */
  onForgotten(listener: (workerId: WorkerId) => void): void {
    this.forgotten.add(listener)
  }

  /** Something changed of this hive by which a waiting job may get its turn. */
  hiveChanged(id: HiveId): void {
    this.feed.syncHive(id)
    this.changed()
  }

  private changed(): void {
    const models = this.fleet.takeTouched()
    for (const listener of this.listeners) listener(models)
  }

  // --- hives ---

  hive(id: HiveId): HiveEntry | undefined {
    return this.registry.hives.get(id)
  }

  /** In the order in which they were added. */
  allHives(): ReadonlyArray<HiveEntry> {
    return [...this.registry.hives.values()]
  }

  /** Hives whose machines sleep. */
  sleepers(): ReadonlyArray<Sleeper> {
    return [...this.feed.sleepers.values()]
  }

  /** Undefined: the CPU, or a device that is not known. */
  gpu(place: Place): Gpu | undefined {
    return this.registry.gpu(place)
  }

  addHive(id: HiveId, ssh?: SshPlace): HiveEntry {
    return this.registry.addHive(id, ssh)
  }

  removeHive(id: HiveId): void {
    this.feed.removeHive(id)
    this.exactness.removeHive(id)
    this.registry.removeHive(id)
    this.changed()
  }

  /** The hive is gone, or out of reach: so are its workers. */
  dropWorkers(hiveId: HiveId): void {
    this.registry.dropWorkers(hiveId)
    this.hiveChanged(hiveId)
  }

  /** This process of the hive is the queen's from now on, with what it said already. */
  claim(hiveId: HiveId, process: ClaimedHive): void {
    this.registry.claim(hiveId, process, this.now())
    this.hiveChanged(hiveId)
  }

  /** Takes over what a heartbeat of a claimed process says. All beats come this way, and no other. */
  confirm(beat: Heartbeat): void {
    if (this.registry.confirm(beat, this.now())) this.hiveChanged(beat.hive_id)
  }

  /** Where what runs beside a hive is reached from here. */
  reached(hive: HiveId, url: string): string {
    return this.registry.reached(hive, url)
  }

  // --- workers ---

  /** A worker said `ready` on its stream: it serves from now on, beats only confirm. False: that was known already. */
  workerReady(...said: Parameters<Registry["workerReady"]>): boolean {
    const isNew = this.registry.workerReady(...said)
    if (isNew) this.changed()
    return isNew
  }

  /** This life of the worker is over, as somebody who called it has found. */
  workerLost(lease: Pick<SlotLease, "worker" | "instance">): void {
    if (this.registry.workerLost(lease)) this.changed()
  }

  worker(id: WorkerId): WorkerView | undefined {
    return this.registry.workers.get(id)?.view
  }

  /** Serves this worker now, as far as anybody knows? */
  serves(id: WorkerId): boolean {
    return this.registry.serves(id)
  }

  /** The last life of this worker that was ready, and where on its stream that was said. */
  heardOf(id: WorkerId): ReturnType<Registry["heardOf"]> {
    return this.registry.heardOf(id)
  }

  allWorkers(): ReadonlyArray<WorkerView> {
    return [...this.registry.workers.values()].map(byTheBook)
  }

  countOn(hive: HiveId): number {
    return this.registry.countOn(hive)
  }

  workersOn(hive: HiveId): ReadonlyArray<WorkerView> {
    return this.registry.workersOn(hive).map(byTheBook)
  }

  /** Calls `then` once this life of the worker has left the view: at once, if it has already. What it returns ends that. */
  onGone(lease: SlotLease, then: () => void): () => void {
    return this.registry.onGone(lease, then)
  }

  /** Is this life of the worker there, as far as anybody knows? */
  lives(lease: Pick<SlotLease, "worker" | "instance">): boolean {
    return this.registry.lives(lease)
  }

  // --- slots ---

  /** Takes a slot for a job, or all of them where it must be alone; undefined when there is none. */
  reserve(workerId: WorkerId, jobId: JobId, alone: boolean): SlotLease | undefined {
    const lease = this.slots.reserve(workerId, jobId, alone)
    const model = lease === undefined ? undefined : this.worker(lease.worker)?.model
    if (model !== undefined) this.fleet.seen.used(model, this.now())
    return lease
  }

  /** Gives back whatever the job holds. */
  release(jobId: JobId): void {
    if (this.slots.release(jobId)) this.changed()
  }

  /** How many jobs hold a slot. */
  get holding(): number {
    return this.slots.holding
  }

  /** The slot that the job holds. */
  leaseOf(jobId: JobId): SlotLease | undefined {
    return this.slots.leaseOf(jobId)
  }

  // --- room for others ---

  /** These take no new work, and no others but them. */
  close(workers: ReadonlySet<WorkerId>): void {
    this.slots.close(workers)
  }

  /** Keeps idle workers free for whoever unloads them; false if one of them is not idle (any more). */
  hold(workers: ReadonlyArray<WorkerId>): boolean {
    return this.slots.hold(workers)
  }

  letGo(workers: ReadonlyArray<WorkerId>): void {
    this.slots.letGo(workers)
  }

  /** A worker gives its place to one of its own model, which has more context. */
  reloaded(place: Place, model: ModelRef): void {
    this.feed.reloaded(place, model)
  }

  /** A worker is asked for: its memory is spoken for before its hive has told of it. Returns what takes that back. */
  starting(jobId: JobId, place: Place, model: ModelRef): () => void {
    return this.feed.starting(jobId, place, model)
  }
}

/** The queen's own book is newer than the last beat. */
const byTheBook = ({ leases, view }: WorkerEntry): WorkerView => ({
  ...view,
  busy: leases.size,
  state: serving(view) ? (leases.size > 0 ? "busy" : "idle") : view.state
})

export class Cluster extends Context.Tag("rbee/queen/Cluster")<Cluster, ClusterView>() {
  static readonly layer = Layer.effect(
    Cluster,
    Effect.map(Effect.clock, (clock) => new ClusterView(() => clock.unsafeCurrentTimeMillis()))
  )
}
