/** Models of the `llama` architecture, and the vocabulary that all generated models have. */
import { container, type Entries, general, type Tensor, type TensorType, elementsOf } from "./gguf-container.ts"

export interface Shape {
  readonly layers: number
  readonly width: number
  readonly heads: number
  /** at most `heads`: grouped-query attention */
  readonly kvHeads: number
  readonly feedForward: number
  /** at least 261: control tokens and bytes come first */
  readonly vocabulary: number
  readonly context: number
  readonly type: TensorType
  /** whether the file carries a chat template: ChatML, or this one */
  readonly chat: boolean | string
  /** how words become tokens: SentencePiece with byte tokens, or byte-level BPE (Llama 3, Qwen) */
  readonly tokenizer: "spm" | "bpe"
  /** SentencePiece that puts a space before a text (Llama 2) */
  readonly spacePrefix: boolean
  readonly seed: number
}

export interface Token {
  readonly text: string
  /** 1 normal, 2 unknown, 3 control, 6 byte */
  readonly type: 1 | 2 | 3 | 6
  readonly score: number
}

export const CHAT_TEMPLATE =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

export const tensorsOf = (shape: Shape): ReadonlyArray<Tensor> => {
  const { width, feedForward, type } = shape
  const keyValues = (width / shape.heads) * shape.kvHeads
  const matrix = (name: string, rows: number, columns: number): Tensor => ({ name, shape: [columns, rows], type })
  const vector = (name: string): Tensor => ({ name, shape: [width], type: "f32" })
  const layer = (i: number): ReadonlyArray<Tensor> => [
    vector(`blk.${i}.attn_norm.weight`),
    matrix(`blk.${i}.attn_q.weight`, width, width),
    matrix(`blk.${i}.attn_k.weight`, keyValues, width),
    matrix(`blk.${i}.attn_v.weight`, keyValues, width),
    matrix(`blk.${i}.attn_output.weight`, width, width),
    vector(`blk.${i}.ffn_norm.weight`),
    matrix(`blk.${i}.ffn_gate.weight`, feedForward, width),
    matrix(`blk.${i}.ffn_up.weight`, feedForward, width),
    matrix(`blk.${i}.ffn_down.weight`, width, feedForward)
  ]
  return [
    matrix("token_embd.weight", shape.vocabulary, width),
    vector("output_norm.weight"),
    matrix("output.weight", shape.vocabulary, width),
    ...Array.from({ length: shape.layers }, (_, i) => layer(i)).flat()
  ]
}

export const parametersOf = (shape: Shape): number =>
  tensorsOf(shape).reduce((sum, tensor) => sum + elementsOf(tensor), 0)

const ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl dr fl gr pl sh st th tr".split(" ")
const VOWELS = "a e i o u ai ea ou".split(" ")
const SYLLABLES = ONSETS.flatMap((onset) => VOWELS.map((vowel) => onset + vowel))

/** A pronounceable word of its own for each number. */
export const word = (n: number): string => {
  const syllable = SYLLABLES[n % SYLLABLES.length] ?? "a"
  return n < SYLLABLES.length ? syllable : syllable + word(Math.floor(n / SYLLABLES.length) - 1)
}

export const END = 2

/** byte-level BPE spells each byte as one printable character */
export const spell = (byte: number): string => {
  const printable = (b: number): boolean => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae
  if (printable(byte)) return String.fromCharCode(byte)
  let before = 0
  for (let b = 0; b < byte; b++) if (!printable(b)) before++
  return String.fromCharCode(0x100 + before)
}

/** `<unk> <s> <|im_end|> <|im_start|>`, the 256 bytes from `FIRST_BYTE` on, letters, then words with a space before. */
export const vocabularyOf = (shape: Pick<Shape, "tokenizer" | "vocabulary">): ReadonlyArray<Token> => {
  const bpe = shape.tokenizer === "bpe"
  const tokens: Array<Token> = [
    { text: "<unk>", type: 2, score: 0 },
    { text: "<s>", type: 3, score: 0 },
    { text: "<|im_end|>", type: 3, score: 0 },
    { text: "<|im_start|>", type: 3, score: 0 }
  ]
  for (let byte = 0; byte < 256; byte++) {
    const hex = byte.toString(16).toUpperCase().padStart(2, "0")
    tokens.push({ text: bpe ? spell(byte) : `<0x${hex}>`, type: bpe ? 1 : 6, score: 0 })
  }
  const space = bpe ? "Ġ" : "▁"
  const letters = bpe ? [] : [space, ..."abcdefghijklmnopqrstuvwxyz"]
  for (let i = 0; tokens.length < shape.vocabulary; i++) {
    tokens.push({ text: letters[i] ?? space + word(i - letters.length), type: 1, score: -1 - i })
  }
  return tokens.slice(0, shape.vocabulary)
}

/** Token of the byte 0. */
export const FIRST_BYTE = 4

const isWord = ({ text, type }: Token): boolean => type === 1 && text.length > 3
const cut = (text: string): string => `${text[0]} ${text.slice(1)}`

/** As llama.cpp's gguf-split writes it into each part. */
export interface Split {
  readonly no: number
  readonly count: number
  /** of all parts together */
  readonly tensors: number
}

type Spelling = Pick<Shape, "tokenizer" | "spacePrefix" | "chat">

/** How text becomes tokens, and a chat text. */
export const tokenizerOf = (shape: Spelling, vocabulary: ReadonlyArray<Token>): Entries => [
  ["tokenizer.ggml.model", { text: shape.tokenizer === "bpe" ? "gpt2" : "llama" }],
  ...(shape.tokenizer === "bpe"
    ? ([
        ["tokenizer.ggml.pre", { text: "gpt-2" }],
        // as many as real ones have; none but the first applies, since no other merge makes its second half
        ["tokenizer.ggml.merges", { texts: ["Ġ b", ...vocabulary.filter(isWord).map(({ text }) => cut(text))] }]
      ] as const)
    : []),
  ["tokenizer.ggml.tokens", { texts: vocabulary.map((token) => token.text) }],
  ["tokenizer.ggml.scores", { f32s: vocabulary.map((token) => token.score) }],
  ["tokenizer.ggml.token_type", { i32s: vocabulary.map((token) => token.type) }],
  ["tokenizer.ggml.bos_token_id", { u32: 1 }],
  ["tokenizer.ggml.eos_token_id", { u32: END }],
  ["tokenizer.ggml.eot_token_id", { u32: END }],
  ["tokenizer.ggml.unknown_token_id", { u32: 0 }],
  ["tokenizer.ggml.add_bos_token", { bool: true }],
  ["tokenizer.ggml.add_eos_token", { bool: false }],
  ["tokenizer.ggml.add_space_prefix", { bool: shape.spacePrefix }],
  ...(shape.chat === false
    ? []
    : [["tokenizer.chat_template", { text: shape.chat === true ? CHAT_TEMPLATE : shape.chat }] as const])
]

/** Everything before the weights, padded. Of a split model only the first part tells of the model. */
export const header = (
  shape: Shape,
  vocabulary: ReadonlyArray<Token>,
  tensors: ReadonlyArray<Tensor>,
  split?: Split
): Buffer => {
  const ofModel: Entries = [
    ...general("llama", shape.type),
    ["llama.context_length", { u32: shape.context }],
    ["llama.embedding_length", { u32: shape.width }],
    ["llama.block_count", { u32: shape.layers }],
    ["llama.feed_forward_length", { u32: shape.feedForward }],
    ["llama.attention.head_count", { u32: shape.heads }],
    ["llama.attention.head_count_kv", { u32: shape.kvHeads }],
    ["llama.attention.layer_norm_rms_epsilon", { f32: 1e-5 }],
    ["llama.rope.dimension_count", { u32: shape.width / shape.heads }],
    ["llama.vocab_size", { u32: shape.vocabulary }],
    ...tokenizerOf(shape, vocabulary)
  ]
  const ofSplit: Entries =
    split === undefined
      ? []
      : [
          ["split.no", { u16: split.no }],
          ["split.count", { u16: split.count }],
          ["split.tensors.count", { i32: split.tensors }]
        ]
  return container([...(split === undefined || split.no === 0 ? ofModel : []), ...ofSplit], tensors)
}
