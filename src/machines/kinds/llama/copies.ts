/**
 * Copies of the state of recurrent layers, which a worker goes back to: before the last token of a prompt, at the end of
 * an answer, and every so many tokens between.
 */

/** tokens after which a copy is taken; a multiple of what long prompts are read in */
export const copyEvery = 4096
/** bytes of all copies of a worker, where each is smaller than that; in memory, whatever the device */
export const copyBytesMax = 64_000_000

/** of a slot: two of its last prompt (`copiesAt`), one at the end of that answer, and one of the turn before */
const copiesOfTurns = 4

/** So many copies a worker keeps at most; the oldest make room. */
export const copiesMax = (context: number, slots: number): number =>
  slots * (copiesOfTurns + Math.floor(context / copyEvery))

/** What they take, if `stateBytes` are a slot's state. */
export const copyBytes = (stateBytes: number, context: number, slots: number): number =>
  Math.min(Math.max(copyBytesMax, stateBytes), stateBytes * copiesMax(context, slots))
