/** A job that has ended is forgotten: what was asked and answered, and what hives keep of conversations of who asked. */
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"
import { admin } from "../../../protocol/rights.ts"
import { forgetAccount } from "../hives/parked.ts"
import { JobLogs } from "../log/job-log.ts"
import { onlyOwn } from "../log/own-jobs.ts"

const stillRuns = (id: JobId, state: string): RbeeError<"CONFLICT"> =>
  rbeeError("CONFLICT", `job ${id} has not ended: ${state}`, `Cancel it first: \`rbee jobs cancel ${id}\``, {
    job_id: id,
    state
  })

/** Files of hives do not say of which job they are: all of its account's go, and its next turns are read again. */
export const removeJob = (id: JobId) =>
  Effect.gen(function* () {
    const logs = yield* JobLogs
    const log = yield* onlyOwn(id, logs.get(id))
    const { charged, state } = log.facts()
    if (!log.ended()) return yield* stillRuns(id, state)
    yield* logs.remove(id)
    return { not_asked: yield* forgetAccount(charged?.to ?? admin) }
  })
