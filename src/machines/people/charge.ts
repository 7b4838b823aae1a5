/** What a job costs whom. A job is charged once, with its end; until then what it has used so far is counted as it stands. */
import type { Usage } from "../vocabulary/job.ts"
import type { UsageCounts, UsageDay } from "../vocabulary/people/usage.ts"

/** What is known of a job that says what it has used. */
interface Used {
  readonly charged?: { readonly to: string; readonly day: string } | undefined
  readonly tokens?: number | undefined
  readonly prompt_tokens?: number | undefined
  readonly usage?: Usage | undefined
  readonly device_ms?: number | undefined
}

/**
 * What it has used; undefined: it is charged to nobody. The tokens are those of the answer, so that one which went on
 * elsewhere, decoded twice in part, costs what an undisturbed one costs; its prompt is read again for free.
 */
export const chargeOf = ({ charged, device_ms, prompt_tokens = 0, tokens = 0, usage }: Used): UsageDay | undefined =>
  charged && {
    key: charged.to,
    day: charged.day,
    jobs: 1,
    prompt_tokens: Math.max(prompt_tokens, usage?.prompt_tokens ?? 0),
    cached_tokens: usage?.cached_tokens ?? 0,
    completion_tokens: tokens,
    device_s: (device_ms ?? 0) / 1000
  }

export const noUsage: UsageCounts = {
  jobs: 0,
  prompt_tokens: 0,
  cached_tokens: 0,
  completion_tokens: 0,
  device_s: 0
}

export const added = (a: UsageCounts, b: UsageCounts): UsageCounts => ({
  jobs: a.jobs + b.jobs,
  prompt_tokens: a.prompt_tokens + b.prompt_tokens,
  cached_tokens: a.cached_tokens + b.cached_tokens,
  completion_tokens: a.completion_tokens + b.completion_tokens,
  device_s: a.device_s + b.device_s
})

/** What limits count: prompts, cached or not, and answers. */
export const tokensOf = ({ completion_tokens, prompt_tokens }: UsageCounts): number => prompt_tokens + completion_tokens

/** One entry a key and day, what is the same day's added up; the newest day first. */
export const byKeyAndDay = (days: ReadonlyArray<UsageDay>): ReadonlyArray<UsageDay> => {
  const sums = new Map<string, UsageDay>()
  for (const one of days) {
    const at = `${one.day}\n${one.key}`
    sums.set(at, { ...added(sums.get(at) ?? noUsage, one), key: one.key, day: one.day })
  }
  return [...sums].toSorted(([a], [b]) => (a < b ? 1 : -1)).map(([, sum]) => sum)
}
