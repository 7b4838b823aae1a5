/**
 * Copies of the state of recurrent layers, which a worker goes back to: before the last token of a prompt, at the end of
 * an answer, and every so many tokens between.
 */

/** tokens after which a copy is taken; a multiple of what long prompts are read in */
export const copyEvery = 4096
/** bytes of all copies of a worker, where each is smaller than that; in memory, whatever the device */
export const copyBytesMax = 64_000_000

/** of a slot whose conversation has had two turns; more of them take what is left of the most */
const copiesOfTurns = 4

/** What they take, if `stateBytes` are a slot's state. */
export const copyBytes = (stateBytes: number, context: number, slots: number): number => {
  const copies = slots * (copiesOfTurns + Math.floor(context / copyEvery))
  return Math.min(Math.max(copyBytesMax, stateBytes), stateBytes * copies)
}
