/** The GGUF v3 container, as much of it as the `llama` architecture needs. */

/** as ggml names them; `q4_k` needs a width that 256 divides */
export type TensorType = "f32" | "f16" | "q8_0" | "q4_0" | "q4_k"

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

export interface Tensor {
  readonly name: string
  readonly rows: number
  /** 1 for a vector */
  readonly dimensions: 1 | 2
  readonly columns: number
  readonly type: TensorType
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

const ALIGNMENT = 32
const types = { f32: 0, f16: 1, q8_0: 8, q4_0: 2, q4_k: 12 } as const
const fileTypes = { f32: 0, f16: 1, q8_0: 7, q4_0: 2, q4_k: 14 } as const
/** elements of a block, and its bytes */
export const blocks = { f32: [1, 4], f16: [1, 2], q8_0: [32, 34], q4_0: [32, 18], q4_k: [256, 144] } as const

export const bytesOf = ({ columns, rows, type }: Tensor): number =>
  ((rows * columns) / blocks[type][0]) * blocks[type][1]

export const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

export const tensorsOf = (shape: Shape): ReadonlyArray<Tensor> => {
  const { width, feedForward, type } = shape
  const keyValues = (width / shape.heads) * shape.kvHeads
  const matrix = (name: string, rows: number, columns: number): Tensor => ({ name, rows, columns, dimensions: 2, type })
  const vector = (name: string): Tensor => ({ name, rows: 1, columns: width, dimensions: 1, type: "f32" })
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
  tensorsOf(shape).reduce((sum, tensor) => sum + tensor.rows * tensor.columns, 0)

const ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl dr fl gr pl sh st th tr".split(" ")
const VOWELS = "a e i o u ai ea ou".split(" ")
const SYLLABLES = ONSETS.flatMap((onset) => VOWELS.map((vowel) => onset + vowel))

/** A pronounceable word of its own for each number. */
const word = (n: number): string => {
  const syllable = SYLLABLES[n % SYLLABLES.length] ?? "a"
  return n < SYLLABLES.length ? syllable : syllable + word(Math.floor(n / SYLLABLES.length) - 1)
}

export const END = 2

/** byte-level BPE spells each byte as one printable character */
const spell = (byte: number): string => {
  const printable = (b: number): boolean => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae
  if (printable(byte)) return String.fromCharCode(byte)
  let before = 0
  for (let b = 0; b < byte; b++) if (!printable(b)) before++
  return String.fromCharCode(0x100 + before)
}

/** `<unk> <s> <|im_end|> <|im_start|>`, the 256 bytes from `FIRST_BYTE` on, letters, then words with a space before. */
export const vocabularyOf = (shape: Shape): ReadonlyArray<Token> => {
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

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
const f32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])

type Value =
  | { readonly u16: number }
  | { readonly u32: number }
  | { readonly i32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly texts: ReadonlyArray<string> }
  | { readonly f32s: ReadonlyArray<number> }
  | { readonly i32s: ReadonlyArray<number> }

const encode = (value: Value): Buffer => {
  if ("u16" in value) return Buffer.concat([u32(2), u32(value.u16).subarray(0, 2)])
  if ("u32" in value) return Buffer.concat([u32(4), u32(value.u32)])
  if ("i32" in value) return Buffer.concat([u32(5), u32(value.i32)])
  if ("f32" in value) return Buffer.concat([u32(6), f32(value.f32)])
  if ("bool" in value) return Buffer.concat([u32(7), Buffer.from([value.bool ? 1 : 0])])
  if ("text" in value) return Buffer.concat([u32(8), text(value.text)])
  const array = (type: number, items: ReadonlyArray<Buffer>): Buffer =>
    Buffer.concat([u32(9), u32(type), u64(items.length), ...items])
  if ("texts" in value) return array(8, value.texts.map(text))
  return "f32s" in value ? array(6, value.f32s.map(f32)) : array(5, value.i32s.map(u32))
}

const isWord = ({ text, type }: Token): boolean => type === 1 && text.length > 3
const cut = (text: string): string => `${text[0]} ${text.slice(1)}`

/** As llama.cpp's gguf-split writes it into each part. */
export interface Split {
  readonly no: number
  readonly count: number
  /** of all parts together */
  readonly tensors: number
}

/** Everything before the weights, padded. Of a split model only the first part tells of the model. */
export const header = (
  shape: Shape,
  vocabulary: ReadonlyArray<Token>,
  tensors: ReadonlyArray<Tensor>,
  split?: Split
): Buffer => {
  const ofModel: ReadonlyArray<readonly [string, Value]> = [
    ["general.architecture", { text: "llama" }],
    ["general.name", { text: "random" }],
    ["general.file_type", { u32: fileTypes[shape.type] }],
    ["general.alignment", { u32: ALIGNMENT }],
    ["general.quantization_version", { u32: 2 }],
    ["llama.context_length", { u32: shape.context }],
    ["llama.embedding_length", { u32: shape.width }],
    ["llama.block_count", { u32: shape.layers }],
    ["llama.feed_forward_length", { u32: shape.feedForward }],
    ["llama.attention.head_count", { u32: shape.heads }],
    ["llama.attention.head_count_kv", { u32: shape.kvHeads }],
    ["llama.attention.layer_norm_rms_epsilon", { f32: 1e-5 }],
    ["llama.rope.dimension_count", { u32: shape.width / shape.heads }],
    ["llama.vocab_size", { u32: shape.vocabulary }],
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
  const metadata: typeof ofModel = [
    ...(split === undefined || split.no === 0 ? ofModel : []),
    ...(split === undefined
      ? []
      : ([
          ["split.no", { u16: split.no }],
          ["split.count", { u16: split.count }],
          ["split.tensors.count", { i32: split.tensors }]
        ] as const))
  ]
  let offset = 0
  const infos = tensors.map((tensor) => {
    const info = Buffer.concat([
      text(tensor.name),
      u32(tensor.dimensions),
      u64(tensor.columns),
      ...(tensor.dimensions === 2 ? [u64(tensor.rows)] : []),
      u32(types[tensor.type]),
      u64(offset)
    ])
    offset += padded(bytesOf(tensor))
    return info
  })
  const bytes = Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(tensors.length),
    u64(metadata.length),
    ...metadata.flatMap(([key, value]) => [text(key), encode(value)]),
    ...infos
  ])
  return Buffer.concat([bytes, Buffer.alloc(padded(bytes.length) - bytes.length)])
}
