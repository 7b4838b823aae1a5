/**
 * A worker dies with its hive, whatever it was asked: such a death is no word against the request. A broken connection does
 * not say which it was, so that the hive is asked.
 */
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"
import type { ClaimedHive } from "../cluster/hive-entry.ts"

/** How long it may take to say that it is there. */
const patience = "1 second"

/** `hive`: the process that the worker belonged to when it was asked. */
export const orWithHive = (
  error: RbeeError,
  id: HiveId,
  hive: Pick<ClaimedHive, "api" | "instance"> | undefined
): Effect.Effect<RbeeError> => {
  if (error.code !== "WORKER_CRASHED" || hive === undefined) return Effect.succeed(error)
  const withIt = rbeeError("CONNECTION_TIMEOUT", `hive ${id} went, and its worker with it (${error.what})`)
  return hive.api.health({}).pipe(
    Effect.timeout(patience),
    Effect.match({
      onFailure: () => withIt,
      onSuccess: ({ instance }) => (instance === hive.instance ? error : withIt)
    })
  )
}
