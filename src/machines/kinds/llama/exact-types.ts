/** Which tensor types a CPU computes in one way only, and which not: by their kernels, as measured and read in ggml. */

/**
 * ggml's numbers of types whose kernel is chosen by the number of rows: F16; IQ4_XS. Q8_0, Q4_0, Q5_0, Q5_K, Q6_K and
 * IQ4_NL are not; of the others a worker's self-test decides alone.
 */
const byRows: ReadonlySet<number> = new Set([1, 23])
/** Q2_K and Q4_K: multiples of four rows are computed in one way, up to three in another, and other numbers in both. */
const byFours: ReadonlySet<number> = new Set([10, 12])

/** F32: matrices that are never quantised have it too, so it counts where there is nothing else. */
const full = 0

/** In what numbers of rows a batch is computed in one way: wide pieces in multiples of `step`, all others in up to `most`. */
export interface Rows {
  readonly step: number
  readonly most: number
}

export const anyRows: Rows = { step: 1, most: Infinity }
/** Four answers cost 1 % more in threes than at once, eight 7 % (100 M parameters): more slots are not worth it. */
const slotsInThrees = 4

export const rowsOf = (matrices: ReadonlySet<number>, slots: number): Rows | undefined => {
  if (dependsOnRows(matrices)) return undefined
  if (![...matrices].some((type) => byFours.has(type))) return anyRows
  return slots <= slotsInThrees ? { step: 4, most: 3 } : undefined
}

/** `matrices`: the types of all tensors with two dimensions and more */
const dependsOnRows = (matrices: ReadonlySet<number>): boolean =>
  [...matrices].some((type) => byRows.has(type)) || (matrices.size > 0 && [...matrices].every((type) => type === full))
