/**
 * A journal whose store is in the process, written with plain calls. It answers before the call returns, but where that
 * would hold everybody up: what takes long it does in steps, a step a turn.
 */
import * as Effect from "effect/Effect"
import type { CheckedRequest } from "../../machines/vocabulary/job.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"
import type { UsageDay } from "../../machines/vocabulary/people/usage.ts"
import { codeOf, isCorruption, isFull } from "../sqlite/why.ts"
import type { Turns } from "../turns/index.ts"
import {
  type Entry,
  JournalError,
  type JournalJob,
  type JournalService,
  type NewJob,
  type Tokens,
  type Write
} from "./index.ts"

/** Long work that its caller does in steps, each of them short: others have their turn in between. */
export type Steps<A = void> = IterableIterator<undefined, A, undefined>

/** As `JournalService`, at once. A call that throws is a fault of the disk or a bug. */
export interface Store {
  /** Writes a long request ahead of `create`, in steps; left before the end, or never created, nothing of it is kept. */
  readonly prepare: (job: NewJob) => Steps
  /** Commits the job by itself. The id and the key must be new. */
  readonly create: (job: NewJob) => void
  readonly isSame: (id: JobId, request: CheckedRequest) => Steps<boolean>
  readonly commit: (writes: ReadonlyArray<Write>) => void
  readonly replay: (job: JobId, afterId: number, limit: number) => ReadonlyArray<Entry>
  readonly lastId: (job: JobId) => number
  readonly tokens: (job: JobId) => Tokens
  readonly job: (id: JobId) => JournalJob | undefined
  readonly byKey: (key: string) => JournalJob | undefined
  readonly jobs: (limit: number) => ReadonlyArray<JournalJob>
  readonly unfinished: () => ReadonlyArray<JournalJob>
  readonly remove: (id: JobId) => void
  readonly forget: (before: number, keep: number) => Steps<ReadonlyArray<JobId>>
  readonly usage: (since: string) => ReadonlyArray<UsageDay>
  readonly forgetUsage: (before: string) => void
  readonly checkpoint: () => void
}

export const inProcess = (store: Store, { atEndOfTurn }: Turns["Type"]): JournalService => {
  const nextTurn = Effect.async<void>((resume) => atEndOfTurn(() => resume(Effect.void)))
  /** Does it a step a turn; what takes one step is done at once. */
  const inTurns = <A>(begin: () => Steps<A>): Effect.Effect<A, JournalError> =>
    Effect.suspend(() => {
      const steps = begin()
      const all = Effect.gen(function* () {
        for (;;) {
          const step = yield* attempt(() => steps.next())
          if (step.done === true) return step.value
          yield* nextTurn
        }
      })
      return Effect.ensuring(
        all,
        Effect.sync(() => steps.return?.())
      )
    })
  return {
    create: (job) => inTurns(() => create(store, job)),
    isSame: (id, request) => inTurns(() => store.isSame(id, request)),
    commit: (writes, done) => done(failureIn(() => store.commit(writes))),
    replay: (job, afterId, limit) => attempt(() => store.replay(job, afterId, limit)),
    lastId: (job) => attempt(() => store.lastId(job)),
    tokens: (job) => attempt(() => store.tokens(job)),
    job: (id) => attempt(() => store.job(id)),
    jobs: (limit) => attempt(() => store.jobs(limit)),
    unfinished: attempt(() => store.unfinished()),
    remove: (id) => attempt(() => store.remove(id)),
    forget: (before, keep) => inTurns(() => store.forget(before, keep)),
    usage: (since) => attempt(() => store.usage(since)),
    forgetUsage: (before) => attempt(() => store.forgetUsage(before)),
    checkpoint: attempt(() => store.checkpoint())
  }
}

/** Creates it; or gives the one that came before with its key, perhaps while this one was written. */
function* create(store: Store, job: NewJob): Steps<JournalJob | undefined> {
  const preparing = store.prepare(job)
  try {
    for (;;) {
      const earlier = job.key === undefined ? undefined : store.byKey(job.key)
      if (earlier !== undefined) return earlier
      if (preparing.next().done === true) break
      yield
    }
    store.create(job)
    return undefined
  } finally {
    preparing.return?.()
  }
}

const attempt = <A>(call: () => A): Effect.Effect<A, JournalError> => Effect.try({ try: call, catch: failureOf })

const failureIn = (call: () => void): JournalError | undefined => {
  try {
    call()
    return undefined
  } catch (reason) {
    return failureOf(reason)
  }
}

const failureOf = (reason: unknown): JournalError => {
  const kind = isFull(reason) ? "full" : isCorruption(reason) ? "malformed" : "unavailable"
  const code = codeOf(reason)
  return new JournalError({ kind, why: code === "" ? String(reason) : code })
}

/** As SQLite says of a file that went bad: what one table tells of is not in the other. */
export const malformed = (what: string): Error =>
  Object.assign(new Error(`the journal is malformed: ${what}`), { code: "SQLITE_CORRUPT" })
