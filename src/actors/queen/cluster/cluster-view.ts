/**
 * What the queen knows of her cluster right now: hives, their devices, workers with their slots. Plain state of one
 * process: every method is one synchronous step, so a slot is reserved or it is not, and nobody can get in between.
 * Hives report what they have; who sits on which slot is the queen's own book.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { HiveApi, WorkerReady } from "../../../protocol/hive.ts"
import type { Seat } from "../../../machines/job.ts"
import { mayReloadAt } from "../../../machines/policy/memory/context.ts"
import { unknownBytes } from "../../../machines/policy/placement/cost.ts"
import { ExactPlaces } from "../../../machines/policy/exact-places.ts"
import { Fleet } from "../../../machines/policy/placement/fleet.ts"
import type { Place } from "../../../machines/policy/placement/place.ts"
import { placeKey } from "../../../machines/policy/placement/place.ts"
import type { Lifecycle } from "../../../machines/vocabulary/common.ts"
import type { DeviceBeat, Devices, Gpu } from "../../../machines/vocabulary/device.ts"
import type { Heartbeat, WorkerView } from "../../../machines/vocabulary/hive.ts"
import { reachedLike, type SshPlace } from "../../../machines/vocabulary/place.ts"
import type { WorkerBeat } from "../../../machines/vocabulary/worker.ts"
import { type JobId, WorkerId } from "../../../machines/vocabulary/ids.ts"

/** A hive process that this queen has claimed. */
export interface ClaimedHive {
  readonly url: string
  readonly instance: string
  readonly version: string
  readonly api: HiveApi
}

export interface HiveEntry {
  readonly id: string
  /** on another machine: how that is reached */
  ssh: SshPlace | undefined
  state: Lifecycle
  claimed: ClaimedHive | undefined
  devices: Devices | undefined
  /** when the devices were asked, milliseconds since 1970 */
  devicesAt: number
  beats: ReadonlyArray<DeviceBeat>
  /** when it last beat, milliseconds since 1970 */
  beatAt: number | undefined
}

/** Its beats tell of more or fewer devices than are known; of none before the first one. */
export const hasOthers = ({ devices }: Pick<HiveEntry, "devices">, beats: ReadonlyArray<DeviceBeat>): boolean =>
  devices !== undefined && beats.length > 0 && beats.length !== devices.gpus.length + 1

interface WorkerEntry {
  view: WorkerView
  /** job → slots that it holds */
  readonly seats: Map<JobId, number>
  /** beats in a row that did not name it */
  missed: number
  /** since when it serves, milliseconds since 1970; undefined: not yet */
  readyAt: number | undefined
  /** comes true when this life of the worker has left the view */
  readonly gone: Deferred.Deferred<void>
}

const serving = (worker: WorkerBeat): boolean => worker.state === "idle" || worker.state === "busy"

/** A beat under way when a worker became ready does not name it yet; two in a row that do not mean that it is gone. */
const missedMax = 2

export class ClusterView {
  /** what the scheduler decides from */
  readonly fleet = new Fleet()
  /** where an answer can go on as if nothing had happened */
  readonly exactness = new ExactPlaces()
  private readonly hives = new Map<string, HiveEntry>()
  private readonly workers = new Map<WorkerId, WorkerEntry>()
  private readonly listeners = new Set<() => void>()
  private readonly forgotten = new Set<(workerId: WorkerId) => void>()
  /** of each worker the last life that was found dead: a beat that was under way may still call it alive */
  private readonly lost = new Map<string, string>()
  /** workers that take no new work, because a job has waited long for their memory, or is about to have it */
  private closing: ReadonlySet<WorkerId> = new Set()
  private readonly held = new Set<string>()
  /** by place and model: when it was last loaded anew for more context, milliseconds since 1970 */
  private readonly reloads = new Map<string, number>()
  /** as the fleet knows them */
  private readonly synced = new Map<string, Pick<HiveEntry, "state" | "devices" | "beats">>()
  readonly now: () => number

  /** `now`: milliseconds since 1970 */
  constructor(now: () => number) {
    this.now = now
  }

  /** of each worker the last life that was ready, and the id of the event that said so */
  private readonly heard = new Map<string, { readonly instance: string; readonly eventId: string | undefined }>()

  /** Called after every change by which a waiting job may get its turn. */
  onChange(listener: () => void): void {
    this.listeners.add(listener)
  }

  /** Called with the id of each worker that will not come back. */
  onForgotten(listener: (workerId: WorkerId) => void): void {
    this.forgotten.add(listener)
  }

  // --- hives ---

  hive(id: string): HiveEntry | undefined {
    return this.hives.get(id)
  }

  /** Undefined: the CPU, or a device that is not known. */
  gpu(place: Place): Gpu | undefined {
    return this.hives.get(place.hive)?.devices?.gpus.find(({ id }) => id === place.device)
  }

  /** In the order in which they were added. */
  allHives(): ReadonlyArray<HiveEntry> {
    return [...this.hives.values()]
  }

  addHive(id: string, ssh?: SshPlace): HiveEntry {
    const known = this.hives.get(id)
    if (known !== undefined) return known
    const entry: HiveEntry = {
      id,
      ssh,
      state: "cold",
      claimed: undefined,
      devices: undefined,
      devicesAt: 0,
      beats: [],
      beatAt: undefined
    }
    this.hives.set(id, entry)
    return entry
  }

  removeHive(id: string): void {
    this.hives.delete(id)
    this.synced.delete(id)
    this.fleet.removeHive(id)
    this.exactness.removeHive(id)
    this.dropWorkers(id)
  }

  /** The hive is gone, or out of reach: so are its workers. */
  dropWorkers(hiveId: string): void {
    for (const [id, entry] of this.workers) {
      if (entry.view.hive !== hiveId) continue
      this.forget(id)
    }
    this.changed()
  }

  /** Takes over what a heartbeat says. A worker's life only moves forward: an older word on it is ignored. */
  confirm(beat: Heartbeat, now: number): void {
    const hive = this.hives.get(beat.hive_id)
    if (hive === undefined) return
    hive.beats = beat.devices
    hive.beatAt = now
    const named = new Set<string>()
    for (const worker of beat.workers) {
      named.add(worker.id)
      const { url } = worker
      if (serving(worker)) this.exactness.note({ ...worker, hive: beat.hive_id })
      this.confirmWorker(beat.hive_id, url === undefined ? worker : { ...worker, url: this.reached(beat.hive_id, url) })
      this.sync(worker.id)
    }
    for (const [id, entry] of this.workers) {
      if (entry.view.hive !== beat.hive_id) continue
      entry.missed = named.has(id) ? 0 : entry.missed + 1
      if (entry.missed < missedMax) continue
      this.forget(id)
    }
    this.changed()
  }

  /** Where what runs beside a hive is reached from here. */
  reached(hive: string, url: string): string {
    return reachedLike(this.hives.get(hive)?.claimed?.url, url)
  }

  private confirmWorker(hive: string, beat: WorkerBeat): void {
    const known = this.workers.get(beat.id)
    // ids are each hive's own to give, and no hive speaks for another one's workers
    if (known !== undefined && known.view.hive !== hive) return
    if (serving(beat) && this.lost.get(beat.id) === beat.instance) return
    if (known === undefined) {
      this.workers.set(beat.id, newEntry({ hive, ...beat }))
      return
    }
    if (known.view.instance !== beat.instance) {
      // A new life: whoever sat on the old one has lost it.
      this.drop(beat.id)
      this.workers.set(beat.id, newEntry({ hive, ...beat }))
      return
    }
    // `ready` came on the worker's own stream, faster than the beat that still says loading.
    if (serving(known.view) && (beat.state === "waking" || beat.state === "loading")) return
    if (serving(known.view) && !serving(beat) && beat.state !== "draining") {
      // It dies or stops: no new work, and those who sit on it hear it from their streams or from here.
      this.drop(beat.id)
      this.workers.set(beat.id, newEntry({ hive, ...beat }))
      return
    }
    known.view = { hive, ...beat }
  }

  // --- workers ---

  /** A worker said `ready` on its stream: it serves from now on, beats only confirm. False: that was known already. */
  workerReady(
    at: { readonly hive: string; readonly worker: WorkerId; readonly device: string; readonly model: string },
    ready: WorkerReady,
    eventId: string | undefined
  ): boolean {
    const owner = this.workers.get(at.worker)?.view.hive
    if (owner !== undefined && owner !== at.hive) return false
    this.heard.set(at.worker, { instance: ready.instance, eventId })
    this.lost.delete(at.worker)
    const known = this.workers.get(at.worker)
    if (known !== undefined && known.view.instance === ready.instance && serving(known.view)) return false
    if (known !== undefined && known.view.instance !== ready.instance) this.drop(at.worker)
    const before = this.workers.get(at.worker)
    const view: WorkerView = {
      load_progress: 1,
      busy: 0,
      tokens_out: 0,
      restarts: 0,
      infers: [],
      ...before?.view,
      id: at.worker,
      hive: at.hive,
      device: at.device,
      model: at.model,
      state: "idle",
      instance: ready.instance,
      url: this.reached(at.hive, ready.url),
      context: ready.context,
      slots: ready.slots,
      exact: ready.exact,
      bits: ready.bits,
      ...(ready.memory_mb === undefined ? {} : { memory_mb: ready.memory_mb }),
      ...(ready.port === undefined ? {} : { port: ready.port })
    }
    if (before === undefined) this.workers.set(at.worker, newEntry(view))
    else before.view = view
    this.exactness.note(view)
    this.sync(at.worker)
    this.changed()
    return true
  }

  /** This life of the worker is over, as somebody who called it has found. */
  workerLost(seat: Pick<Seat, "worker" | "instance">): void {
    if (this.workers.get(seat.worker)?.view.instance !== seat.instance) return
    this.drop(seat.worker)
    this.lost.set(seat.worker, seat.instance)
    this.changed()
  }

  worker(id: WorkerId): WorkerView | undefined {
    return this.workers.get(id)?.view
  }

  /** Serves this worker now, as far as anybody knows? */
  serves(id: WorkerId): boolean {
    const entry = this.workers.get(id)
    return entry !== undefined && serving(entry.view)
  }

  /** The last life of this worker that was ready, and where on its stream that was said. */
  heardOf(id: WorkerId): { readonly instance: string; readonly eventId: string | undefined } | undefined {
    return this.heard.get(id)
  }

  allWorkers(): ReadonlyArray<WorkerView> {
    // the queen's book is newer than the last beat
    return [...this.workers.values()].map(({ view, seats }) =>
      Object.assign({}, view, {
        busy: seats.size,
        state: serving(view) ? (seats.size > 0 ? "busy" : "idle") : view.state
      })
    )
  }

  /** Comes true when this life of the worker has left the view: at once, if it has already. */
  gone(seat: Seat): Effect.Effect<void> {
    return Effect.suspend(() => {
      const entry = this.workers.get(seat.worker)
      return entry !== undefined && this.lives(seat) ? Deferred.await(entry.gone) : Effect.void
    })
  }

  /** Is this life of the worker there, as far as anybody knows? */
  lives(seat: Pick<Seat, "worker" | "instance">): boolean {
    const view = this.workers.get(seat.worker)?.view
    return view?.instance === seat.instance && (serving(view) || view.state === "draining")
  }

  // --- slots ---

  /** Takes a slot for a job, or all of them where it must be alone; undefined when there is none. */
  reserve(workerId: WorkerId, jobId: JobId, alone: boolean): Seat | undefined {
    const entry = this.workers.get(workerId)
    if (entry === undefined || !serving(entry.view) || this.isClosing(workerId)) return undefined
    const free = freeOf(entry)
    if (alone ? free < entry.view.slots : free < 1) return undefined
    entry.seats.set(jobId, alone ? entry.view.slots : 1)
    this.fleet.seen.used(entry.view.model, this.now())
    this.sync(workerId)
    const { id: worker, instance, hive, device } = entry.view
    return { worker, instance, hive, device }
  }

  /** Gives back whatever the job holds. */
  release(jobId: JobId): void {
    let released = false
    for (const [id, { seats }] of this.workers) {
      if (!seats.delete(jobId)) continue
      released = true
      this.sync(id)
    }
    if (released) this.changed()
  }

  /** The seat that the job holds. */
  seatOf(jobId: JobId): Seat | undefined {
    for (const { seats, view } of this.workers.values()) {
      if (seats.has(jobId)) return { worker: view.id, instance: view.instance, hive: view.hive, device: view.device }
    }
    return undefined
  }

  // --- room for others ---

  /** These take no new work, and no others but them. */
  close(workers: ReadonlySet<WorkerId>): void {
    const before = this.closing
    this.closing = workers
    for (const id of new Set([...before, ...workers])) if (before.has(id) !== workers.has(id)) this.sync(id)
  }

  /** Keeps idle workers free for whoever unloads them; false if one of them is not idle (any more). */
  hold(workers: ReadonlyArray<WorkerId>): boolean {
    const entries = workers.map((id) => this.workers.get(id))
    if (entries.some((entry) => entry !== undefined && entry.seats.size > 0)) return false
    for (const id of workers) this.held.add(id)
    for (const id of workers) this.sync(id)
    return true
  }

  letGo(workers: ReadonlyArray<WorkerId>): void {
    for (const id of workers) this.held.delete(id)
    for (const id of workers) this.sync(id)
  }

  /** A worker gives its place to one of its own model, which has more context. */
  reloaded(place: Place, model: string): void {
    const now = this.now()
    for (const [key, at] of this.reloads) if (mayReloadAt(at) <= now) this.reloads.delete(key)
    this.reloads.set(reloadKey(place, model), now)
  }

  /** A worker is asked for: its memory is spoken for before its hive has told of it. Returns what takes that back. */
  starting(jobId: JobId, { device, hive }: Place, model: string): () => void {
    // a name of its own: the worker has none yet
    const worker = WorkerId.make(`for-${jobId}`)
    this.fleet.setResident({
      worker,
      isServing: false,
      hive,
      device,
      model,
      context: 0,
      slots: 0,
      free: 0,
      memoryMb: (this.fleet.seen.bytesOf(model) ?? unknownBytes) / 1e6,
      isPinned: false,
      isClosing: false,
      readyAt: this.now()
    })
    return () => this.fleet.removeResident(worker)
  }

  private isClosing(id: WorkerId): boolean {
    return this.closing.has(id) || this.held.has(id)
  }

  // --- the fleet follows ---

  /** Something changed by which a waiting job may get its turn. */
  changed(): void {
    for (const hive of this.hives.values()) this.syncHive(hive)
    for (const listener of this.listeners) listener()
  }

  /** A hive whose beats are late gets no new work, and neither do its workers. */
  private syncHive({ beats, devices, id, state }: HiveEntry): void {
    const before = this.synced.get(id)
    if (before?.state === state && before.devices === devices && before.beats === beats) return
    this.synced.set(id, { state, devices, beats })
    if (state === "healthy" && devices !== undefined) this.fleet.setHive({ hive: id, devices, beats })
    else this.fleet.removeHive(id)
    if (before?.state === state) return
    for (const [worker, { view }] of this.workers) if (view.hive === id) this.sync(worker)
  }

  private sync(id: WorkerId): void {
    const entry = this.workers.get(id)
    if (entry === undefined || this.hives.get(entry.view.hive)?.state !== "healthy")
      return this.fleet.removeResident(id)
    const isServing = serving(entry.view)
    if (isServing) entry.readyAt ??= this.now()
    const { context, device, hive, memory_mb, model, pinned, slots } = entry.view
    const reloadedAt = this.reloads.get(reloadKey(entry.view, model))
    this.fleet.setResident({
      worker: id,
      isServing,
      hive,
      device,
      model,
      context,
      slots,
      free: freeOf(entry),
      memoryMb: memory_mb ?? (this.fleet.seen.bytesOf(model) ?? 0) / 1e6,
      isPinned: pinned === true,
      isClosing: this.isClosing(id),
      readyAt: entry.readyAt ?? this.now(),
      ...(reloadedAt === undefined ? {} : { reloadedAt })
    })
  }

  /** It will not come back under this id. */
  private forget(workerId: WorkerId): void {
    this.drop(workerId)
    this.heard.delete(workerId)
    this.lost.delete(workerId)
    for (const listener of this.forgotten) listener(workerId)
  }

  private drop(workerId: WorkerId): void {
    const entry = this.workers.get(workerId)
    if (entry === undefined) return
    this.workers.delete(workerId)
    this.fleet.removeResident(workerId)
    Deferred.unsafeDone(entry.gone, Effect.void)
  }
}

const reloadKey = (place: Place, model: string): string => `${placeKey(place)} ${model}`

const newEntry = (view: WorkerView): WorkerEntry => ({
  view,
  seats: new Map(),
  missed: 0,
  readyAt: undefined,
  gone: Deferred.unsafeMake(FiberId.none)
})

const freeOf = (entry: WorkerEntry): number => {
  let taken = 0
  for (const slots of entry.seats.values()) taken += slots
  return Math.max(0, entry.view.slots - taken)
}
