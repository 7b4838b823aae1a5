/**
 * What a GGUF file is that nothing can be had with, said before anything of it is loaded (or fetched): files that lie
 * beside models, and models for what is not served. Each is a clause that begins with "it is".
 */
import type { Keys } from "./keys.ts"
import { type Measures, unpooled } from "./measures.ts"
import type { Tensors } from "./tensors.ts"

/** `general.type` */
const types: Readonly<Record<string, string>> = {
  adapter: "it is a LoRA adapter, which changes a model and is none itself",
  imatrix: "it is an importance matrix (imatrix), which serves to quantise a model",
  mmproj: "it is a projector (mmproj) for pictures or sound, which goes with a model and is none itself"
}

const draft = "it is a draft, which guesses ahead for a larger model and cannot answer alone"
const speech = "it is a model for speech, not for text"

const architectures: ReadonlyArray<readonly [name: RegExp, what: string]> = [
  [/^(clip|mmproj)$/, types["mmproj"] ?? ""],
  [/^controlvector$/, "it is a control vector, which steers a model and is none itself"],
  [/^imatrix$/, types["imatrix"] ?? ""],
  [/^t5encoder$/, "it is the first half of a model that translates (T5), which is not served"],
  [/^t5$/, "it is a model that translates one text into another (T5), which is not served"],
  [/^(eagle\d*|dflash|medusa|mtp|\w+-assistant)$/, draft],
  [/^(wavtokenizer-dec|qwen3tts|pockettts)$/, speech],
  [/^(dream|llada|llada-moe|rnd1)$/, "it is a diffusion model, which does not write token by token"]
]

const byTensors = (names: ReadonlySet<string>): string | undefined => {
  for (const name of names) {
    if (/\.lora_[ab]$/.test(name)) return types["adapter"]
    if (name.endsWith(".in_sum2")) return types["imatrix"]
    if (/^(v|mm|a)\.(blk|patch_embd|\d)/.test(name) && !names.has("token_embd.weight")) return types["mmproj"]
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

/** What the file is, where that is no model that is served; of a part of a file, by what it says alone. */
export const otherKind = (keys: Keys, tensors: Tensors, measures: Measures | undefined): string | undefined => {
  const { architecture } = keys
  const type = types[keys.text("general.type")] ?? (keys.has("adapter.type") ? types["adapter"] : undefined)
  return (
    type ??
    architectures.find(([name]) => name.test(architecture))?.[1] ??
    (tensors.isPart ? undefined : byTensors(new Set(tensors.shapes.keys()))) ??
    (measures === undefined ? unpooled(keys, tensors) : undefined)
  )
}
