/** A response as its job has it: what it began as, its events from any of them on, and what became of it. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../../protocol/endpoint.ts"
import { frame } from "../../../protocol/sse.ts"
import type { JobRequest, JobState } from "../../../machines/vocabulary/job.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"
import type { KeptResponse } from "../../../machines/vocabulary/responses/kept.ts"
import type { Response, ResponseStatus } from "../../../machines/vocabulary/responses/response.ts"
import type { AnswerError, JobAnswer, ReadAnswer, Unreadable } from "../answers.ts"
import { foldOf } from "./fold.ts"

/** A job that may be somebody's response. */
export interface StoredJob extends JobAnswer {
  readonly request: JobRequest
  readonly state: () => JobState
}

const prefix = "resp_"
const responseId = (jobId: JobId): string => `${prefix}${jobId}`
/** The name of the job behind it; undefined: it is no response's. */
export const jobIdIn = (id: string): string | undefined => (id.startsWith(prefix) ? id.slice(prefix.length) : undefined)

/** Before anything is said. */
export const beginningOf = ({ createdAt, jobId }: JobAnswer, kept: KeptResponse): Response => ({
  instructions: null,
  max_output_tokens: null,
  metadata: {},
  parallel_tool_calls: true,
  reasoning: { effort: null, summary: null },
  temperature: null,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_p: null,
  truncation: "disabled",
  ...kept.echo,
  id: responseId(jobId),
  object: "response",
  created_at: Math.floor(createdAt / 1000),
  completed_at: null,
  status: kept.background ? "queued" : "in_progress",
  background: kept.background,
  store: kept.store,
  error: null,
  incomplete_details: null,
  model: kept.model,
  output: [],
  previous_response_id: kept.previous ?? null,
  usage: null
})

/** Its events after number `after`, live until the last. */
export const eventsOf =
  (answered: JobAnswer, kept: KeptResponse, source: ReadAnswer, after = -1): EventFeed =>
  (sink) =>
    Effect.suspend(() => {
      let out = ""
      const fold = foldOf({
        response: beginningOf(answered, kept),
        kept,
        tell: (event) => {
          if (event.sequence_number > after) out += frame({ event: event.type, data: event })
        }
      })
      const flush = (): boolean => {
        const events = out
        out = ""
        return events === "" || sink.write(events)
      }
      fold.begin()
      flush()
      return source({ ...fold.said, done: fold.done, error: fold.error, told: flush, drain: sink.drain })
    })

export interface Ended {
  readonly response: Response
  /** why it is not whole */
  readonly failure: AnswerError | undefined
}

/** What became of it; waits for its end. */
export const endOf = (answered: JobAnswer, kept: KeptResponse): Effect.Effect<Ended, Unreadable> =>
  Effect.suspend(() => {
    let last = beginningOf(answered, kept)
    let failure: AnswerError | undefined
    const fold = foldOf({
      response: last,
      kept,
      tell: (event) => {
        if ("response" in event) last = event.response
      }
    })
    const error = (why: AnswerError): void => {
      failure = why
      fold.error(why)
    }
    const { done, said } = fold
    const reading = answered.read({ ...said, done, error, told: () => true, drain: (resume) => resume() })
    return Effect.map(reading, () => ({ response: last, failure }))
  })

const ended: ReadonlySet<JobState> = new Set(["done", "failed", "cancelled"])
export const hasEnded = (job: StoredJob): boolean => ended.has(job.state())

/** As it is at the moment. */
export const asItIs = (job: StoredJob, kept: KeptResponse): Effect.Effect<Response, Unreadable> =>
  Effect.suspend(() => {
    if (hasEnded(job)) return Effect.map(endOf(job, kept), ({ response }) => response)
    const state = job.state()
    const status: ResponseStatus = state === "streaming" || state === "degraded" ? "in_progress" : "queued"
    return Effect.succeed({ ...beginningOf(job, kept), status })
  })
