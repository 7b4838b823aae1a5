/** How long a machine takes to wake: what it usually took, the last times. */

/** An update or another disk makes it another machine: older ones are forgotten. */
const remembered = 5

export const withWaking = (before: ReadonlyArray<number>, ms: number): ReadonlyArray<number> =>
  [...before, Math.round(ms)].slice(-remembered)

/** The median: one that took long for a reason of its own does not count. Undefined: it was never woken. */
export const usualMs = (woke: ReadonlyArray<number>): number | undefined => {
  const sorted = woke.toSorted((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  return low === undefined || high === undefined ? undefined : (low + high) / 2
}
