/**
 * Whose turn it is, by start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996): each account has a tag, the
 * device-seconds that it has had over its weight, and the least goes first. What an answer will cost is not known when it
 * begins, which is why this algorithm: it asks for the tags at the start alone. Tags move while answers run, as in Linux's CFS, and
 * so does the credit: who comes back after a while has had no less than the others but for a few seconds, and is served
 * at once; nobody can save up more.
 *
 * A device-second is one of a worker's, parted among the answers that it decodes at that time.
 */
import type { JobId, WorkerId } from "../vocabulary/ids.ts"
import { invariant } from "../invariant.ts"

/** seconds of the share's time that who was away may be behind */
const credit = 5
/** An answer is paused for another account's once its own is so far ahead: less would be a pause for every token. */
const quantum = 2

interface Account {
  /** device-seconds over weight, in the time that all accounts share */
  tag: number
  /** jobs that wait or run */
  readonly jobs: Set<JobId>
  running: number
}
interface Answer {
  readonly account: string
  readonly worker: WorkerId
  /** device-seconds */
  used: number
}
interface Device {
  readonly answers: Map<JobId, Answer>
  /** until when it is counted, milliseconds since 1970 */
  at: number
}

export class FairShare {
  private readonly accounts = new Map<string, Account>()
  private readonly accountOf = new Map<JobId, string>()
  private readonly answers = new Map<JobId, Answer>()
  private readonly workers = new Map<WorkerId, Device>()
  private readonly weightOf: (account: string) => number
  /** the shared time: the least tag of those who wait or run */
  private virtual = 0
  private active = 0

  constructor(weightOf: (account: string) => number) {
    this.weightOf = weightOf
  }

  /** More than one account waits or runs: with one there is nothing to share. */
  isShared(): boolean {
    return this.active > 1
  }

  /** A job waits, or runs, from now on; nothing, if it did. */
  arrive(job: JobId, name: string): void {
    if (this.accountOf.has(job)) return
    this.accountOf.set(job, name)
    const account = this.accounts.get(name) ?? { tag: 0, jobs: new Set(), running: 0 }
    this.accounts.set(name, account)
    if (account.jobs.size === 0) {
      this.advance()
      this.active++
      account.tag = Math.max(account.tag, this.virtual - credit / this.weightOf(name))
    }
    account.jobs.add(job)
  }

  /** It does neither any more. */
  leave(job: JobId): void {
    const name = this.accountOf.get(job)
    const account = name === undefined ? undefined : this.accounts.get(name)
    if (account === undefined) return
    invariant(!this.answers.has(job), () => `job ${job} leaves while it runs`)
    this.accountOf.delete(job)
    account.jobs.delete(job)
    if (account.jobs.size > 0) return
    this.active--
    this.advance()
    // debts are kept as long as somebody is there to whom they matter
    for (const [other, { jobs, tag }] of this.accounts)
      if (jobs.size === 0 && (this.active === 0 || tag <= this.virtual - credit)) this.accounts.delete(other)
  }

  /** It is decoded there from now on. */
  begin(job: JobId, worker: WorkerId, now: number): void {
    const account = this.accountOf.get(job) ?? ""
    invariant(!this.answers.has(job), () => `job ${job} runs twice`)
    const answer = { account, worker, used: 0 }
    const device = this.workers.get(worker) ?? { answers: new Map(), at: now }
    this.settle(device, now)
    this.workers.set(worker, device)
    device.answers.set(job, answer)
    this.answers.set(job, answer)
    const own = this.accounts.get(account)
    if (own !== undefined) own.running++
  }

  /** No more; the device-seconds that it has had. */
  end(job: JobId, now: number): number {
    const answer = this.answers.get(job)
    if (answer === undefined) return 0
    const device = this.workers.get(answer.worker)
    if (device !== undefined) {
      this.settle(device, now)
      device.answers.delete(job)
      if (device.answers.size === 0) this.workers.delete(answer.worker)
    }
    this.answers.delete(job)
    const own = this.accounts.get(answer.account)
    if (own !== undefined) own.running--
    return answer.used
  }

  /** The place in `line` of whoever is next: of equals the first. An answer that runs counts as a quantum more. */
  next(line: ReadonlyArray<JobId>, now: number): number {
    if (!this.isShared() || line.length < 2) return 0
    this.settleAll(now)
    let [best, least] = [0, Number.POSITIVE_INFINITY]
    for (const [at, job] of line.entries()) {
      const name = this.accountOf.get(job) ?? ""
      const account = this.accounts.get(name)
      const tag = account === undefined ? 0 : account.tag + (account.running * quantum) / this.weightOf(name)
      if (tag < least) [best, least] = [at, tag]
    }
    return best
  }

  /** Which of these answers is paused for a job that waits: the newest of the account that is the farthest ahead of its own. */
  paused(waits: JobId, running: ReadonlyArray<JobId>, now: number): JobId | undefined {
    if (!this.isShared()) return undefined
    this.settleAll(now)
    const own = this.accountOf.get(waits)
    let farthest = this.tagOf(own) + quantum
    let found: JobId | undefined
    for (const job of running) {
      const account = this.answers.get(job)?.account
      const tag = this.tagOf(account)
      if (account === own || tag < farthest) continue
      farthest = tag
      found = job
    }
    return found
  }

  private tagOf(account: string | undefined): number {
    return this.accounts.get(account ?? "")?.tag ?? 0
  }

  private settleAll(now: number): void {
    for (const device of this.workers.values()) this.settle(device, now)
  }

  private settle(device: Device, now: number): void {
    const each = Math.max(0, now - device.at) / 1000 / device.answers.size
    device.at = now
    for (const answer of device.answers.values()) {
      answer.used += each
      const account = this.accounts.get(answer.account)
      if (account !== undefined) account.tag += each / this.weightOf(answer.account)
    }
  }

  private advance(): void {
    let least = Number.POSITIVE_INFINITY
    let most = this.virtual
    for (const { jobs, tag } of this.accounts.values()) {
      if (jobs.size > 0) least = Math.min(least, tag)
      most = Math.max(most, tag)
    }
    this.virtual = Math.max(this.virtual, Number.isFinite(least) ? least : most)
  }
}
