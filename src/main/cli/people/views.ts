/** Keys, usage and acts as rows of a table. */
import { printable } from "../../../layers/terminal/index.ts"
import type { KeyMade, KeyView } from "../../../machines/vocabulary/people/key.ts"
import type { AuditEntry, UsageView } from "../../../machines/vocabulary/people/usage.ts"
import { table } from "../table.ts"

const cell = (value: string | number | undefined): string => (value === undefined ? "-" : printable(String(value)))
const moment = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString().slice(0, 16).replace("T", " ")

/** The key alone: what a script takes, and what is copied. */
export const made = ({ key }: KeyMade): string => `${key}\n`

export const keysTable = (keys: ReadonlyArray<KeyView>, room?: number): string =>
  table(
    ["KEY", "MAY", "MODELS", "TOKENS A DAY", "AT ONCE", "WEIGHT", "EXPIRES", "REVOKED"],
    keys.map((key) =>
      [
        key.name,
        key.scopes.join(","),
        key.models?.join(",") ?? "all",
        key.tokens_per_day,
        key.concurrent,
        key.weight,
        moment(key.expires_at),
        moment(key.revoked_at)
      ].map(cell)
    ),
    room
  )

/** A row a key and day; what is left stands with today's. */
export const usageTable = ({ day: today, keys }: UsageView, room?: number): string =>
  table(
    ["KEY", "DAY", "JOBS", "PROMPT", "CACHED", "ANSWER", "DEVICE S", "LEFT"],
    keys.flatMap(({ days, key, tokens_per_day }) =>
      days.map((one) =>
        [
          key,
          one.day,
          one.jobs,
          one.prompt_tokens,
          one.cached_tokens,
          one.completion_tokens,
          Math.round(one.device_s * 10) / 10,
          one.day === today ? tokens_per_day?.left : undefined
        ].map(cell)
      )
    ),
    room
  )

export const actsTable = (acts: ReadonlyArray<AuditEntry>, room?: number): string =>
  table(
    ["WHEN (UTC)", "WHO", "WHAT", "ABOUT", "OUTCOME"],
    acts.map(({ about, at, outcome, what, who }) =>
      [new Date(at).toISOString().slice(0, 19).replace("T", " "), who, what, about, outcome].map(cell)
    ),
    room
  )
