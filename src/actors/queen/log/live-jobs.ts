/** The jobs that have not ended, each with its actor: who waits, who holds what, and whether the queen has work. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { invariant } from "../../../machines/invariant.ts"
import type { jobMachine } from "../../../machines/job.ts"
import type { JobId, HiveId } from "../../../machines/vocabulary/ids.ts"
import type { MachineActor } from "../../core/machine/machine-actor.ts"
import type { JobLog } from "./job-log.ts"

export interface LiveJob {
  readonly log: JobLog
  /** undefined: it is about to start */
  actor: MachineActor<typeof jobMachine> | undefined
}

class LiveBook {
  private readonly jobs = new Map<JobId, LiveJob>()
  /** by account: how many of them are charged to it */
  private readonly charged = new Map<string, number>()
  private readonly busyListeners = new Set<(isBusy: boolean) => void>()
  private readonly endListeners = new Set<(log: JobLog) => void>()

  /** Called when the first job begins, and when the last one has ended. */
  onBusy(listener: (isBusy: boolean) => void): void {
    this.busyListeners.add(listener)
  }

  /** Called after the end of each. */
  onEnd(listener: (log: JobLog) => void): void {
    this.endListeners.add(listener)
  }

  begin(log: JobLog): LiveJob {
    invariant(!this.jobs.has(log.jobId), () => `job ${log.jobId} lives twice`)
    const job: LiveJob = { log, actor: undefined }
    this.jobs.set(log.jobId, job)
    this.count(log, 1)
    if (this.jobs.size === 1) for (const listener of this.busyListeners) listener(true)
    return job
  }

  /** It is none of them any more, however it went. */
  leave(id: JobId): void {
    const job = this.jobs.get(id)
    if (job !== undefined && this.jobs.delete(id)) this.count(job.log, -1)
  }

  private count(log: JobLog, more: 1 | -1): void {
    const account = log.facts().charged?.to
    if (account === undefined) return
    const count = (this.charged.get(account) ?? 0) + more
    invariant(count >= 0, () => `${account} has fewer jobs than none`)
    if (count === 0) this.charged.delete(account)
    else this.charged.set(account, count)
  }

  /** It has left at its end. */
  ended(log: JobLog): void {
    invariant(!this.jobs.has(log.jobId), () => `job ${log.jobId} has ended and lives`)
    for (const listener of this.endListeners) listener(log)
    if (!this.isBusy) for (const listener of this.busyListeners) listener(false)
  }

  get(id: JobId): LiveJob | undefined {
    return this.jobs.get(id)
  }

  get all(): ReadonlyArray<LiveJob> {
    return [...this.jobs.values()]
  }

  get logs(): ReadonlyArray<JobLog> {
    return this.all.map(({ log }) => log)
  }

  get isBusy(): boolean {
    return this.jobs.size > 0
  }

  get size(): number {
    return this.jobs.size
  }

  /** How many are charged to this account. */
  of(account: string): number {
    return this.charged.get(account) ?? 0
  }

  /** Those that have their place on this hive. */
  on(hive: HiveId): number {
    return this.logs.filter((log) => log.facts().placement?.hive === hive).length
  }
}

export class LiveJobs extends Context.Tag("rbee/queen/LiveJobs")<LiveJobs, LiveBook>() {
  static readonly layer = Layer.sync(LiveJobs, () => new LiveBook())
}
