/** What was made under a right answers to that right, and to who may observe others; to anybody else it is not there. */
import * as Effect from "effect/Effect"
import { Call, type Caller } from "../../../protocol/endpoint.ts"

import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { JobRequest } from "../../../machines/vocabulary/job.ts"

/** The name that is kept with a job; absent: of somebody who may do everything. */
export const ownerOf = (caller: Caller | undefined): { readonly owner?: string } =>
  caller === undefined || caller.may.has("observe") ? {} : { owner: caller.name }

/** A key is one caller's own: nobody comes by another's job with it. */
export const keyOf = (caller: Caller | undefined, key: string | undefined): string | undefined => {
  const { owner } = ownerOf(caller)
  return key === undefined || owner === undefined ? key : `${owner}\n${key}`
}

export const sees = (caller: Caller | undefined, { owner }: { readonly owner?: string | undefined }): boolean =>
  caller === undefined || caller.may.has("observe") || owner === caller.name

/** A session ends what it woke, the queen among it. */
export const mayAsk = (
  caller: Caller | undefined,
  { session }: JobRequest
): Effect.Effect<void, RbeeError<"FORBIDDEN">> =>
  session === undefined || caller === undefined || caller.may.has("manage")
    ? Effect.void
    : rbeeError("FORBIDDEN", "a session may end what it woke, which needs the cluster's token", "Leave `session` out", {
        field: "session"
      })

/** The same failure as for one that was never there. */
export const onlyOwn = <A extends { readonly facts: () => { readonly owner?: string | undefined } }, E>(
  id: string,
  found: Effect.Effect<A, E>
): Effect.Effect<A, E | RbeeError<"JOB_NOT_FOUND">> =>
  Effect.flatMap(Call, ({ caller }) =>
    Effect.filterOrFail(
      found,
      (log) => sees(caller, log.facts()),
      () => noSuchJob(id)
    )
  )

export const noSuchJob = (id: string): RbeeError<"JOB_NOT_FOUND"> =>
  rbeeError("JOB_NOT_FOUND", `there is no job ${id}`, "`rbee jobs ls` lists them")
