/** In which pieces a worker reads prompts, in tokens. The engine decodes by these numbers, and the estimate counts by them. */

/** Tokens a batch at most of a GPU, or of texts that are measured. */
export const batchTokens = 512

/** llama.cpp rounds the cells of each sequence up to this. */
export const cellStep = 256

/**
 * A CPU's flash attention takes its tiled kernel for a batch with so many tokens of one sequence, and for that alone. Its
 * numbers are the same, bit for bit, whatever pieces the tokens come in and wherever these begin (measured: 32 families,
 * pieces drawn at random), and others than those of tokens that are read in fewer at once, or decoded.
 */
export const wideFrom = 64

/**
 * Tokens of a prompt that a CPU reads at once: larger pieces are no faster (within 3 % up to 512, by CPU time), and others
 * wait for a piece, as a cancel does.
 */
export const pieceTokens = 128

/** Tokens that one answer reads beside others: they give the same numbers as if they were decoded one by one. */
export const narrowTokens = wideFrom - 1
