/** The live side of `JobLog`: gathers a turn's events, hands them to the journal, then to the readers. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../../protocol/endpoint.ts"
import {
  type JobFacts,
  type JournalError,
  type JournalJob,
  type JournalService,
  lastIdOf,
  type Tokens,
  type Write
} from "../../../layers/journal/index.ts"
import { type RbeeError, rbeeError, sentence } from "../../../machines/errors.ts"
import { invariant } from "../../../machines/invariant.ts"
import { chargeOf } from "../../../machines/people/charge.ts"
import type { TokenLogprob } from "../../../machines/vocabulary/job.ts"
import type { ProgressEvent } from "../../../machines/vocabulary/model.ts"
import { framesOf, numberedToken } from "./frames.ts"
import type { Meters, ModelMeters } from "../metrics/metrics.ts"
import type { Gatherer, JournalLost } from "./commits.ts"
import type { JobLog, Narrate, Shown, Terminal } from "./job-log.ts"
import { JobReader, type Page, type Source } from "./job-reader.ts"
import { RecentFrames } from "./recent-frames.ts"
import { TokenRun } from "./token-run.ts"
import { frameOf } from "../../../protocol/sse.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"
import type { UsageDay } from "../../../machines/vocabulary/people/usage.ts"

/** What all sequences of a queen share. */
export interface Shared {
  readonly journal: JournalService
  /** milliseconds since 1970 */
  readonly now: () => number
  /** The sequence has something to commit at the end of this turn. */
  readonly touched: (sequence: JobSequence) => void
  /** Commits now what was gathered, and waits until it is durable. */
  readonly flush: Effect.Effect<void, JournalLost>
  /** the newest commit that the journal has answered for */
  readonly durable: () => number
  /** Reads of the journal for somebody who has no fiber. Returns how to leave it. */
  readonly read: <A>(work: Effect.Effect<A, JournalError>, then: (result: A | undefined) => void) => () => void
  /** Runs `work` at the end of this turn. */
  readonly later: (work: () => void) => void
  /** tokens and failovers are counted here, what else there is by the job */
  readonly meters: Meters
}

/** tokens of an answer that is not streamed, a row */
const HELD_BATCH = 64

/** characters of events that an unwatched job holds back */
const MOST_HELD = 64 * 1024

/** characters of an answer that wait for the journal, from which its worker waits too */
const MOST_WAITING = 256 * 1024

/** rows of the journal that one turn reads for one reader */
const PAGE = 256

/** What the journal has of a job from before. */
export interface Earlier {
  readonly lastId: number
  /** of a job that is to go on */
  readonly tokens: Tokens | undefined
}

/** What the journal was given, and readers may not see yet. */
interface Taken {
  /** by which commit */
  readonly commit: number
  readonly last: number
  readonly frames: string
  readonly passing: string
  readonly shown: Shown
}

export class JobSequence implements JobLog, Gatherer {
  readonly jobId: JobId
  readonly request: JournalJob["request"]
  readonly createdAt: number
  private readonly shared: Shared
  private known: JobFacts
  private endedAt: number | undefined
  /** ids given out, and those that readers may see: `committed` ≤ `taken` ≤ `last` */
  private last: number
  private committed: number
  private taken: Taken | undefined
  private visible: Shown
  private readonly answer: TokenRun
  private readonly recent = new RecentFrames()
  private readonly readers = new Set<JobReader>()
  private broken: JournalLost | undefined
  private firstTokenId: number | undefined
  /** why it ended, other than done */
  private failure: RbeeError | undefined
  /** who wait until it has begun */
  private readonly waiters = new Set<(begun: Effect.Effect<number, RbeeError>) => void>()
  /** who wait until there is room again */
  private readonly drains: Array<() => void> = []
  // gathered since the last commit began
  private writes: Array<Write> = []
  private frames = ""
  private passing = ""
  private recorded = false
  private dirty = false
  /** what the journal has as its epoch has not been used yet */
  private isEpochFree: boolean
  private meters: ModelMeters | undefined

  /** Without `earlier`: a new one. */
  constructor(shared: Shared, job: JournalJob, earlier?: Earlier) {
    this.shared = shared
    this.jobId = job.id
    this.request = job.request
    this.createdAt = job.createdAt
    this.known = job.facts
    this.endedAt = job.endedAt
    this.last = earlier?.lastId ?? 0
    this.committed = this.last
    this.answer = new TokenRun(job.id, earlier?.tokens ?? job.facts.tokens)
    this.isEpochFree = earlier === undefined
    this.visible = this.asOfNow()
  }

  readonly narrate: Narrate = (line, ids) =>
    this.append("narration", {
      actor: line.actor,
      action: line.action,
      human: line.human,
      level: line.level,
      jobId: this.jobId,
      ...ids,
      modelRef: this.request.model,
      at: this.shared.now()
    })

  readonly progress = (event: ProgressEvent): void => {
    if (this.ended()) return
    // the newest alone: it says all that the earlier ones said
    this.passing = frameOf(undefined, "progress", JSON.stringify(event))
    this.touch()
  }

  readonly stateChanged = (machine: string, id: string, from: string, to: string): void =>
    this.append("state", { machine, id, from, to })

  readonly token: JobLog["token"] = (text, id, logprob) => this.tokenJson(JSON.stringify(text), id, logprob)

  readonly tokenJson: JobLog["tokenJson"] = (json, id, logprob) => {
    if (this.endedAt !== undefined) return
    if (logprob !== undefined) this.likelihood(logprob)
    this.meters ??= this.shared.meters.model(this.request.model)
    this.meters.generatedTokens++
    if (this.request.stream === false) {
      this.answer.add(0, json, id)
      // nobody sees them before the end: what is not written yet is decoded again by the next queen
      if (this.answer.waiting() >= HELD_BATCH || this.isFull()) this.gather()
      return
    }
    const eventId = ++this.last
    this.firstTokenId ??= eventId
    this.frames += numberedToken(eventId, this.answer.count, json)
    this.answer.add(eventId, json, id)
    this.touch()
  }

  /** An event of its own, before its token and in one commit with it. */
  private likelihood(logprob: TokenLogprob): void {
    this.append("logprobs", { i: this.answer.count, ...logprob })
    if (this.request.stream !== false) this.firstTokenId ??= this.last
  }

  readonly failover: JobLog["failover"] = (from, to, marks) => {
    if (this.ended()) return
    this.shared.meters.model(this.request.model).failovers++
    this.append("failover", { tokens: this.answer.count, from, to, ...marks })
  }

  readonly end = (terminal: Terminal): void => {
    if (this.ended()) return
    const tokens = this.answer.count
    switch (terminal._tag) {
      case "Done": {
        const { finish_reason, timings, usage } = terminal.event
        if (this.request.stream === false) this.append("token", { i: 0, t: this.answer.text() })
        this.append("done", terminal.event)
        this.record({ state: "done", tokens, finish_reason, timings, usage })
        break
      }
      case "Error": {
        const { error } = terminal
        const event = {
          code: error.code,
          message: sentence(error),
          details: { ...error.details, status: error.status }
        }
        this.append("error", event)
        this.record({ state: "failed", tokens, error: event })
        this.failure = error
        break
      }
      case "Cancelled":
        this.append("cancelled", {})
        this.record({ state: "cancelled", tokens })
        this.failure = rbeeError("CANCELLED", "the job was cancelled")
    }
    const charge = chargeOf(this.known)
    if (charge !== undefined) this.shared.meters.charged(charge)
    // readers get it after the events of its turn, and after the last one nothing
    this.passing = ""
    this.endedAt = this.shared.now()
    this.gather()
  }

  readonly ended = (): boolean => this.endedAt !== undefined
  readonly tokens = (): number => this.answer.count
  readonly text = (): string => this.answer.text()
  readonly isFull = (): boolean => this.answer.waitingLength() >= MOST_WAITING
  readonly drain = (resume: () => void): void => {
    if (this.isFull()) this.drains.push(resume)
    else resume()
  }
  readonly tokenIds = (): ReadonlyArray<number> => this.answer.idsSoFar()
  readonly facts = (): JobFacts => this.known

  readonly record = (patch: Partial<JobFacts>): void => {
    this.known = { ...this.known, ...patch }
    this.recorded = true
    this.touch()
  }

  readonly sync = Effect.suspend(() => {
    if (!this.isPending()) return this.broken === undefined ? Effect.void : Effect.fail(this.broken)
    this.gather()
    return this.shared.flush
  })

  readonly nextEpoch = Effect.suspend(() => {
    if (!this.isEpochFree) this.record({ epoch: this.known.epoch + 1 })
    const { epoch } = this.known
    if (this.isEpochFree) {
      this.isEpochFree = false
      return Effect.succeed(epoch)
    }
    return Effect.as(this.sync, epoch)
  })

  readonly shown = (): Shown => this.visible
  readonly look = Effect.suspend(() => Effect.map(this.isHeld() ? this.sync : Effect.void, this.shown))

  /** Has what it held back committed at the end of this turn; false: it held nothing back. */
  release(): boolean {
    const isHeld = this.isHeld()
    if (isHeld) this.gather()
    return isHeld
  }

  readonly begun = Effect.async<number, RbeeError>((resume) => {
    const begun = this.beginning()
    if (begun !== undefined) return resume(begun)
    this.waiters.add(resume)
    return Effect.sync(() => this.waiters.delete(resume))
  })

  readonly feed =
    (lastEventId?: string): EventFeed =>
    (sink) =>
      Effect.async<void, RbeeError>((resume) => {
        if (this.broken !== undefined) return resume(Effect.fail(this.broken))
        const reader = new JobReader(this.source, sink, cursorOf(lastEventId), (failure) => {
          this.readers.delete(reader)
          resume(failure === undefined ? Effect.void : Effect.fail(failure))
        })
        this.readers.add(reader)
        this.release()
        reader.pump()
        return Effect.sync(() => {
          reader.close()
          this.readers.delete(reader)
        })
      })

  /** What it has used so far; undefined once the journal has charged it. */
  charge(): UsageDay | undefined {
    return this.visible.endedAt === undefined ? chargeOf({ ...this.known, tokens: this.answer.count }) : undefined
  }

  /** Nobody reads it and nothing waits to be committed. */
  idle(): boolean {
    return this.readers.size === 0 && !this.isPending()
  }

  /** Adds what was gathered to what the journal is given. */
  take(all: Array<Write>, commit: number): void {
    invariant(this.taken === undefined, () => `${this.jobId} is committed while a commit of it is under way`)
    invariant(this.committed <= this.last, () => `${this.jobId} has shown ${this.committed} of ${this.last} events`)
    this.answer.close(this.writes)
    for (const write of this.writes) all.push(write)
    if (this.recorded) all.push({ _tag: "Facts", job: this.jobId, facts: this.known, endedAt: this.endedAt })
    this.taken = { commit, last: this.last, frames: this.frames, passing: this.passing, shown: this.asOfNow() }
    if (this.writes.length > 0) this.writes = []
    this.frames = ""
    this.passing = ""
    this.recorded = false
    this.dirty = false
  }

  /** What was taken is durable: readers may see it. */
  publish(): void {
    const { taken } = this
    invariant(
      taken !== undefined && taken.commit <= this.shared.durable(),
      () => `events of ${this.jobId} are shown before they are committed`
    )
    const { frames, last, passing, shown } = taken
    const first = this.committed + 1
    this.taken = undefined
    this.committed = last
    this.visible = shown
    if (frames !== "") this.recent.add(first, last, frames)
    for (const reader of this.readers) reader.published(first, last, frames, passing)
    this.wakeWaiters()
    if (this.drains.length > 0 && !this.isFull()) for (const resume of this.drains.splice(0)) resume()
  }

  /** The journal is lost: cuts all readers; none of them has seen what was not committed. */
  fault(error: JournalLost): void {
    this.broken = error
    for (const reader of this.readers) reader.fail(error)
    this.wakeWaiters()
  }

  /** Undefined as long as there is neither a token nor an end to be seen. */
  private beginning(): Effect.Effect<number, RbeeError> | undefined {
    if (this.broken !== undefined) return this.broken
    if (this.firstTokenId !== undefined && this.firstTokenId <= this.committed)
      return Effect.succeed(this.firstTokenId - 1)
    if (this.endedAt === undefined || this.committed < this.last) return undefined
    return this.failure ?? Effect.succeed(this.last - 1)
  }

  private wakeWaiters(): void {
    const begun = this.waiters.size === 0 ? undefined : this.beginning()
    if (begun === undefined) return
    for (const resume of this.waiters) resume(begun)
    this.waiters.clear()
  }

  private append(event: string, data: unknown): void {
    if (this.endedAt !== undefined) return
    const json = JSON.stringify(data)
    const id = ++this.last
    this.answer.close(this.writes)
    this.writes.push({ _tag: "Event", job: this.jobId, id, event, data: json })
    this.frames += frameOf(id, event, json)
    this.touch()
  }

  /** There is something that is not durable. */
  private isPending(): boolean {
    return this.dirty || this.taken !== undefined || this.holds()
  }

  /** Something is not in the journal's hands yet. */
  private holds(): boolean {
    return this.recorded || this.writes.length > 0 || this.answer.waiting() > 0
  }

  /** It waits for the job's end, or for somebody to look. */
  private isHeld(): boolean {
    return !this.dirty && this.holds()
  }

  /** As the journal has it once all that was gathered is durable. */
  private asOfNow(): Shown {
    const { createdAt, endedAt, jobId: id, known: facts, request } = this
    return { id, request, createdAt, facts, endedAt, tokens: this.answer.count }
  }

  /** What nobody watches is committed in one piece: with the end, or when somebody looks. */
  private touch(): void {
    const isWatched = this.request.stream !== false || this.readers.size > 0 || this.frames.length > MOST_HELD
    if (isWatched) this.gather()
  }

  private gather(): void {
    if (this.dirty) return
    this.dirty = true
    this.shared.touched(this)
  }

  private readonly source: Source = {
    committed: () => this.committed,
    complete: () => this.endedAt !== undefined && this.committed === this.last,
    later: (work) => this.shared.later(work),
    recent: (id) => this.recent.after(id),
    page: (id, then) => this.page(id, then)
  }

  /** Frames after `id` from the journal; none if it cannot be read any more (the job was removed). */
  private page(id: number, then: (page: Page | undefined) => void): () => void {
    return this.shared.read(this.shared.journal.replay(this.jobId, id, PAGE), (rows = []) => {
      // the journal may have a commit that it has not yet answered
      const seen = rows.filter((row) => lastIdOf(row) <= this.committed)
      const newest = seen.at(-1)
      then(newest && { frames: seen.map((row) => framesOf(row, id)).join(""), last: lastIdOf(newest) })
    })
  }
}

/** Absent or no number: everything. */
const cursorOf = (lastEventId = ""): number => (/^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : 0)
