/** A job that measures texts, read to its end: whoever of its workers died meanwhile, its client sees one answer. */
import * as Effect from "effect/Effect"
import { vectorsIn } from "../../../machines/formats/vectors.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"
import type { JobRequest, Timings } from "../../../machines/vocabulary/job.ts"
import type { AnswerError } from "../answers.ts"
import { ask, type Asking } from "../asking.ts"
import { gather } from "../gather.ts"

export interface Measured {
  readonly jobId: JobId
  /** milliseconds since 1970 */
  readonly createdAt: number
  /** one for each text, in order */
  readonly vectors: ReadonlyArray<Float32Array>
  /** tokens that were read */
  readonly tokens: number
  readonly timings: Timings
}

export const measured = (
  jobs: Asking,
  request: Pick<JobRequest, "model" | "embed" | "rerank" | "context" | "keep_warm">
): Effect.Effect<Measured, AnswerError> =>
  ask(jobs, request, ({ createdAt, jobId, read }) =>
    Effect.map(gather(read), ({ content, done }) => ({
      jobId,
      createdAt,
      vectors: vectorsIn(content),
      tokens: done.usage.prompt_tokens,
      timings: done.timings
    }))
  )
