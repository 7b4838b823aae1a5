/** In which pieces a worker reads prompts, in tokens. The engine decodes by these numbers, and the estimate counts by them. */

/** Tokens a batch at most: a longer prompt takes several, between which others decode and a cancel is seen. */
export const batchTokens = 512

/** llama.cpp rounds the cells of each sequence up to this. */
export const cellStep = 256

/**
 * Tokens that one answer reads a batch on a CPU. Up to 63 of them give the same numbers, bit for bit, as the same tokens
 * decoded one by one, with any neighbours and from any cached prefix; so that a resumed answer continues as the
 * undisturbed one would have. From 64 on, flash attention adds up in another order; with several threads it does so too
 * for an answer that decodes alone, from 512 tokens of context on. (Measured; see also `exactUntil`.)
 */
export const exactChunk = 63

/**
 * A prompt longer than this is read in whole batches from here on: small chunks cost a third more per token at first and
 * several times as much at ten thousand. What was decoded and is read again stays exact at any length.
 */
export const exactUntil = 2048
