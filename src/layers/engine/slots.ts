/** Slots: the places of a batch, each with the tokens that its KV cache holds. */

export interface Slot {
  readonly id: number
  /** tokens whose cells are in the cache, or will be when the batch in flight is decoded */
  tokens: ReadonlyArray<number>
  /** how many of `tokens` are: an answer shares its growing array with its slot */
  filled: number
  busy: boolean
  /** counts up with each use: of two equal slots the one unused for longer is taken, so that warm ones stay warm */
  used: number
}

export const makeSlots = (count: number): ReadonlyArray<Slot> =>
  Array.from({ length: count }, (_, id) => ({ id, tokens: [], filled: 0, busy: false, used: 0 }))

/** How many tokens at the beginning of `wanted` the slot's cache holds. */
export const commonPrefix = (slot: Slot, wanted: ReadonlyArray<number>): number => {
  const end = Math.min(slot.filled, wanted.length)
  let n = 0
  while (n < end && slot.tokens[n] === wanted[n]) n++
  return n
}

/** The free slot with the longest common prefix; among equals the emptiest use of memory: the one unused for longest. */
export const chooseSlot = (
  slots: ReadonlyArray<Slot>,
  wanted: ReadonlyArray<number>
): { readonly slot: Slot; readonly prefix: number } | undefined => {
  let best: { readonly slot: Slot; readonly prefix: number } | undefined
  for (const slot of slots) {
    if (slot.busy) continue
    const prefix = commonPrefix(slot, wanted)
    if (best === undefined || prefix > best.prefix || (prefix === best.prefix && slot.used < best.slot.used)) {
      best = { slot, prefix }
    }
  }
  return best
}
