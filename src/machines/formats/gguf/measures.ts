/**
 * Models that write nothing: they read a text, and what comes of it is a vector, or how well it answers a question. How
 * the vectors of its tokens become one is called pooling.
 */
import type { Keys } from "./keys.ts"
import type { Tensors } from "./tensors.ts"

export interface Measures {
  readonly purpose: "embeddings" | "reranking"
  /** it keeps nothing of what was read: no cache */
  readonly isEncoder: boolean
  /** a text is read in one batch, since its tokens are pooled, or look at each other both ways */
  readonly isWhole: boolean
}

/** llama.cpp's numbers of pooling */
const pooling = { last: 3, rank: 4 } as const

const encoders = /bert$|bert-|^gemma-embedding$/
const bothWays = /^llama-embed$/
/** Their score is of the last token, so that what was read before may be in the cache. */
const rankedByLast = /^qwen3(vl)?$/

const poolingOf = (keys: Keys): number => {
  const number = keys.count(".pooling_type") ?? 0
  // 2^32 - 1: not said
  return number > pooling.rank ? 0 : number
}

const isClassifier = ({ shapes }: Tensors): boolean =>
  ["cls.weight", "cls.output.weight"].some((name) => shapes.has(name))

const isCausal = (keys: Keys): boolean => keys.flag(".attention.causal") !== false && !bothWays.test(keys.architecture)

/** Undefined: it writes. */
export const measuresOf = (keys: Keys, tensors: Tensors): Measures | undefined => {
  const { architecture } = keys
  const isEncoder = encoders.test(architecture)
  const reads = !isEncoder && isCausal(keys)
  const kind = poolingOf(keys)
  const ranks = kind === pooling.rank || keys.length(".classifier.output_labels") > 0
  if (ranks || (kind === 0 && isClassifier(tensors)))
    return { purpose: "reranking", isEncoder, isWhole: !(reads && rankedByLast.test(architecture)) }
  return kind === 0 ? undefined : { purpose: "embeddings", isEncoder, isWhole: !(reads && kind === pooling.last) }
}

/** Why a model that gives vectors cannot be had: its header does not say how. */
export const unpooled = (keys: Keys, { shapes }: Tensors): string | undefined => {
  const { architecture } = keys
  const isEmbedding =
    encoders.test(architecture) ||
    !isCausal(keys) ||
    keys.text("tokenizer.ggml.model") === "bert" ||
    [...shapes.keys()].some((name) => /^dense_[23]\.weight$/.test(name))
  return isEmbedding
    ? `it is an embedding model (${architecture}) whose header does not say how the vectors of a text's tokens become one (pooling_type)`
    : undefined
}

/** How a question and a text are put to a model that ranks. */
export interface Pairing {
  /** with `{query}` and `{document}` */
  readonly template?: string
  /** a separator between them, where there is no template */
  readonly isSeparated: boolean
}

const separating = new Set(["jina-v1-en", "jina-v2-code", "roberta-bpe"])

export const pairingOf = (keys: Keys): Pairing => {
  const template = keys.text("tokenizer.chat_template.rerank")
  const usual = keys.text("tokenizer.ggml.model") === "bert" || separating.has(keys.text("tokenizer.ggml.pre"))
  return {
    ...(template === "" ? {} : { template }),
    isSeparated: keys.flag("tokenizer.ggml.add_sep_token") ?? usual
  }
}
