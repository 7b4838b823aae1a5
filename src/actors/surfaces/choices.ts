/** Several answers to one request: each choice a job of its own. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../protocol/endpoint.ts"
import type { JobRequest, Usage } from "../../machines/vocabulary/job.ts"
import type { AnswerError, JobAnswer } from "./answers.ts"
import { ask, type Asking, type WhileWanted } from "./asking.ts"

export interface Choice {
  readonly answered: JobAnswer
  readonly whileWanted: WhileWanted
}

/** So many of one request. The same seed would give the same answer each time. */
export const nTimes = (request: JobRequest, n: number): ReadonlyArray<JobRequest> =>
  Array.from({ length: n }, (_, index) => seeded(request, index))

export const seeded = (request: JobRequest, index: number): JobRequest =>
  request.seed === undefined || index === 0 ? request : { ...request, seed: request.seed + index }

/** All of them, or none: where one is not taken in, fails, or its client leaves, the others are cancelled. */
export const askEach = <A>(
  jobs: Asking,
  requests: ReadonlyArray<JobRequest>,
  reply: (choices: ReadonlyArray<Choice>) => Effect.Effect<A, AnswerError>
): Effect.Effect<A, AnswerError> => {
  const from = (asked: ReadonlyArray<Choice>): Effect.Effect<A, AnswerError> => {
    const request = requests[asked.length]
    if (request === undefined) return reply(asked)
    return ask(jobs, request, (answered, whileWanted) => {
      const rest = from([...asked, { answered, whileWanted }])
      return requests.length === 1 ? rest : Effect.onError(rest, () => Effect.ignore(jobs.cancel(answered.jobId)))
    })
  }
  return from([])
}

/** Who leaves, leaves them all. */
export const eachWanted = <A>(
  choices: ReadonlyArray<Choice>,
  run: (answered: JobAnswer, index: number) => Effect.Effect<A, AnswerError>
): Effect.Effect<ReadonlyArray<A>, AnswerError> =>
  Effect.forEach(choices, ({ answered, whileWanted }, index) => whileWanted(run(answered, index)), {
    concurrency: "unbounded"
  })

/** Several streams as one, each event with the name of its choice. */
export const together =
  (choices: ReadonlyArray<Choice>, feeds: ReadonlyArray<EventFeed>): EventFeed =>
  (sink) =>
    Effect.asVoid(
      Effect.forEach(choices, ({ whileWanted }, index) => whileWanted(feeds[index]?.(sink) ?? Effect.void), {
        concurrency: "unbounded",
        discard: true
      })
    )

export const summed = (usages: ReadonlyArray<Usage>): Usage => {
  const total = { prompt_tokens: 0, completion_tokens: 0, cached_tokens: 0 }
  for (const usage of usages) {
    total.prompt_tokens += usage.prompt_tokens
    total.completion_tokens += usage.completion_tokens
    total.cached_tokens += usage.cached_tokens
  }
  return total
}
