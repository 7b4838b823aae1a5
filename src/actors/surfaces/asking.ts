/** Every surface asks alike: it submits a job, answers with what is read of it, and cancels it when its client leaves. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Answer, EventFeed } from "../../protocol/answers.ts"
import { type Framing, ignoredHeader } from "../../protocol/surfaces/surface.ts"
import type { RbeeError } from "../../machines/errors.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"
import type { JobRequest } from "../../machines/vocabulary/job.ts"
import type { AnswerError, JobAnswer, ReadAnswer } from "./answers.ts"

/** What a surface needs of the queen to have something answered. */
export interface Asking {
  /** Takes a job in; fails where that can be judged without the model. `taken` is called as soon as the job is there. */
  readonly submit: (request: JobRequest, taken: (id: JobId) => void) => Effect.Effect<JobAnswer, AnswerError>
  readonly cancel: (jobId: JobId) => Effect.Effect<void, RbeeError>
  /** Counts fields that were left out. */
  readonly ignored: (fields: number) => void
}

/** What runs while its client is there: who interrupts it, cancels the job. */
export type WhileWanted = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

/**
 * Submits a job and replies; a client who leaves meanwhile leaves no job behind. `left`: what becomes of a job whose
 * client has left once it was taken in.
 */
export const ask = <A>(
  jobs: Asking,
  request: JobRequest,
  reply: (answered: JobAnswer, whileWanted: WhileWanted) => Effect.Effect<A, AnswerError>,
  left: (jobId: JobId) => Effect.Effect<void, RbeeError> = jobs.cancel
): Effect.Effect<A, AnswerError> =>
  Effect.suspend(() => {
    // what becomes of the job if its client leaves now
    let leaving: Effect.Effect<void> = Effect.void
    const taken = (id: JobId) => {
      leaving = Effect.ignore(jobs.cancel(id))
    }
    const answer = Effect.flatMap(jobs.submit(request, taken), (answered) => {
      leaving = Effect.ignore(left(answered.jobId))
      return reply(answered, (effect) => Effect.onInterrupt(effect, () => leaving))
    })
    return Effect.onInterrupt(answer, () => leaving)
  })

/** Clients give up on a head that does not come, and on a connection that is silent. */
const headWithin = "5 seconds"

/**
 * The stream of an answer. Its head waits for the first token, so that what goes wrong before keeps its HTTP status; but
 * not for long, as a model may have to be fetched: what goes wrong after is told as an event.
 */
export const soon = (
  { begun, read }: JobAnswer,
  { keepAlive }: Framing,
  feed: (source: ReadAnswer) => EventFeed
): Effect.Effect<EventFeed, AnswerError> =>
  Effect.map(
    Effect.timeoutOption(begun, headWithin),
    Option.match({
      onSome: feed,
      onNone: () => (sink) =>
        Effect.suspend(() => {
          sink.write(keepAlive)
          return feed(read)(sink)
        })
    })
  )

/** Names and header values that somebody made up are cut and cleaned. */
const mostIgnored = 32

/** Says which fields were left out, because nobody has published them. */
export const naming = <A extends Answer>(jobs: Asking, ignored: ReadonlyArray<string>, reply: A): A => {
  if (ignored.length === 0) return reply
  jobs.ignored(ignored.length)
  const names = ignored.slice(0, mostIgnored).map((name) => name.replace(/[^\w.-]/g, "?").slice(0, 64))
  return { ...reply, headers: { ...reply.headers, [ignoredHeader]: names.join(", ") } }
}
