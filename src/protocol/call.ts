/** Correlation ids and deadlines of calls, the same on every transport. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../machines/errors.ts"
import type { CallInfo } from "./endpoint.ts"

/** What may be taken over from outside: it goes into logs and headers. */
const correlationId = /^[A-Za-z0-9._:-]{1,128}$/
export const isCorrelationId = (text: string): boolean => correlationId.test(text)

export const deadlineExceeded = (deadline: string): RbeeError<"DEADLINE_EXCEEDED"> =>
  rbeeError("DEADLINE_EXCEEDED", `the deadline ${deadline} has passed`, "", { deadline })

const iso8601 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)$/

/**
 * Ends the answering of a call at its absolute deadline. A stream that the answer hands out is not bounded by it: the
 * job behind it knows the deadline itself.
 */
export const withDeadline = <A>(
  effect: Effect.Effect<A, RbeeError>,
  deadline: string | undefined
): Effect.Effect<A, RbeeError> => {
  if (deadline === undefined) return effect
  const at = iso8601.test(deadline) ? Date.parse(deadline) : Number.NaN
  if (Number.isNaN(at)) {
    return Effect.fail(
      rbeeError("INVALID_REQUEST", "X-Request-Deadline must be a time like 2026-01-31T12:00:00Z", "", {
        field: "x-request-deadline"
      })
    )
  }
  return Effect.flatMap(Clock.currentTimeMillis, (now) =>
    at <= now
      ? Effect.fail(deadlineExceeded(deadline))
      : Effect.timeoutFail(effect, { duration: at - now, onTimeout: () => deadlineExceeded(deadline) })
  )
}

const queenStart = /^([A-Za-z0-9._-]{1,128})\/(\d{1,15})$/

/** How a call tells of itself to the next hop. */
export const callHeaders = ({ correlationId, deadline, queen }: CallInfo): Record<string, string> => ({
  ...(correlationId === undefined ? {} : { "X-Correlation-Id": correlationId }),
  ...(deadline === undefined ? {} : { "X-Request-Deadline": deadline }),
  ...(queen === undefined ? {} : { "X-Rbee-Queen": `${queen.id}/${queen.epoch}` })
})

/** What the caller told, of which nothing is believed that does not look right. */
export const callFrom = (
  headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>,
  correlationId: string
): CallInfo => {
  const deadline = headers["x-request-deadline"]
  const queen = headers["x-rbee-queen"]
  const [, id, epoch] = (typeof queen === "string" ? queenStart.exec(queen) : undefined) ?? []
  return {
    correlationId,
    deadline: typeof deadline === "string" ? deadline : undefined,
    ...(id === undefined ? {} : { queen: { id, epoch: Number(epoch) } })
  }
}
