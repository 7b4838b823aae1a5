/** How soon the queue moves: what a client is told that finds it full. */

/** The newest job counts for this much of the mean. */
const weight = 0.2

/** The mean of what jobs took once they had a place, milliseconds; undefined: none has ended yet. */
export const paceAfter = (mean: number | undefined, tookMs: number): number =>
  mean === undefined ? tookMs : mean + weight * (tookMs - mean)

/** As long as nothing is known, and at most: who waits longer has forgotten. */
const bounds = { least: 1, most: 60 }

/** Seconds until one of so many slots is likely to be free, and the queue one shorter. */
export const retryAfterS = (mean: number | undefined, slots: number): number =>
  mean === undefined || slots === 0
    ? bounds.least
    : Math.min(bounds.most, Math.max(bounds.least, Math.ceil(mean / 1000 / slots)))
