/** How long a queen may act. */
import * as Effect from "effect/Effect"
import type { Term } from "../../../layers/leadership/index.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import { JobLogs } from "../log/job-log.ts"
import type { Queen } from "../queen.ts"

/**
 * Until she has said goodbye. Fails when she must not go on: without her journal, since the next queen continues the jobs
 * from what is durable, or when another may lead by now.
 */
export const reign = (queen: Pick<Queen, "ended">, term: Pick<Term, "lost">): Effect.Effect<void, RbeeError, JobLogs> =>
  Effect.flatMap(JobLogs, ({ faulted }) =>
    Effect.raceFirst(queen.ended, term.lost === undefined ? faulted : Effect.raceFirst(faulted, term.lost))
  )
