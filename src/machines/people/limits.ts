/** May a key have one more job? Where not, with what is left and when there is more. */
import { type RbeeError, rbeeError } from "../errors.ts"
import type { KeyLimits, KeyName } from "../vocabulary/people/key.ts"
import { nextDayAt } from "./day.ts"

export interface Spent {
  /** today, by ended jobs and by those that run */
  readonly tokens: number
  /** jobs that have not ended */
  readonly running: number
}

export const left = (max: number, used: number): number => Math.max(0, max - used)

/**
 * An answer under way is finished whatever it costs: what is refused is the next one. `retryAfterS`: when a job of those
 * that run may have ended.
 */
export const limitReached = (
  name: KeyName,
  { concurrent, tokens_per_day }: KeyLimits,
  { running, tokens }: Spent,
  now: number,
  retryAfterS: number
): RbeeError<"LIMIT_REACHED"> | undefined => {
  if (tokens_per_day !== undefined && tokens >= tokens_per_day) {
    const resets = nextDayAt(now)
    return rbeeError(
      "LIMIT_REACHED",
      `key ${name} has used ${tokens} of its ${tokens_per_day} tokens of today`,
      "Ask again tomorrow, or have whoever gave you the key raise its limit",
      {
        limit: "tokens_per_day",
        max: tokens_per_day,
        used: tokens,
        left: 0,
        resets_at: resets,
        retry_after_s: Math.ceil((resets - now) / 1000)
      }
    )
  }
  if (concurrent !== undefined && running >= concurrent)
    return rbeeError(
      "LIMIT_REACHED",
      `key ${name} has ${running} of its ${concurrent} jobs at once`,
      "Wait until one of them has ended",
      {
        limit: "concurrent",
        max: concurrent,
        used: running,
        left: 0,
        ...(tokens_per_day === undefined ? {} : { tokens_left: left(tokens_per_day, tokens) }),
        retry_after_s: retryAfterS
      }
    )
  return undefined
}
