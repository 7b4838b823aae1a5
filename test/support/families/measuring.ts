/** Models that write nothing: encoders of BERT's kind with word pieces, and Llama's layers whose tokens are pooled. */
import { createHash } from "node:crypto"
import { cached } from "../gguf.ts"
import { container, type Entries, general, type Tensor } from "../gguf-container.ts"
import { type Token, word } from "../gguf-format.ts"
import { attention, bias, feedForward, layers, matrix, type Size, weight } from "./blocks.ts"
import { type FamilyFile, familyFile, TINY, writeFamily } from "./index.ts"

/** llama.cpp's numbers */
const poolings = { mean: 1, cls: 2, last: 3, rank: 4 } as const

const bert: Size = { ...TINY, width: 64, heads: 2, kvHeads: 2, headLength: 32, context: 128 }

/** `[CLS]` and `[SEP]` stand where llama.cpp expects them by their entries; each letter begins a word, or goes on with it. */
const wordPieces = (count: number): ReadonlyArray<Token> => {
  const controls: ReadonlyArray<Token> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map((text, i) => ({
    text,
    type: i === 1 ? 2 : 3,
    score: 0
  }))
  const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789"]
  const texts = [...letters.map((letter) => `▁${letter}`), ...letters, "▁.", "▁,", "▁!", "▁?"]
  for (let i = 0; controls.length + texts.length < count; i++) texts.push(`▁${word(i)}`)
  return [...controls, ...[...new Set(texts)].map((text): Token => ({ text, type: 1, score: 0 }))]
}

const wordPieceEntries = (vocabulary: ReadonlyArray<Token>): Entries => [
  ["tokenizer.ggml.model", { text: "bert" }],
  ["tokenizer.ggml.tokens", { texts: vocabulary.map(({ text }) => text) }],
  ["tokenizer.ggml.token_type", { i32s: vocabulary.map(({ type }) => type) }],
  ["tokenizer.ggml.token_type_count", { u32: 2 }],
  ["tokenizer.ggml.padding_token_id", { u32: 0 }],
  ["tokenizer.ggml.unknown_token_id", { u32: 1 }],
  ["tokenizer.ggml.cls_token_id", { u32: 2 }],
  ["tokenizer.ggml.seperator_token_id", { u32: 3 }],
  ["tokenizer.ggml.mask_token_id", { u32: 4 }]
]

const normed = (size: Size, name: string): ReadonlyArray<Tensor> => [weight(name, size.width), bias(name, size.width)]

const bertTensors = (size: Size, isRanking: boolean): ReadonlyArray<Tensor> => [
  matrix(size, "token_embd", size.width, size.vocabulary),
  weight("token_types", size.width, 2),
  weight("position_embd", size.width, size.context),
  ...normed(size, "token_embd_norm"),
  ...layers(size, (block) => [
    ...attention(size, block, { biases: true }),
    bias(`${block}.attn_output`, size.width),
    ...normed(size, `${block}.attn_output_norm`),
    ...feedForward(size, block, "plain"),
    bias(`${block}.ffn_up`, size.feedForward),
    bias(`${block}.ffn_down`, size.width),
    ...normed(size, `${block}.layer_output_norm`)
  ]),
  ...(isRanking
    ? [
        weight("cls", size.width, size.width),
        bias("cls", size.width),
        weight("cls.output", size.width, 1),
        bias("cls.output", 1)
      ]
    : [])
]

type Pooling = keyof typeof poolings

const bertFile = (pooling: Pooling, own: Partial<Size>): FamilyFile => {
  const wanted = { ...bert, ...own }
  const vocabulary = wordPieces(wanted.vocabulary)
  const size = { ...wanted, vocabulary: vocabulary.length }
  const entries: Entries = [
    ["context_length", { u32: size.context }],
    ["embedding_length", { u32: size.width }],
    ["block_count", { u32: size.layers }],
    ["feed_forward_length", { u32: size.feedForward }],
    ["attention.head_count", { u32: size.heads }],
    ["attention.layer_norm_epsilon", { f32: 1e-12 }],
    ["attention.causal", { bool: false }],
    // those that rank do not say so as a rule: their tensors do
    ...(pooling === "rank" ? [] : ([["pooling_type", { u32: poolings[pooling] }]] as const))
  ]
  return {
    metadata: [
      ...general("bert", size.type),
      ...entries.map(([name, value]) => [`bert.${name}`, value] as const),
      ...wordPieceEntries(vocabulary)
    ],
    tensors: bertTensors(size, pooling === "rank"),
    vocabulary
  }
}

export interface MeasuringModel extends Partial<Size> {
  readonly architecture?: "bert" | "llama" | "qwen3"
  readonly pooling: Pooling
  readonly seed?: number
  /** with `{query}` and `{document}` */
  readonly template?: string
}

export const measuringFile = ({ architecture = "bert", pooling, template, ...size }: MeasuringModel): FamilyFile => {
  if (architecture === "bert") return bertFile(pooling, size)
  const file = familyFile(architecture, size)
  const { width = TINY.width } = size
  return {
    ...file,
    metadata: [
      ...file.metadata.filter(([name]) => name !== "tokenizer.ggml.add_eos_token"),
      ["tokenizer.ggml.add_eos_token", { bool: true }],
      [`${architecture}.pooling_type`, { u32: poolings[pooling] }],
      ...(pooling === "rank"
        ? ([[`${architecture}.classifier.output_labels`, { texts: ["yes", "no"] }]] as const)
        : []),
      ...(template === undefined ? [] : ([["tokenizer.chat_template.rerank", { text: template }]] as const))
    ],
    tensors: [...file.tensors, ...(pooling === "rank" ? [weight("cls.output", width, 2)] : [])]
  }
}

/** The path of such a model; its name is a hash of all that it says. */
export const measuringModel = (model: MeasuringModel): Promise<string> => {
  const file = measuringFile(model)
  const hash = createHash("sha256")
    .update(`${model.seed ?? 1}`)
    .update(container(file.metadata, file.tensors))
    .digest("hex")
  return cached(`${model.pooling}-${hash.slice(0, 16)}.gguf`, (path) => writeFamily(path, file, model.seed))
}
