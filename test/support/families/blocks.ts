/** What the layers of model families are made of: tensors by the names that GGUF has for them, and their entries. */
import type { Entries, Tensor, TensorType } from "../gguf-container.ts"
import { blockOf } from "../gguf-container.ts"

/** The measures of a model; a family reads those that it has. */
export interface Size {
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly kvHeads: number
  /** of one head; of one of a recurrent layer too */
  readonly headLength: number
  readonly feedForward: number
  readonly experts: number
  readonly expertsUsed: number
  readonly expertFeedForward: number
  /** a recurrent layer: elements of its state for each of `inner` channels, in groups, of so many heads */
  readonly state: number
  readonly inner: number
  readonly groups: number
  readonly stateHeads: number
  /** every so many layers one has attention; the others are recurrent, or have a window */
  readonly interval: number
  readonly window: number
  /** the low rank of compressed attention, and of what RWKV mixes with */
  readonly rank: number
  readonly vocabulary: number
  readonly context: number
  readonly type: TensorType
}

export interface Family {
  readonly architecture: string
  /** without the architecture before the name */
  readonly entries: (size: Size) => Entries
  readonly tensors: (size: Size) => ReadonlyArray<Tensor>
  /** what its smallest model has other than the rest */
  readonly size?: Partial<Size>
}

type Shape = readonly [columns: number, ...rest: ReadonlyArray<number>]
type Tensors = ReadonlyArray<Tensor>

/** Of a type whose blocks do not fill its rows, a matrix is kept whole: as llama.cpp's own quantizer does. */
export const matrix = ({ type }: Size, name: string, ...shape: Shape): Tensor => ({
  name: `${name}.weight`,
  shape,
  type: shape[0] % blockOf(type)[0] === 0 ? type : "f32"
})
/** never quantised, and named without an ending */
export const plain = (name: string, ...shape: Shape): Tensor => ({ name, shape, type: "f32" })
export const weight = (name: string, ...shape: Shape): Tensor => plain(`${name}.weight`, ...shape)
export const bias = (name: string, length: number): Tensor => plain(`${name}.bias`, length)

export const layers = (size: Size, of: (block: string, i: number) => Tensors): Tensors =>
  Array.from({ length: size.layers }, (_, i) => of(`blk.${i}`, i)).flat()

/** `tied`: the embeddings are the output too. */
export const ends = (size: Size, { tied = false, norm = "output_norm" } = {}): Tensors => [
  matrix(size, "token_embd", size.width, size.vocabulary),
  weight(norm, size.width),
  ...(tied ? [] : [matrix(size, "output", size.width, size.vocabulary)])
]

export const norms = (size: Size, block: string, ...names: ReadonlyArray<string>): Tensors =>
  names.map((name) => weight(`${block}.${name}`, size.width))

interface Attention {
  readonly heads?: number
  readonly kvHeads?: number
  readonly headLength?: number
  readonly biases?: boolean
  /** one matrix for query, key and value */
  readonly isFused?: boolean
  /** the query has a gate beside it */
  readonly isGated?: boolean
  /** query and key are normed: each head by itself, or all of them together */
  readonly normed?: "head" | "whole"
}

export const attention = (size: Size, block: string, options: Attention = {}): Tensors => {
  const { biases = false, headLength = size.headLength, heads = size.heads, kvHeads = size.kvHeads } = options
  const [q, kv] = [heads * headLength, kvHeads * headLength]
  const parts: ReadonlyArray<readonly [string, number]> =
    options.isFused === true
      ? [["attn_qkv", q + 2 * kv]]
      : [
          ["attn_q", options.isGated === true ? 2 * q : q],
          ["attn_k", kv],
          ["attn_v", kv]
        ]
  const normed = options.normed === "head" ? [headLength, headLength] : [q, kv]
  return [
    ...parts.map(([name, length]) => matrix(size, `${block}.${name}`, size.width, length)),
    ...(biases ? parts.map(([name, length]) => bias(`${block}.${name}`, length)) : []),
    matrix(size, `${block}.attn_output`, q, size.width),
    ...(options.normed === undefined
      ? []
      : ["attn_q_norm", "attn_k_norm"].map((name, i) => weight(`${block}.${name}`, normed[i] ?? 0)))
  ]
}

/** Compressed to a low rank: one key and value for all heads (MLA). `headLength` is that without rotation. */
export const latentAttention = (size: Size, block: string, { rotated, query }: { rotated: number; query: boolean }) => {
  const { headLength, heads, rank, width } = size
  const whole = heads * (headLength + rotated)
  return [
    ...(query
      ? [
          matrix(size, `${block}.attn_q_a`, width, rank),
          weight(`${block}.attn_q_a_norm`, rank),
          matrix(size, `${block}.attn_q_b`, rank, whole)
        ]
      : [matrix(size, `${block}.attn_q`, width, whole)]),
    matrix(size, `${block}.attn_kv_a_mqa`, width, rank + rotated),
    weight(`${block}.attn_kv_a_norm`, rank),
    matrix(size, `${block}.attn_k_b`, headLength, rank, heads),
    matrix(size, `${block}.attn_v_b`, rank, headLength, heads),
    matrix(size, `${block}.attn_output`, heads * headLength, width)
  ]
}

/** `gate`: beside what goes up; `double`: both in one matrix */
export const feedForward = (size: Size, block: string, kind: "gate" | "double" | "plain" = "gate", suffix = "") => {
  const { width } = size
  const inner = suffix === "" ? size.feedForward : size.expertFeedForward
  return [
    ...(kind === "gate" ? [matrix(size, `${block}.ffn_gate${suffix}`, width, inner)] : []),
    matrix(size, `${block}.ffn_up${suffix}`, width, kind === "double" ? 2 * inner : inner),
    matrix(size, `${block}.ffn_down${suffix}`, inner, width)
  ]
}

interface Experts {
  readonly inner?: number
  /** one more that all tokens pass */
  readonly isShared?: boolean
  readonly hasBias?: boolean
}

export const experts = (size: Size, block: string, options: Experts = {}): Tensors => {
  const { experts: count, width } = size
  const { hasBias = false, inner = size.expertFeedForward, isShared = false } = options
  return [
    weight(`${block}.ffn_gate_inp`, width, count),
    matrix(size, `${block}.ffn_gate_exps`, width, inner, count),
    matrix(size, `${block}.ffn_up_exps`, width, inner, count),
    matrix(size, `${block}.ffn_down_exps`, inner, width, count),
    ...(isShared ? feedForward(size, block, "gate", "_shexp") : []),
    ...(hasBias ? [bias(`${block}.exp_probs_b`, count)] : [])
  ]
}

export const expertEntries = (size: Size): Entries => [
  ["expert_count", { u32: size.experts }],
  ["expert_used_count", { u32: size.expertsUsed }],
  ["expert_feed_forward_length", { u32: size.expertFeedForward }]
]

/** What all have that are transformers, with RMS norms unless it says otherwise. */
export const usual = (size: Size, epsilon = "attention.layer_norm_rms_epsilon"): Entries => [
  ["context_length", { u32: size.context }],
  ["embedding_length", { u32: size.width }],
  ["block_count", { u32: size.layers }],
  ["feed_forward_length", { u32: size.feedForward }],
  ["attention.head_count", { u32: size.heads }],
  ["attention.head_count_kv", { u32: size.kvHeads }],
  ["attention.key_length", { u32: size.headLength }],
  ["attention.value_length", { u32: size.headLength }],
  [epsilon, { f32: 1e-5 }],
  ["rope.dimension_count", { u32: size.headLength }],
  ["vocab_size", { u32: size.vocabulary }]
]

/** The same, with some said otherwise. */
export const but = (entries: Entries, ...others: Entries): Entries => {
  const changed = new Map(others)
  return [...entries.filter(([name]) => !changed.has(name)), ...others]
}
