/** Slots: the places of a batch, each with the tokens that its KV cache holds. */

/** What a cache holds. */
export interface Held {
  readonly tokens: ReadonlyArray<number>
  readonly filled: number
  readonly wide: number
  readonly scope: string
}

export interface Slot {
  readonly id: number
  /** tokens whose cells are in the cache, or will be when the batch in flight is decoded */
  tokens: ReadonlyArray<number>
  /** how many of `tokens` are: an answer shares its growing array with its slot */
  filled: number
  /** how many of those, from the first on, were read wide, as prompts are: other bits than those of what is decoded */
  wide: number
  /** whose they are: nobody else's prompt is answered from them */
  scope: string
  /** what its cells still hold, until those of the answer that took it are cut to its own */
  leaving: Held | undefined
  busy: boolean
  /** grows with each use: larger is later */
  used: number
}

export const makeSlots = (count: number): ReadonlyArray<Slot> =>
  Array.from({ length: count }, (_, id) => ({
    id,
    tokens: [],
    filled: 0,
    wide: 0,
    scope: "",
    leaving: undefined,
    busy: false,
    used: 0
  }))

export const lastUsed = (slots: ReadonlyArray<Slot>): number => Math.max(...slots.map(({ used }) => used))

/** How many tokens at the beginning of `wanted` the slot's cache holds. */
export const commonPrefix = (slot: Slot, wanted: ReadonlyArray<number>): number => {
  const end = Math.min(slot.filled, wanted.length)
  let n = 0
  while (n < end && slot.tokens[n] === wanted[n]) n++
  return n
}

/**
 * The free slot with the longest common prefix, if that is half of `wanted` or half of what the slot holds; a slot that
 * shares little more than the beginning of the chat template would lose more than it saves. Else the free slot unused
 * for longest.
 */
export const chooseSlot = (
  slots: ReadonlyArray<Slot>,
  wanted: ReadonlyArray<number>,
  scope = ""
): { readonly slot: Slot; readonly prefix: number } | undefined => {
  let alike: { readonly slot: Slot; readonly prefix: number } | undefined
  let oldest: { readonly slot: Slot; readonly prefix: number } | undefined
  for (const slot of slots) {
    if (slot.busy) continue
    const found = { slot, prefix: slot.scope === scope ? commonPrefix(slot, wanted) : 0 }
    const worth = found.prefix > 0 && 2 * found.prefix >= Math.min(wanted.length, slot.filled)
    if (worth && (alike === undefined || found.prefix > alike.prefix)) alike = found
    if (oldest === undefined || slot.used < oldest.slot.used) oldest = found
  }
  return alike ?? oldest
}
