/** Journals for tests: asked plainly, and one that answers late. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { Journal, type JournalError, type JournalService, type Write } from "../../src/layers/journal/index.ts"

/** Commits, and waits until it is durable. */
export const commit = (
  journal: Pick<JournalService, "commit">,
  writes: ReadonlyArray<Write>
): Effect.Effect<void, JournalError> =>
  Effect.async((resume) =>
    journal.commit(writes, (failure) => resume(failure === undefined ? Effect.void : Effect.fail(failure)))
  )

/**
 * The same journal on another machine: a call takes effect after `there`, and is answered after `back`, in the order of
 * the calls where both are the same for all.
 */
export const late = (
  journal: JournalService,
  there: Effect.Effect<void>,
  back: Effect.Effect<void>
): Effect.Effect<JournalService> =>
  Effect.map(Effect.runtime(), (runtime) => {
    const far = <A>(call: Effect.Effect<A, JournalError>) =>
      Effect.zipRight(
        there,
        Effect.flatMap(Effect.exit(call), (exit) => Effect.zipRight(back, exit))
      )
    return {
      create: (job) => far(journal.create(job)),
      isSame: (id, request) => far(journal.isSame(id, request)),
      commit: (writes, done) =>
        void Runtime.runCallback(runtime)(Effect.either(far(commit(journal, writes))), {
          onExit: (exit) => {
            if (exit._tag === "Success") done(exit.value._tag === "Left" ? exit.value.left : undefined)
          }
        }),
      replay: (job, afterId, limit) => far(journal.replay(job, afterId, limit)),
      lastId: (job) => far(journal.lastId(job)),
      tokens: (job) => far(journal.tokens(job)),
      job: (id) => far(journal.job(id)),
      jobs: (limit) => far(journal.jobs(limit)),
      unfinished: far(journal.unfinished),
      remove: (id) => far(journal.remove(id)),
      forget: (before, keep) => far(journal.forget(before, keep)),
      usage: (since) => far(journal.usage(since)),
      forgetUsage: (before) => far(journal.forgetUsage(before)),
      checkpoint: far(journal.checkpoint)
    }
  })

export const layerLate = <E, R>(
  journal: Layer.Layer<Journal, E, R>,
  there: Effect.Effect<void>,
  back = there
): Layer.Layer<Journal, E, R> =>
  Layer.provide(
    Layer.effect(
      Journal,
      Effect.flatMap(Journal, (each) => late(each, there, back))
    ),
    journal
  )

/** A turn of the event loop, of real time. */
export const realTurn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
