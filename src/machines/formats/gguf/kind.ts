/**
 * What a GGUF file is that no chat can be had with, said before anything of it is loaded (or fetched): files that lie
 * beside models, and models for other things. Each is a clause that begins with "it is".
 */
import type { Keys } from "./keys.ts"
import type { Tensors } from "./tensors.ts"

/** `general.type` */
const types: Readonly<Record<string, string>> = {
  adapter: "it is a LoRA adapter, which changes a model and is none itself",
  imatrix: "it is an importance matrix (imatrix), which serves to quantise a model",
  mmproj: "it is a projector (mmproj) for pictures or sound, which goes with a model and is none itself"
}

const embedding = "it is an embedding model"
const draft = "it is a draft, which guesses ahead for a larger model and cannot answer alone"
const speech = "it is a model for speech, not for text"

const architectures: ReadonlyArray<readonly [name: RegExp, what: string]> = [
  [/^(clip|mmproj)$/, types["mmproj"] ?? ""],
  [/^controlvector$/, "it is a control vector, which steers a model and is none itself"],
  [/^imatrix$/, types["imatrix"] ?? ""],
  [/bert$|bert-|^(gemma-embedding|llama-embed|t5encoder)$/, embedding],
  [/^t5$/, "it is a model that translates one text into another (T5), which is not served"],
  [/^(eagle\d*|dflash|medusa|mtp|\w+-assistant)$/, draft],
  [/^(wavtokenizer-dec|qwen3tts|pockettts)$/, speech],
  [/^(dream|llada|llada-moe|rnd1)$/, "it is a diffusion model, which does not write token by token"]
]

/** llama.cpp's number of pooling that ranks */
const ranks = 4

const pooled = (keys: Keys): string | undefined => {
  const pooling = keys.count(".pooling_type") ?? 0
  if (pooling === ranks || keys.length(".classifier.output_labels") > 0) return "it is a model that ranks (a reranker)"
  // 2^32 - 1: not said
  if (pooling > 0 && pooling < ranks) return embedding
  return keys.flag(".attention.causal") === false || keys.text("tokenizer.ggml.model") === "bert"
    ? embedding
    : undefined
}

const byTensors = (names: ReadonlySet<string>): string | undefined => {
  for (const name of names) {
    if (/\.lora_[ab]$/.test(name)) return types["adapter"]
    if (name.endsWith(".in_sum2")) return types["imatrix"]
    if (/^(v|mm|a)\.(blk|patch_embd|\d)/.test(name) && !names.has("token_embd.weight")) return types["mmproj"]
    if (/^cls(\.output)?\.weight$/.test(name)) return "it is a model that ranks (a reranker)"
    if (/^dense_[23]\.weight$/.test(name)) return embedding
  }
  const all = [...names]
  const guesses = all.some((name) => name.includes(".nextn."))
  return guesses && !all.some((name) => name.startsWith("blk.0.")) ? draft : undefined
}

/** What begins a file that is no GGUF file at all. */
const beginnings: ReadonlyArray<readonly [start: RegExp, what: string]> = [
  [/^version https:\/\/git-lfs/, "it is a pointer of Git LFS, not the file that it points to"],
  [/^\s*<(!doctype|html|\?xml)/i, "it is a web page"],
  [/^PK/, "it is an archive, perhaps of PyTorch: rbee serves GGUF"],
  [/^.{8}\{"/s, "it is perhaps of safetensors: rbee serves GGUF"],
  [/^GG(ML|MF|JT|LA)|^(lmgg|fmgg|tjgg)/, "it is of a format that llama.cpp gave up before GGUF"]
]

export const notGguf = (start: Uint8Array): string => {
  const text = new TextDecoder("latin1").decode(start.subarray(0, 64))
  const found = beginnings.find(([pattern]) => pattern.test(text))
  return found === undefined ? "it is not a GGUF file" : `it is not a GGUF file: ${found[1]}`
}

/** What the file is, where that is no model for chat; of a part of a file, by what it says alone. */
export const otherKind = (keys: Keys, { isPart, shapes }: Tensors): string | undefined => {
  const { architecture } = keys
  const type = types[keys.text("general.type")] ?? (keys.has("adapter.type") ? types["adapter"] : undefined)
  const found =
    type ??
    architectures.find(([name]) => name.test(architecture))?.[1] ??
    pooled(keys) ??
    (isPart ? undefined : byTensors(new Set(shapes.keys())))
  if (found === undefined) return undefined
  return found === embedding ? `${embedding} (${architecture}), which gives vectors and cannot chat` : found
}
