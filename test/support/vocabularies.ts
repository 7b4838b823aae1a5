/** Vocabularies without weights, one of each kind that llama.cpp knows: GGUF files that it loads as `vocabOnly`. */
import { createHash } from "node:crypto"
import { mkdir, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { container, type Entries, general } from "./gguf-container.ts"
import { spell } from "./gguf-format.ts"

/** every name that llama.cpp reads as a pre-tokenizer of byte-level BPE for a model that answers */
export const PRE_TOKENIZERS = (
  "default llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 minicpm5 deepseek-llm deepseek-coder " +
  "deepseek-v3 youtu falcon mpt starcoder gpt-2 phi-2 gigachat a.x-4.0 mellum jais-2 refact command-r qwen2 " +
  "deepseek-r1-qwen kormo qwen35 stablelm2 olmo dbrx smaug-bpe poro-chat glm4 chatglm-bpe viking jais tekken smollm " +
  "codeshell bloom gpt3-finnish exaone exaone4 exaone-moe chameleon minerva-7b megrez gpt-4o llama4 kanana2 talkie " +
  "tiny_aya cohere2moe superbpe trillion granite-docling bailingmoe bailingmoe2 llada-moe seed-coder hunyuan " +
  "hunyuan-dense joyai-llm kimi-k2 grok-2 afmoe laguna minimax-m2 solar-open mellum2"
).split(" ")

/** those of BPE that spells as SentencePiece does: `▁` for a space, `<0xNN>` for a byte */
export const SPACED_PRE_TOKENIZERS = ["gemma4", "sarvam-moe"]

/** what is most often taken for untidy, as words of their own and with the space before them */
const UNTIDY = [". , ? ! 's 'm 're 've 't 'd 'll ' n't", "git add && cd .. ; y && é 日本 🐝"].join(" ").split(" ")

interface Token {
  readonly text: string
  /** 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte */
  readonly type: 1 | 2 | 3 | 4 | 5 | 6
}

const CONTROLS: ReadonlyArray<Token> = [
  { text: "<unk>", type: 2 },
  { text: "<s>", type: 3 },
  { text: "</s>", type: 3 },
  { text: "<|im_start|>", type: 3 },
  { text: "[PAD4]", type: 5 },
  { text: "<tool_call>", type: 4 },
  { text: "    ", type: 4 }
]

const bytes = Array.from({ length: 256 }, (_, byte) => byte)
const hex = (byte: number): string => byte.toString(16).padStart(2, "0")

const normal = (texts: ReadonlyArray<string>): ReadonlyArray<Token> =>
  [...new Set(texts)].map((text) => ({ text, type: 1 }))

/** all beginnings of a word, so that merging one character after the other makes it */
const beginnings = (word: string): ReadonlyArray<string> => {
  const characters = [...word]
  return characters.map((_, i) => characters.slice(0, i + 1).join(""))
}

const merges = (words: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(
    words.flatMap((word) => {
      const parts = beginnings(word)
      return parts.slice(1).map((part, i) => `${parts[i]} ${[...part].at(-1)}`)
    })
  )
]

const inBytes = (word: string): string => [...Buffer.from(word)].map(spell).join("")

interface Kind {
  readonly tokens: ReadonlyArray<Token>
  readonly entries: Entries
}

const withSpace = (space: string): ReadonlyArray<string> => UNTIDY.flatMap((word) => [word, space + word])

const spm = (spacePrefix: boolean): Kind => ({
  tokens: [
    ...CONTROLS,
    ...bytes.map((byte): Token => ({ text: `<0x${hex(byte).toUpperCase()}>`, type: 6 })),
    ...normal(["▁", ...withSpace("▁").flatMap(beginnings)])
  ],
  entries: [
    ["tokenizer.ggml.model", { text: "llama" }],
    ["tokenizer.ggml.add_space_prefix", { bool: spacePrefix }]
  ]
})

const byteLevel = (pre: string): Kind => {
  const words = withSpace(" ").map(inBytes)
  return {
    // the last before the words as no tokenizer would spell it
    tokens: [...CONTROLS, ...normal([...bytes.map(spell), "日本 raw", ...words.flatMap(beginnings)])],
    entries: [
      ["tokenizer.ggml.model", { text: "gpt2" }],
      ["tokenizer.ggml.pre", { text: pre }],
      ["tokenizer.ggml.merges", { texts: merges(words) }]
    ]
  }
}

const spaced = (pre: string): Kind => {
  const words = withSpace("▁")
  return {
    tokens: [
      ...CONTROLS,
      ...bytes.map((byte): Token => ({ text: `<0x${hex(byte).toUpperCase()}>`, type: 6 })),
      ...normal(["▁", "\n", ...words.flatMap(beginnings), ...words.flatMap((word) => [...word])])
    ],
    entries: [
      ["tokenizer.ggml.model", { text: pre === "gemma4" ? pre : "gpt2" }],
      ["tokenizer.ggml.pre", { text: pre }],
      ["tokenizer.ggml.merges", { texts: merges(words) }]
    ]
  }
}

/** escaped as Python writes bytes that it cannot print */
const rwkv = (): Kind => {
  const escaped = (byte: number): string => {
    if (byte === 10) return "\\n"
    if (byte === 92) return "\\\\"
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${hex(byte)}`
  }
  return {
    tokens: [{ text: "<s>", type: 3 }, ...normal([...bytes.map(escaped), ...withSpace(" ")])],
    entries: [["tokenizer.ggml.model", { text: "rwkv" }]]
  }
}

const plamo = (): Kind => ({
  tokens: [
    ...CONTROLS,
    ...bytes.map((byte): Token => ({ text: `<0x${hex(byte).toUpperCase()}>`, type: 6 })),
    ...normal(withSpace(" "))
  ],
  entries: [["tokenizer.ggml.model", { text: "plamo2" }]]
})

/** `hello` and `##s` are `▁hello` and `s` in such a file */
const wordPiece = (): Kind => ({
  tokens: [
    { text: "[PAD]", type: 5 },
    { text: "[UNK]", type: 2 },
    { text: "[CLS]", type: 3 },
    { text: "[SEP]", type: 3 },
    ...normal(["▁hello", "▁world", "▁bee", "s", "▁,", "▁!"])
  ],
  entries: [
    ["tokenizer.ggml.model", { text: "bert" }],
    ["tokenizer.ggml.unknown_token_id", { u32: 1 }],
    ["tokenizer.ggml.cls_token_id", { u32: 2 }],
    ["tokenizer.ggml.seperator_token_id", { u32: 3 }]
  ]
})

const unigram = (): Kind => ({
  tokens: [
    { text: "<pad>", type: 3 },
    { text: "</s>", type: 3 },
    { text: "<unk>", type: 2 },
    ...normal(["▁", "▁hello", "▁world", ..."abcdefghijklmnopqrstuvwxyz,.!"])
  ],
  entries: [
    ["tokenizer.ggml.model", { text: "t5" }],
    ["tokenizer.ggml.add_space_prefix", { bool: true }]
  ]
})

const kinds = {
  spm: () => spm(false),
  "spm with a space before": () => spm(true),
  rwkv,
  plamo2: plamo,
  "word piece": wordPiece,
  unigram
} as const

/** One of these kinds, or BPE with this pre-tokenizer. */
type Name = keyof typeof kinds | { readonly pre: string }

/** The header of a file that has nothing else; `more`: other entries of it. */
export const vocabularyHeader = (name: Name, more: Entries = []): Buffer => {
  const { entries, tokens } =
    typeof name === "string"
      ? kinds[name]()
      : SPACED_PRE_TOKENIZERS.includes(name.pre)
        ? spaced(name.pre)
        : byteLevel(name.pre)
  return container(
    [
      ...general("llama", "f32"),
      ["llama.context_length", { u32: 512 }],
      ["llama.embedding_length", { u32: 64 }],
      ["llama.block_count", { u32: 1 }],
      ["llama.feed_forward_length", { u32: 64 }],
      ["llama.attention.head_count", { u32: 1 }],
      ["llama.attention.layer_norm_rms_epsilon", { f32: 1e-5 }],
      ...entries,
      ...more,
      ["tokenizer.ggml.tokens", { texts: tokens.map(({ text }) => text) }],
      ["tokenizer.ggml.scores", { f32s: tokens.map((_, i) => -i) }],
      ["tokenizer.ggml.token_type", { i32s: tokens.map(({ type }) => type) }]
    ],
    []
  )
}

/** The path of such a file. */
export const vocabulary = async (name: Name, more: Entries = []): Promise<string> => {
  const bytesOfFile = vocabularyHeader(name, more)
  const folder = join(tmpdir(), "rbee-test-models")
  await mkdir(folder, { recursive: true })
  const path = join(folder, `vocabulary-${createHash("sha256").update(bytesOfFile).digest("hex").slice(0, 16)}.gguf`)
  await writeFile(path, bytesOfFile)
  return path
}
