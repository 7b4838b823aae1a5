/** Who sits on which slot: the queen's own book. Every method is one step, so a slot is taken or it is not. */
import type { JobId, WorkerId } from "../../../machines/vocabulary/ids.ts"
import { invariant } from "../../../machines/invariant.ts"
import type { SlotLease } from "../../../machines/job.ts"
import { freeOf, serving, type WorkerEntry } from "./worker-entry.ts"

export class SlotBook {
  private readonly workers: ReadonlyMap<WorkerId, WorkerEntry>
  /** a worker has another number of free slots, or takes no new work, or does again */
  private readonly onChange: (workerId: WorkerId) => void
  /** workers that take no new work, because a job has waited long for their memory, or is about to have it */
  private closing: ReadonlySet<WorkerId> = new Set()
  private readonly held = new Set<WorkerId>()
  /** by job: the lives of workers on which it holds slots */
  private readonly holders = new Map<JobId, Set<WorkerEntry>>()

  constructor(workers: ReadonlyMap<WorkerId, WorkerEntry>, onChange: (workerId: WorkerId) => void) {
    this.workers = workers
    this.onChange = onChange
  }

  /** Takes a slot for a job, or all of them where it must be alone; undefined when there is none. */
  reserve(workerId: WorkerId, jobId: JobId, alone: boolean): SlotLease | undefined {
    const entry = this.workers.get(workerId)
    if (entry === undefined || !serving(entry.view) || this.isClosing(workerId)) return undefined
    const { slots } = entry.view
    const own = entry.leases.get(jobId) ?? 0
    const free = freeOf(entry)
    if (alone ? free < slots : free < 1) return undefined
    invariant(own === 0 || !alone, () => `job ${jobId} takes worker ${workerId} that it has already`)
    entry.leases.set(jobId, alone ? slots : 1)
    const holds = this.holders.get(jobId)
    if (holds === undefined) this.holders.set(jobId, new Set([entry]))
    else holds.add(entry)
    invariant(takenOf(entry) <= slots, () => `${takenOf(entry)} of ${slots} slots of worker ${workerId} are taken`)
    this.onChange(workerId)
    return leaseOn(entry)
  }

  /** Gives back whatever the job holds; true if it held anything. */
  release(jobId: JobId): boolean {
    const holds = this.holders.get(jobId)
    if (holds === undefined) return false
    this.holders.delete(jobId)
    for (const { leases, view } of holds) {
      invariant(leases.delete(jobId), () => `job ${jobId} is to give back a slot of worker ${view.id} that it has not`)
      this.onChange(view.id)
    }
    invariant(this.leaseOf(jobId) === undefined, () => `job ${jobId} holds a slot that it gave back`)
    return true
  }

  /** This life of a worker is over, and with it whatever jobs held of it. */
  dropped(entry: WorkerEntry): void {
    for (const jobId of entry.leases.keys()) {
      const holds = this.holders.get(jobId)
      invariant(holds?.delete(entry) === true, () => `job ${jobId} held a slot of a worker without knowing`)
      if (holds.size === 0) this.holders.delete(jobId)
    }
  }

  /** The slot that the job holds. */
  leaseOf(jobId: JobId): SlotLease | undefined {
    const [entry] = this.holders.get(jobId) ?? []
    if (entry === undefined) return undefined
    const { leases, view } = entry
    invariant(
      leases.has(jobId) && this.workers.get(view.id) === entry,
      () => `job ${jobId} holds a slot of worker ${view.id} that is not in its book`
    )
    return leaseOn(entry)
  }

  /** How many jobs hold a slot. */
  get holding(): number {
    return this.holders.size
  }

  /** These take no new work, and no others but them. */
  close(workers: ReadonlySet<WorkerId>): void {
    const before = this.closing
    this.closing = workers
    for (const id of new Set([...before, ...workers])) if (before.has(id) !== workers.has(id)) this.onChange(id)
  }

  /** Keeps idle workers free for whoever unloads them; false if one of them is not idle (any more). */
  hold(workers: ReadonlyArray<WorkerId>): boolean {
    const entries = workers.map((id) => this.workers.get(id))
    if (entries.some((entry) => entry !== undefined && entry.leases.size > 0)) return false
    for (const id of workers) this.held.add(id)
    for (const id of workers) this.onChange(id)
    return true
  }

  letGo(workers: ReadonlyArray<WorkerId>): void {
    for (const id of workers) this.held.delete(id)
    for (const id of workers) this.onChange(id)
  }

  isClosing(id: WorkerId): boolean {
    return this.closing.has(id) || this.held.has(id)
  }
}

const leaseOn = ({ view: { device, hive, id: worker, instance } }: WorkerEntry): SlotLease => ({
  worker,
  instance,
  hive,
  device
})

const takenOf = ({ leases }: WorkerEntry): number => [...leases.values()].reduce((sum, slots) => sum + slots, 0)
