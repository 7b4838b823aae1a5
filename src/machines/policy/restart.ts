/**
 * Restart arithmetic (docs/design.md#when-something-fails): at once, then after 0.5 s, then 1 s, at most 3 in 60 s.
 * Pure; times are given.
 */

export interface RestartPolicy {
  /** restarts allowed within the period */
  readonly max: number
  readonly periodMs: number
  /** wait before the 1st, 2nd, 3rd, … restart of a period; the last one repeats */
  readonly delaysMs: ReadonlyArray<number>
}

export const workerRestarts: RestartPolicy = { max: 3, periodMs: 60_000, delaysMs: [0, 500, 1000] }

export type RestartDecision =
  | {
      readonly _tag: "Restart"
      /** which restart of the period this is: 1 is the first */
      readonly n: number
      readonly delayMs: number
      /** deaths that still count, this one included */
      readonly deaths: ReadonlyArray<number>
    }
  | { readonly _tag: "Spent"; readonly attempts: number }

/** What to do about a death at `nowMs`, given the earlier ones. A death exactly one period ago still counts. */
export const afterDeath = (policy: RestartPolicy, deaths: ReadonlyArray<number>, nowMs: number): RestartDecision => {
  const counted = [...deaths.filter((at) => nowMs - at <= policy.periodMs), nowMs]
  const n = counted.length
  if (n > policy.max) return { _tag: "Spent", attempts: n }
  const delayMs = policy.delaysMs[Math.min(n, policy.delaysMs.length) - 1] ?? 0
  return { _tag: "Restart", n, delayMs, deaths: counted }
}

/** Wait before retry `n` (1 is the first) of something remote: 0.5 s, doubling, at most 30 s. */
export const backoffMs = (n: number): number => Math.min(30_000, 500 * 2 ** Math.max(0, n - 1))
