/** Which tensor types a CPU computes in one way only, and which not: by their kernels, as measured and read in ggml. */

/**
 * ggml's numbers of types whose kernel is chosen by the number of rows: F16; Q2_K and Q4_K; IQ4_XS. Q8_0, Q4_0, Q5_0,
 * Q5_K, Q6_K and IQ4_NL are not; of the others a worker's self-test decides alone.
 */
const byRows: ReadonlySet<number> = new Set([1, 10, 12, 23])

/** F32: matrices that are never quantised have it too, so it counts where there is nothing else. */
const full = 0

/** `matrices`: the types of all tensors with two dimensions and more */
export const dependsOnRows = (matrices: ReadonlySet<number>): boolean =>
  [...matrices].some((type) => byRows.has(type)) || (matrices.size > 0 && [...matrices].every((type) => type === full))
