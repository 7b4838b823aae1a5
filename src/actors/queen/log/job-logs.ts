/** The jobs of one queen over its journal: one commit a turn for all of them, retention, what a new queen continues. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Journal, type JournalJob, type NewJob, type Steps, type Write } from "../../../layers/journal/index.ts"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { Turns } from "../../../layers/turns/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { JobLogs } from "./job-log.ts"
import { noSuchJob } from "./own-jobs.ts"
import { JobSequence, type Shared } from "./job-sequence.ts"
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
    const turns = yield* Turns
    const clock = yield* Effect.clock
    const meters = yield* Metrics
    const fault = yield* Deferred.make<never, RbeeError<"DISK_FULL" | "INTERNAL">>()
    /** every job that is not ended, and some that are */
    const live = new Map<JobId, JobSequence>()
    const dirty = new Set<JobSequence>()
    /** the log has grown since the last checkpoint */
    let grown = false
    /** A commit failed: what came after it would leave a gap, so nothing is written any more. */
    let lost: RbeeError<"DISK_FULL" | "INTERNAL"> | undefined

    const commit = (): void => {
      if (dirty.size === 0) return
      const sequences = [...dirty]
      dirty.clear()
      if (lost !== undefined) return
      try {
        const writes: Array<Write> = []
        for (const sequence of sequences) sequence.take(writes)
        journal.commit(writes)
      } catch (reason) {
        const error = journalLost(reason)
        lost = error
        for (const sequence of live.values()) sequence.fault(error)
        Deferred.unsafeDone(fault, Effect.fail(error))
        return
      }
      grown = true
      for (const sequence of sequences) sequence.publish()
    }

    const shared: Shared = {
      journal,
      now: () => clock.unsafeCurrentTimeMillis(),
      touched: (sequence) => {
        if (dirty.size === 0) turns.atEndOfTurn(commit)
        dirty.add(sequence)
      },
      commitNow: commit,
      later: turns.atEndOfTurn,
      meters
    }

    const keep = (sequence: JobSequence): JobSequence => {
      live.set(sequence.jobId, sequence)
      if (lost !== undefined) sequence.fault(lost)
      if (live.size > ENDED_KEPT) forgetEnded()
      return sequence
    }
    const forgetEnded = (): void => {
      let ended = 0
      for (const sequence of [...live.values()].reverse())
        if (sequence.ended() && ++ended > ENDED_KEPT && sequence.idle()) live.delete(sequence.jobId)
    }
    const loaded = (job: JournalJob): JobSequence => live.get(job.id) ?? keep(new JobSequence(shared, job, false))

    const nextTurn = Effect.async<void>((resume) => turns.atEndOfTurn(() => resume(Effect.void)))
    /** Does it a step a turn; what takes one step is done at once. */
    const inTurns = <A>(steps: Steps<A>): Effect.Effect<A, RbeeError<"DISK_FULL" | "INTERNAL">> =>
      Effect.gen(function* () {
        for (;;) {
          const step = yield* Effect.try({ try: () => steps.next(), catch: journalLost })
          if (step.done === true) return step.value
          yield* nextTurn
        }
      }).pipe(Effect.ensuring(Effect.sync(() => steps.return?.())))
    /** Creates it; or gives the one that came before with its key, perhaps while this one was written. */
    const create = function* (job: NewJob): Steps<JournalJob | undefined> {
      const preparing = journal.prepare(job)
      try {
        for (;;) {
          const earlier = job.key === undefined ? undefined : journal.byKey(job.key)
          if (earlier !== undefined) return earlier
          if (preparing.next().done === true) break
          yield
        }
        journal.create(job)
        return undefined
      } finally {
        preparing.return?.()
      }
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        commit()
      })
    )
    const forget: Effect.Effect<void> = Effect.suspend(() => {
      const ids = journal.forget(shared.now() - retention.retentionMs, retention.retentionJobs)
      for (const id of ids) live.delete(id)
      // a pause for those who wait for tokens
      return ids.length === 0 ? Effect.void : Effect.zipRight(Effect.sleep("20 millis"), forget)
    })
    yield* Effect.forkScoped(
      Effect.sleep(SWEEP).pipe(
        Effect.zipRight(forget),
        Effect.zipRight(
          Effect.sync(() => {
            // the disk is waited for while nobody waits for a token
            if (!grown || [...live.values()].some((sequence) => !sequence.ended())) return
            journal.checkpoint()
            grown = false
          })
        ),
        Effect.forever
      )
    )

    return JobLogs.of({
      open: ({ id, idempotencyKey, owner, request }) =>
        Effect.gen(function* () {
          if (lost !== undefined) return yield* lost
          const job: NewJob = {
            id,
            request,
            key: idempotencyKey,
            createdAt: shared.now(),
            facts: {
              state: "queued",
              epoch: 0,
              failovers: 0,
              timings: {},
              ...(owner === undefined ? {} : { owner })
            }
          }
          const earlier = yield* inTurns(create(job))
          if (earlier === undefined)
            return { log: keep(new JobSequence(shared, { ...job, endedAt: undefined }, true)), fresh: true }
          if (yield* inTurns(journal.isSame(earlier.id, request))) return { log: loaded(earlier), fresh: false }
          return yield* Effect.fail(
            rbeeError("CONFLICT", "this Idempotency-Key came before with another request", "Use a new key", {
              job_id: earlier.id
            })
          )
        }),
      get: (jobId) =>
        Effect.suspend(() => {
          const found = live.get(jobId)
          if (found !== undefined) return Effect.succeed(found)
          const job = journal.job(jobId)
          return job === undefined ? Effect.fail(noSuchJob(jobId)) : Effect.succeed(loaded(job))
        }),
      list: (limit = 1000) => journal.jobs(limit).map((job) => live.get(job.id)?.snapshot() ?? job),
      unfinished: () => journal.unfinished().map(loaded),
      remove: (jobId) => {
        live.delete(jobId)
        journal.remove(jobId)
      },
      faulted: Deferred.await(fault)
    })
  })

export const layer = Layer.scoped(
  JobLogs,
  Effect.flatMap(CurrentSettings, ({ queen }) => makeJobLogs(queen))
)

const journalLost = (reason: unknown): RbeeError<"DISK_FULL" | "INTERNAL"> => {
  const code = typeof reason === "object" && reason !== null && "code" in reason ? String(reason.code) : ""
  return code === "SQLITE_FULL" || code === "ENOSPC"
    ? rbeeError("DISK_FULL", "the disk has no room for the queen's journal", "Free some space; the job continues then")
    : rbeeError("INTERNAL", `the queen's journal cannot be written${code === "" ? "" : ` (${code})`}`)
}
