/**
 * In what numbers of rows a CPU computes a batch in one way only, by the types of a file's tensors, as measured and read in
 * ggml: some kernels are chosen by the number of tokens in a batch, neighbours included. Of types that are not here, and of
 * all in the end, a worker's self-test decides.
 */

/** ggml's numbers of F16 and BF16: one row has a kernel of its own. */
const byOnes: ReadonlySet<number> = new Set([1, 30])
/** F32: matrices that are never quantised have it too, so it counts where there is nothing else. */
const full = 0
/** Q2_K and Q4_K: multiples of four rows are computed in one way, up to three in another, and other numbers in both. */
const byFours: ReadonlySet<number> = new Set([10, 12])
/** IQ4_XS: from eight rows on in another way. */
const byEights: ReadonlySet<number> = new Set([23])

/** Attention over so many cells is split over the threads where one token is alone in its batch. */
const splitFrom = 512

/**
 * Wide pieces in multiples of `step` tokens, all other batches of up to `most`. A prompt that is too short for a wide piece
 * is filled up to one from `padFrom` tokens on.
 */
export interface Rows {
  readonly step: number
  readonly most: number
  readonly padFrom: number
}

export const anyRows: Rows = { step: 1, most: Infinity, padFrom: Infinity }
/** A wide piece takes about as long as so many batches of few tokens. */
const batchesSpared = 16

export interface Computed {
  /** its memory cannot be cut, so that nothing can be read beyond a prompt's end */
  readonly hasState?: boolean
  /** the types of all tensors with two dimensions and more */
  readonly matrices: ReadonlySet<number>
  readonly splits?: boolean
}

/** Of a rounded cache attention is computed in one way. */
export const splitsAttention = (threads: number, cells: number, kvType: "f16" | "q8_0"): boolean =>
  threads > 1 && cells >= splitFrom && kvType === "f16"

export const rowsOf = ({ hasState = false, matrices, splits = false }: Computed): Rows => {
  const types = [...matrices]
  const has = (those: ReadonlySet<number>): boolean => types.some((type) => those.has(type))
  const isFull = types.length > 0 && types.every((type) => type === full)
  const most = Math.min(
    splits || isFull || has(byOnes) ? 1 : Infinity,
    has(byFours) ? 3 : Infinity,
    has(byEights) ? 7 : Infinity
  )
  return { step: has(byFours) ? 4 : 1, most, padFrom: hasState ? Infinity : batchesSpared * most }
}

/**
 * Answers at once up to which such rows cost at most 5 % of the tokens a second, however many of them decode
 * (`npm run bench -- exact`, 100 M parameters): who is alone pays nothing.
 */
const cheapUpTo: ReadonlyMap<number, number> = new Map([
  [1, 2],
  [3, 4],
  [7, 7]
])

/** More threads wait for the same memory, so that a batch costs them little more than one token. */
export const isCheap = ({ most }: Rows, slots: number, threads: number): boolean =>
  slots <= (threads > 1 ? most : (cheapUpTo.get(most) ?? Infinity))
