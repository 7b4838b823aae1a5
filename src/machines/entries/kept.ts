/** When an entry that is to be kept loaded, and is not, is tried again: never busily, and soon where something has changed. */

/** The last try. */
export interface Tried {
  /** in a row */
  readonly tries: number
  /** milliseconds since 1970 */
  readonly at: number
  /** why it is not loaded; undefined: it was */
  readonly why: string | undefined
  /** how things stood then */
  readonly around: string
}

/** milliseconds */
const firstPause = 10_000
const longestPause = 3_600_000
/** where there are other devices, workers or words than then, milliseconds */
const soonest = 15_000

/** milliseconds since 1970 */
export const dueAt = (tried: Tried | undefined, around: string): number => {
  if (tried === undefined) return 0
  const pause = Math.min(longestPause, firstPause * 2 ** (tried.tries - 1))
  return tried.at + (tried.around === around ? pause : Math.min(pause, soonest))
}
