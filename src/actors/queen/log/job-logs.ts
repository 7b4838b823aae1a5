/** The jobs of one queen over its journal: one commit a turn for all of them, retention, what a new queen continues. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { Journal, type JournalError, type JournalJob, type NewJob } from "../../../layers/journal/index.ts"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { Turns } from "../../../layers/turns/index.ts"
import { rbeeError } from "../../../machines/errors.ts"
import { dayBefore, dayOf, daysKept } from "../../../machines/people/day.ts"
import { Commits, type JournalLost, journalLost } from "./commits.ts"
import { JobLogs, type OpenJob } from "./job-log.ts"
import { noSuchJob } from "./own-jobs.ts"
import { type Earlier, JobSequence, type Shared } from "./job-sequence.ts"
import { Metrics } from "../metrics/metrics.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"

export interface Retention {
  /** ended jobs are forgotten after this time, milliseconds */
  readonly retentionMs: number
  /** and beyond this many */
  readonly retentionJobs: number
}

/** ended jobs whose newest events stay in memory, for readers that come back */
const ENDED_KEPT = 32
const SWEEP = "1 minute"

// long: the calls of one journal over one book of open jobs, each of them short
export const makeJobLogs = (retention: Retention) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const { atEndOfTurn } = yield* Turns
    const clock = yield* Effect.clock
    const runtime = yield* Effect.runtime()
    const fault = yield* Deferred.make<never, JournalLost>()
    /** every job that is not ended, and some that are */
    const live = new Map<JobId, JobSequence>()
    /** the log has grown since the last checkpoint */
    let grown = false

    const commits = new Commits(journal, atEndOfTurn, (error) => {
      for (const sequence of live.values()) sequence.fault(error)
      Deferred.unsafeDone(fault, Effect.fail(error))
    })
    const shared: Shared = {
      journal,
      now: () => clock.unsafeCurrentTimeMillis(),
      touched: (sequence) => {
        grown = true
        commits.gather(sequence)
      },
      flush: commits.flush,
      durable: () => commits.durable,
      read: (work, then) =>
        Runtime.runCallback(runtime)(work, {
          onExit: (exit) => then(Exit.isSuccess(exit) ? exit.value : undefined)
        }),
      later: atEndOfTurn,
      meters: yield* Metrics
    }

    const keep = (job: JournalJob, earlier?: Earlier): JobSequence => {
      const sequence = live.get(job.id) ?? new JobSequence(shared, job, earlier)
      live.set(sequence.jobId, sequence)
      if (commits.lost !== undefined) sequence.fault(commits.lost)
      if (live.size > ENDED_KEPT) forgetEnded()
      return sequence
    }
    const forgetEnded = (): void => {
      let ended = 0
      for (const sequence of [...live.values()].reverse())
        if (sequence.ended() && ++ended > ENDED_KEPT && sequence.idle()) live.delete(sequence.jobId)
    }
    const loaded = (job: JournalJob): Effect.Effect<JobSequence, JournalLost> =>
      Effect.suspend(() => {
        const found = live.get(job.id)
        if (found !== undefined) return Effect.succeed(found)
        const isOver = job.endedAt !== undefined && job.facts.tokens !== undefined
        const tokens = isOver ? Effect.succeed(undefined) : journal.tokens(job.id)
        const earlier = Effect.zipWith(journal.lastId(job.id), tokens, (lastId, tokens) => ({ lastId, tokens }))
        return Effect.mapBoth(earlier, { onSuccess: (all) => keep(job, all), onFailure: journalLost })
      })
    /** From here on every job that has not ended is one of `live`. */
    yield* Effect.forEach(yield* Effect.mapError(journal.unfinished, journalLost), loaded, { discard: true })

    /** Those that nobody watched have held something back. */
    const released = (): boolean => {
      let isAny = false
      for (const sequence of live.values()) isAny = sequence.release() || isAny
      return isAny
    }
    yield* Effect.addFinalizer(() => Effect.zipRight(Effect.sync(released), commits.close))
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.gen(function* () {
          yield* Effect.sleep(SWEEP)
          yield* forgetOld(journal, retention, shared.now, (id) => live.delete(id))
          yield* journal.forgetUsage(dayBefore(shared.now(), daysKept))
          // the disk is waited for while nobody waits for a token
          if (!grown || [...live.values()].some((sequence) => !sequence.ended())) return
          grown = false
          yield* journal.checkpoint
        }).pipe(
          Effect.catchAll((failure) => Effect.logWarning("the journal was not swept", { reason: failure.message }))
        )
      )
    )

    const open = ({ account, id, idempotencyKey, owner, request }: OpenJob) =>
      Effect.gen(function* () {
        if (commits.lost !== undefined) return yield* commits.lost
        const now = shared.now()
        const job: NewJob = {
          id,
          request,
          key: idempotencyKey,
          createdAt: now,
          facts: {
            state: "queued",
            // of its first infer, which so need not wait for the journal once more
            epoch: 1,
            failovers: 0,
            timings: {},
            ...(owner === undefined ? {} : { owner }),
            ...(account === undefined ? {} : { charged: { to: account, day: dayOf(now) } })
          }
        }
        const earlier = yield* Effect.mapError(journal.create(job), journalLost).pipe(
          // it may be there all the same
          Effect.onInterrupt(() => Effect.ignore(journal.remove(id)))
        )
        if (earlier === undefined) return { log: keep({ ...job, endedAt: undefined }), fresh: true }
        if (yield* Effect.mapError(journal.isSame(earlier.id, request), journalLost))
          return { log: yield* loaded(earlier), fresh: false }
        return yield* rbeeError("CONFLICT", "this Idempotency-Key came before with another request", "Use a new key", {
          job_id: earlier.id
        })
      })

    const get = (jobId: JobId) =>
      Effect.gen(function* () {
        const found = live.get(jobId)
        if (found !== undefined) return found
        const job = yield* Effect.mapError(journal.job(jobId), journalLost)
        // one that is being made is not there yet
        if (job === undefined || (job.endedAt === undefined && !live.has(jobId))) return yield* noSuchJob(jobId)
        return yield* loaded(job)
      })

    return JobLogs.of({
      open,
      get,
      list: (limit = 1000) =>
        Effect.zipRight(
          Effect.suspend(() => (released() ? commits.flush : Effect.void)),
          Effect.mapBoth(journal.jobs(limit), {
            onSuccess: (jobs) => jobs.map((job) => live.get(job.id)?.shown() ?? job),
            onFailure: journalLost
          })
        ),
      unfinished: () => [...live.values()].filter((sequence) => !sequence.ended()),
      usage: (since) =>
        Effect.mapBoth(journal.usage(since), {
          onSuccess: (ended) => [
            ...ended,
            ...[...live.values()].flatMap((sequence) => sequence.charge() ?? []).filter(({ day }) => day >= since)
          ],
          onFailure: journalLost
        }),
      remove: (jobId) =>
        Effect.suspend(() => {
          live.delete(jobId)
          return Effect.mapError(journal.remove(jobId), journalLost)
        }),
      faulted: Deferred.await(fault)
    })
  })

const forgetOld = (
  journal: Journal["Type"],
  retention: Retention,
  now: () => number,
  forgotten: (id: JobId) => void
): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    for (;;) {
      const ids = yield* journal.forget(now() - retention.retentionMs, retention.retentionJobs)
      for (const id of ids) forgotten(id)
      if (ids.length === 0) return
      // a pause for those who wait for tokens
      yield* Effect.sleep("20 millis")
    }
  })

export const layer = Layer.scoped(
  JobLogs,
  Effect.flatMap(CurrentSettings, ({ queen }) => makeJobLogs(queen))
)
