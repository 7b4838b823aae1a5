/** What keys have used, by day, and what operators did. */
import * as Schema from "effect/Schema"
import { Count, EpochMs } from "../common.ts"

/** `2026-11-30`: a day where the queen is */
export const Day = Schema.String.pipe(Schema.pattern(/^\d{4}-\d\d-\d\d$/))

const counts = {
  /** jobs that were taken in on that day */
  jobs: Count,
  prompt_tokens: Count,
  /** of the prompts' tokens, those that a worker had already: they count as the others do */
  cached_tokens: Count,
  completion_tokens: Count,
  /** of devices: a worker that answers several at once is shared by them */
  device_s: Schema.NonNegative
}
export const UsageCounts = Schema.Struct(counts)
export type UsageCounts = typeof UsageCounts.Type

/** What the jobs of a key that were taken in on one day have used. */
export const UsageDay = Schema.Struct({ key: Schema.String, day: Day, ...counts })
export type UsageDay = typeof UsageDay.Type

export const UsageView = Schema.Struct({
  day: Day,
  /** when the next day begins */
  resets_at: EpochMs,
  keys: Schema.Array(
    Schema.Struct({
      key: Schema.String,
      /** jobs that have not ended */
      running: Count,
      tokens_per_day: Schema.optional(Schema.Struct({ max: Count, left: Count })),
      concurrent: Schema.optional(Schema.Struct({ max: Count, left: Count })),
      /** the newest first; of jobs that have not ended, what they have used so far */
      days: Schema.Array(Schema.Struct({ day: Day, ...counts }))
    })
  )
})
export type UsageView = typeof UsageView.Type

/** One act of an operator. It never has what was told with it, but for names of things. */
export const AuditEntry = Schema.Struct({
  id: Schema.Int,
  at: EpochMs,
  /** by what right: "token", "key ada" */
  who: Schema.String,
  /** the call, as the OpenAPI document names it */
  what: Schema.String,
  /** of which hive, model, worker or key */
  about: Schema.optional(Schema.String),
  /** `ok`, or the code of the error */
  outcome: Schema.String
})
export type AuditEntry = typeof AuditEntry.Type
