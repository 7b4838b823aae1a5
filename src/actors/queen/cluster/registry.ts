/**
 * The one owner of what is known of hives and of the lives of their workers, from their beats and from the workers' own
 * streams. A worker's life only moves forward: an older word on it is ignored.
 */
import type { WorkerId, HiveId, DeviceId, ModelRef } from "../../../machines/vocabulary/ids.ts"
import type { WorkerReady } from "../../../protocol/hive.ts"
import { invariant } from "../../../machines/invariant.ts"
import type { SlotLease } from "../../../machines/job.ts"
import type { Place } from "../../../machines/policy/placement/place.ts"
import type { Gpu } from "../../../machines/vocabulary/device.ts"
import type { Heartbeat, WorkerView } from "../../../machines/vocabulary/hive.ts"
import { reachedLike, type SshPlace } from "../../../machines/vocabulary/place.ts"
import type { WorkerBeat } from "../../../machines/vocabulary/worker.ts"
import { type ClaimedHive, type HiveEntry, newHive } from "./hive-entry.ts"
import { newEntry, serving, type WorkerEntry } from "./worker-entry.ts"

/** A beat under way when a worker became ready does not name it yet; two in a row that do not mean that it is gone. */
const missedMax = 2

/** Who follows what changes here. */
export interface Followers {
  /** this worker's word is newer, or it is a new life of it */
  readonly onWorker: (worker: WorkerView) => void
  /** this life of it has left, with whoever sat on it */
  readonly onDropped: (entry: WorkerEntry) => void
  /** it will not come back under this id */
  readonly onForgotten: (workerId: WorkerId) => void
}

export class Registry {
  readonly hives = new Map<HiveId, HiveEntry>()
  readonly workers = new Map<WorkerId, WorkerEntry>()
  /** the same workers by their hives: a beat asks for those of one */
  private readonly byHive = new Map<HiveId, Set<WorkerEntry>>()
  /** of each worker the last life that was found dead: a beat that was under way may still call it alive */
  private readonly lost = new Map<string, string>()
  /** of each worker the last life that was ready, and the id of the event that said so */
  private readonly heard = new Map<string, { readonly instance: string; readonly eventId: string | undefined }>()
  private readonly followers: Followers

  constructor(followers: Followers) {
    this.followers = followers
  }

  /** Undefined: the CPU, or a device that is not known. */
  gpu(place: Place): Gpu | undefined {
    return this.hives.get(place.hive)?.devices?.gpus.find(({ id }) => id === place.device)
  }

  addHive(id: HiveId, ssh?: SshPlace): HiveEntry {
    const known = this.hives.get(id)
    if (known !== undefined) return known
    const entry = newHive(id, ssh)
    this.hives.set(id, entry)
    return entry
  }

  removeHive(id: HiveId): void {
    this.hives.delete(id)
    this.dropWorkers(id)
  }

  /** The hive is gone, or out of reach: so are its workers. */
  dropWorkers(hiveId: HiveId): void {
    for (const { view } of this.workersOn(hiveId)) this.forget(view.id)
    invariant(!this.byHive.has(hiveId), () => `hive ${hiveId} is gone and has workers`)
  }

  countOn(hive: HiveId): number {
    return this.byHive.get(hive)?.size ?? 0
  }

  /** As they are now: they may be dropped meanwhile. */
  workersOn(hive: HiveId): ReadonlyArray<WorkerEntry> {
    return [...(this.byHive.get(hive) ?? [])]
  }

  /** This process of the hive is the queen's from now on, with what it said already. */
  claim(id: HiveId, process: ClaimedHive, now: number): void {
    const hive = this.hives.get(id)
    invariant(hive !== undefined, () => `hive ${id} is claimed and not known`)
    const { heard } = hive
    hive.claim(process, now)
    if (heard?.instance === process.instance) this.confirm(heard, now)
  }

  /** Takes over what a heartbeat says; false: of a hive or a process that is not the queen's. */
  confirm(beat: Heartbeat, now: number): boolean {
    const hive = this.hives.get(beat.hive_id)
    if (hive?.beat(beat, now) !== true) return false
    const named = new Set<string>()
    for (const worker of beat.workers) {
      named.add(worker.id)
      const { url } = worker
      this.confirmWorker(beat.hive_id, url === undefined ? worker : { ...worker, url: this.reached(beat.hive_id, url) })
    }
    for (const entry of this.workersOn(beat.hive_id)) {
      const { id } = entry.view
      entry.missed = named.has(id) ? 0 : entry.missed + 1
      if (entry.missed >= missedMax) this.forget(id)
    }
    return true
  }

  /** Where what runs beside a hive is reached from here. */
  reached(hive: HiveId, url: string): string {
    return reachedLike(this.hives.get(hive)?.claimed?.url, url)
  }

  private confirmWorker(hive: HiveId, beat: WorkerBeat): void {
    const known = this.workers.get(beat.id)
    // ids are each hive's own to give, and no hive speaks for another one's workers
    if (known !== undefined && known.view.hive !== hive) return
    if (!(serving(beat) && this.lost.get(beat.id) === beat.instance)) this.takeOver({ hive, ...beat }, known)
    const now = this.workers.get(beat.id)
    if (now !== undefined) this.followers.onWorker(now.view)
  }

  private takeOver(said: WorkerView, known: WorkerEntry | undefined): void {
    if (known === undefined) return this.begin(said)
    // a new life: whoever sat on the old one has lost it
    if (known.view.instance !== said.instance) return this.begin(said)
    // `ready` came on the worker's own stream, faster than the beat that still says loading
    if (serving(known.view) && (said.state === "waking" || said.state === "loading")) return
    // it dies or stops: no new work, and those who sit on it hear it from their streams or from here
    if (serving(known.view) && !serving(said) && said.state !== "draining") return this.begin(said)
    known.view = said
  }

  /** A life begins; the one before it is over. */
  private begin(view: WorkerView): void {
    this.drop(view.id)
    this.enter(view)
  }

  private enter(view: WorkerView): void {
    invariant(!this.workers.has(view.id), () => `worker ${view.id} is entered twice`)
    const entry = newEntry(view)
    this.workers.set(view.id, entry)
    const beside = this.byHive.get(view.hive)
    if (beside === undefined) this.byHive.set(view.hive, new Set([entry]))
    else beside.add(entry)
  }

  /** A worker said `ready` on its stream: it serves from now on, beats only confirm. False: that was known already. */
  workerReady(
    at: { readonly hive: HiveId; readonly worker: WorkerId; readonly device: DeviceId; readonly model: ModelRef },
    ready: WorkerReady,
    eventId: string | undefined
  ): boolean {
    invariant(at.worker !== "" && ready.slots > 0, "a worker without a name, or without slots, is ready")
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
      kv_type: ready.kv_type,
      asked: ready.asked,
      exact: ready.exact,
      bits: ready.bits,
      exact_how: ready.exact_how,
      ...(ready.memory_mb === undefined ? {} : { memory_mb: ready.memory_mb }),
      ...(ready.port === undefined ? {} : { port: ready.port })
    }
    if (before === undefined) this.enter(view)
    else before.view = view
    this.followers.onWorker(view)
    return true
  }

  /** This life of the worker is over, as somebody who called it has found. False: that was known already. */
  workerLost(lease: Pick<SlotLease, "worker" | "instance">): boolean {
    if (this.workers.get(lease.worker)?.view.instance !== lease.instance) return false
    this.drop(lease.worker)
    this.lost.set(lease.worker, lease.instance)
    return true
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

  /** Calls `then` once this life of the worker has left the view: at once, if it has already. What it returns ends that. */
  onGone(lease: SlotLease, then: () => void): () => void {
    const entry = this.workers.get(lease.worker)
    if (entry === undefined || !this.lives(lease)) {
      then()
      return () => {}
    }
    const { onGone } = entry
    onGone.add(then)
    return () => void onGone.delete(then)
  }

  /** Is this life of the worker there, as far as anybody knows? */
  lives(lease: Pick<SlotLease, "worker" | "instance">): boolean {
    const view = this.workers.get(lease.worker)?.view
    return view?.instance === lease.instance && (serving(view) || view.state === "draining")
  }

  /** It will not come back under this id. */
  private forget(workerId: WorkerId): void {
    this.drop(workerId)
    this.heard.delete(workerId)
    this.lost.delete(workerId)
    this.followers.onForgotten(workerId)
  }

  private drop(workerId: WorkerId): void {
    const entry = this.workers.get(workerId)
    if (entry === undefined) return
    this.workers.delete(workerId)
    const { hive } = entry.view
    const beside = this.byHive.get(hive)
    invariant(beside?.delete(entry) === true, () => `worker ${workerId} was not one of hive ${hive}`)
    if (beside.size === 0) this.byHive.delete(hive)
    this.followers.onDropped(entry)
    for (const then of entry.onGone) then()
  }
}
