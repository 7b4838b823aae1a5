/**
 * In which pieces an answer's tokens are read on a CPU. There are two ways to read, with other last digits each: wide, with
 * at least `wideFrom` tokens of the answer and nobody else's in the batch; and narrow, one by one or some beside others,
 * as decoding is. Which of them a token is read in depends on its place in its prompt and on nothing else, so that a prompt
 * gives the same numbers cold, after a common prefix, in company and in another process.
 */
import { narrowTokens, wideFrom } from "../../../../machines/kinds/llama/batches.ts"
import { anyRows, type Rows } from "../../../../machines/kinds/llama/exact-types.ts"

/** What a slot's cache holds that an answer could begin with. */
export interface Cells {
  readonly tokens: number
  /** how many of them, from the first on, were read wide */
  readonly wide: number
}

export interface Asked {
  /** tokens of the prompt */
  readonly prompt: number
  /** with those that are resumed */
  readonly all: number
}

/**
 * So many tokens of a prompt are read wide. The last one is not, if there are enough without it: who asks the same again
 * begins with that, and it is in one batch with the tokens of others. It is a multiple of the step, or filled up to one.
 */
export const wideEnd = (prompt: number, { padFrom, step }: Rows = anyRows): number =>
  prompt >= wideFrom ? Math.max(wideFrom, floor(prompt - 1, step)) : prompt > padFrom ? prompt - 1 : 0

const floor = (tokens: number, step: number): number => tokens - (tokens % step)

/** How much of what is held may be kept, so that the rest can be read as it would be from the beginning. */
export const reusable = (held: Cells, { all, prompt }: Asked, rows = anyRows): number => {
  const end = wideEnd(prompt, rows)
  const wide = Math.min(held.wide, held.tokens)
  if (end === 0) return wide === 0 ? held.tokens : 0
  if (wide >= end && all > end) return wide === end ? held.tokens : end
  return Math.max(0, floor(Math.min(wide, end - wideFrom), rows.step))
}

/** What a next turn asks at least that goes on from so many tokens: one more. */
export const nextTurn = (tokens: number): Asked => ({ prompt: tokens + 1, all: tokens + 1 })

/** Tokens of its prompt that an answer has still to read wide; what is too little for that is read narrow. */
export const wideLeft = (filled: number, prompt: number, rows = anyRows): number => {
  const end = wideEnd(prompt, rows)
  const left = end - filled
  return left < Math.min(end, wideFrom) ? 0 : left
}

/** The next wide piece of so many tokens that are left: what remains after it is not too little for another. */
const within = (left: number, most: number): number =>
  left <= most || left < 2 * wideFrom ? left : Math.min(most, left - wideFrom)

export const widePiece = (left: number, most: number, hasState: boolean): number =>
  within(hasState && left >= 2 * wideFrom ? left - wideFrom : left, most)

/** With a state, the prompt's last token is read alone, so that a copy can be taken before it. */
export const narrowPiece = (filled: number, { all, prompt }: Asked, hasState: boolean): number => {
  const before = prompt - 1 - filled
  return Math.min(hasState && before > 0 ? before : all - filled, narrowTokens)
}

/**
 * Where a state is copied: before the last token, and so long before that the next turn, however short, finds enough
 * that is new to be read wide.
 */
export const copiesAt = (prompt: number, rows = anyRows): ReadonlyArray<number> => [
  wideEnd(prompt, rows) - wideFrom,
  prompt - 1
]
