/**
 * What a token takes of the cache, and a conversation of a state, for models that people have: headers with the numbers
 * that their makers publish (each one's `config.json` on the hub), under the names that llama.cpp's converter writes them
 * by, against the sums that anybody can do by hand. `caches.test.ts` holds the same formula to what llama.cpp makes.
 */
import { describe, expect, it } from "vitest"
import { type ModelFacts, readGguf } from "../../../src/machines/formats/gguf/gguf.ts"
import { kvBytes } from "../../../src/machines/kinds/llama/memory.ts"
import { familyHeader } from "../../support/families/index.ts"
import { type Entries, general, type Value } from "../../support/gguf-container.ts"
import { tokenizerOf, vocabularyOf } from "../../support/gguf-format.ts"

type Numbers = number | ReadonlyArray<number> | ReadonlyArray<boolean>

interface Published {
  readonly name: string
  readonly architecture: string
  readonly layers: number
  readonly width: number
  readonly heads: number
  /** of each layer where they differ */
  readonly kvHeads: number | ReadonlyArray<number>
  readonly more?: Readonly<Record<string, Numbers>>
  /** bytes of a token: layers with attention × heads of keys and values × (key + value) × two bytes */
  readonly token: number
  /** bytes of a conversation: recurrent layers × (what the convolution looks back at + the state) × four bytes */
  readonly state?: number
}

/** One for each layer, counted from 0. */
const each = (layers: number, of: (layer: number) => number): ReadonlyArray<number> =>
  Array.from({ length: layers }, (_, i) => of(i))
/** So many at these layers, and none at the others. */
const at = (layers: number, these: ReadonlyArray<number>, kvHeads: number) =>
  each(layers, (i) => (these.includes(i) ? kvHeads : 0))
const windows = (layers: number, period: number): ReadonlyArray<boolean> =>
  Array.from({ length: layers }, (_, i) => i % period !== period - 1)
const head = (length: number) => ({ "attention.key_length": length, "attention.value_length": length })
const headWithWindow = (length: number) => ({
  "attention.key_length_swa": length,
  "attention.value_length_swa": length,
  "rope.dimension_count_swa": length
})
const ssm = (inner: number, state: number, groups: number, rank: number) => ({
  "ssm.conv_kernel": 4,
  "ssm.inner_size": inner,
  "ssm.state_size": state,
  "ssm.time_step_rank": rank,
  ...(groups === 0 ? {} : { "ssm.group_count": groups })
})

/** M: recurrent, -: a feed forward, *: attention */
const nemotron = [..."M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-"]

const models: ReadonlyArray<Published> = [
  { name: "Llama 3 8B", architecture: "llama", layers: 32, width: 4096, heads: 32, kvHeads: 8, token: 128 * 1024 },
  { name: "Llama 2 7B", architecture: "llama", layers: 32, width: 4096, heads: 32, kvHeads: 32, token: 512 * 1024 },
  { name: "Mistral 7B", architecture: "llama", layers: 32, width: 4096, heads: 32, kvHeads: 8, token: 128 * 1024 },
  {
    // 32 heads of 128 are narrower than its width
    name: "Mistral Nemo 12B",
    architecture: "llama",
    layers: 40,
    width: 5120,
    heads: 32,
    kvHeads: 8,
    more: head(128),
    token: 40 * 8 * (128 + 128) * 2
  },
  {
    name: "Llama 4 Scout",
    architecture: "llama4",
    layers: 48,
    width: 5120,
    heads: 40,
    kvHeads: 8,
    more: { ...head(128), expert_count: 16, expert_used_count: 1, "attention.chunk_size": 8192 },
    token: 192 * 1024
  },
  { name: "Qwen2.5 7B", architecture: "qwen2", layers: 28, width: 3584, heads: 28, kvHeads: 4, token: 56 * 1024 },
  {
    name: "Qwen3 8B",
    architecture: "qwen3",
    layers: 36,
    width: 4096,
    heads: 32,
    kvHeads: 8,
    more: head(128),
    token: 144 * 1024
  },
  {
    // 32 heads of 128 are twice its width
    name: "Qwen3 30B-A3B",
    architecture: "qwen3moe",
    layers: 48,
    width: 2048,
    heads: 32,
    kvHeads: 4,
    more: { ...head(128), expert_count: 128, expert_used_count: 8 },
    token: 96 * 1024
  },
  {
    // every fourth layer has attention; llama.cpp tells of 75.38 MiB of states
    name: "Qwen3 Next 80B-A3B",
    architecture: "qwen3next",
    layers: 48,
    width: 2048,
    heads: 16,
    kvHeads: 2,
    more: { ...head(256), ...ssm(4096, 128, 16, 32), expert_count: 512, expert_used_count: 10 },
    token: 12 * 2 * (256 + 256) * 2,
    state: 36 * (3 * (4096 + 2 * 16 * 128) + 4096 * 128) * 4
  },
  {
    name: "Qwen3.5 27B",
    architecture: "qwen35",
    layers: 64,
    width: 5120,
    heads: 24,
    kvHeads: 4,
    more: { ...head(256), ...ssm(6144, 128, 16, 48), full_attention_interval: 4 },
    token: 16 * 4 * (256 + 256) * 2,
    state: 48 * (3 * (6144 + 2 * 16 * 128) + 6144 * 128) * 4
  },
  {
    // and a layer that guesses ahead, for which nothing is kept
    name: "Qwen3.6 27B with its layer that guesses ahead",
    architecture: "qwen35",
    layers: 65,
    width: 5120,
    heads: 24,
    kvHeads: 4,
    more: { ...head(256), ...ssm(6144, 128, 16, 48), full_attention_interval: 4, nextn_predict_layers: 1 },
    token: 16 * 4 * (256 + 256) * 2,
    state: 48 * (3 * (6144 + 2 * 16 * 128) + 6144 * 128) * 4
  },
  {
    name: "Gemma 2 9B",
    architecture: "gemma2",
    layers: 42,
    width: 3584,
    heads: 16,
    kvHeads: 8,
    more: { ...head(256), "attention.sliding_window": 4096 },
    token: 336 * 1024
  },
  {
    // rbee has layers with a window keep every token, so that a prefix can be used again
    name: "Gemma 3 12B",
    architecture: "gemma3",
    layers: 48,
    width: 3840,
    heads: 16,
    kvHeads: 8,
    more: { ...head(256), "attention.sliding_window": 1024 },
    token: 384 * 1024
  },
  {
    // from layer 20 on they use the caches of earlier ones
    name: "Gemma 3n E4B",
    architecture: "gemma3n",
    layers: 35,
    width: 2048,
    heads: 8,
    kvHeads: 2,
    more: { ...head(256), "attention.sliding_window": 512, "attention.sliding_window_pattern": windows(35, 5) },
    token: 20 * 2 * (256 + 256) * 2
  },
  {
    // five layers with a window, of shorter and more heads, to one without
    name: "Gemma 4 26B-A4B",
    architecture: "gemma4",
    layers: 30,
    width: 2816,
    heads: 16,
    kvHeads: each(30, (i) => (i % 6 === 5 ? 2 : 8)),
    more: {
      ...head(512),
      ...headWithWindow(256),
      "attention.sliding_window": 1024,
      "attention.sliding_window_pattern": windows(30, 6),
      expert_count: 128,
      expert_used_count: 8
    },
    token: (25 * 8 * (256 + 256) + 5 * 2 * (512 + 512)) * 2
  },
  {
    // of its 42 layers 18 use the caches of the others: 20 with a window are left, and 4 without
    name: "Gemma 4 E4B",
    architecture: "gemma4",
    layers: 42,
    width: 2560,
    heads: 8,
    kvHeads: 2,
    more: {
      ...head(512),
      ...headWithWindow(256),
      "attention.sliding_window": 512,
      "attention.sliding_window_pattern": windows(42, 6),
      "attention.shared_kv_layers": 18
    },
    token: (20 * 2 * (256 + 256) + 4 * 2 * (512 + 512)) * 2
  },
  {
    name: "gpt-oss 20B",
    architecture: "gpt-oss",
    layers: 24,
    width: 2880,
    heads: 64,
    kvHeads: 8,
    more: { ...head(64), "attention.sliding_window": 128, expert_count: 32, expert_used_count: 4 },
    token: 48 * 1024
  },
  {
    name: "GLM-4 9B",
    architecture: "glm4",
    layers: 40,
    width: 4096,
    heads: 32,
    kvHeads: 2,
    more: { ...head(128), "rope.dimension_count": 64 },
    token: 40 * 1024
  },
  {
    // of the one that guesses ahead, its 47th, llama.cpp keeps a cache too
    name: "GLM-4.5 Air",
    architecture: "glm4moe",
    layers: 47,
    width: 4096,
    heads: 96,
    kvHeads: 8,
    more: { ...head(128), expert_count: 128, expert_used_count: 8, nextn_predict_layers: 1 },
    token: 47 * 8 * (128 + 128) * 2
  },
  {
    // a key of 512 for all heads, compressed, and 64 that are rotated; the value is within it
    name: "DeepSeek V2 Lite",
    architecture: "deepseek2",
    layers: 27,
    width: 2048,
    heads: 16,
    kvHeads: 1,
    more: {
      "attention.kv_lora_rank": 512,
      "attention.key_length": 576,
      "attention.value_length": 512,
      "attention.key_length_mla": 192,
      "attention.value_length_mla": 128,
      "rope.dimension_count": 64,
      expert_count: 64,
      expert_used_count: 6
    },
    token: 27 * 576 * 2
  },
  {
    // from before llama.cpp knew how to keep it compressed
    name: "DeepSeek V2 Lite, as it was converted first",
    architecture: "deepseek2",
    layers: 27,
    width: 2048,
    heads: 16,
    kvHeads: 16,
    more: {
      "attention.kv_lora_rank": 512,
      "attention.key_length": 192,
      "attention.value_length": 128,
      "rope.dimension_count": 64,
      expert_count: 64,
      expert_used_count: 6
    },
    token: 27 * 16 * (192 + 128) * 2
  },
  {
    name: "Kimi Linear 48B-A3B",
    architecture: "kimi-linear",
    layers: 27,
    width: 2304,
    heads: 32,
    kvHeads: at(27, [3, 7, 11, 15, 19, 23, 26], 1),
    more: {
      "attention.kv_lora_rank": 512,
      "attention.key_length": 576,
      "attention.key_length_mla": 192,
      "attention.value_length_mla": 128,
      "rope.dimension_count": 64,
      "ssm.conv_kernel": 4,
      "kda.head_dim": 128,
      expert_count: 256,
      expert_used_count: 8,
      expert_gating_func: 2
    },
    token: 7 * 576 * 2,
    // queries, keys and values each have a convolution; a state is 128 × 128 a head
    state: 20 * (3 * 3 * (32 * 128) + 32 * 128 * 128) * 4
  },
  {
    // a convolution of 3 and nothing else, in 10 of 16 layers
    name: "LFM2 1.2B",
    architecture: "lfm2",
    layers: 16,
    width: 2048,
    heads: 32,
    kvHeads: at(16, [2, 5, 8, 10, 12, 14], 8),
    more: { "shortconv.l_cache": 3 },
    token: 12 * 1024,
    state: 10 * 2 * 2048 * 4
  },
  {
    name: "Granite 4.0 H Small",
    architecture: "granitehybrid",
    layers: 40,
    width: 4096,
    heads: 32,
    kvHeads: at(40, [5, 15, 25, 35], 8),
    more: { ...ssm(8192, 128, 1, 128), expert_count: 72, expert_used_count: 10 },
    token: 16 * 1024,
    state: 36 * (3 * (8192 + 2 * 1 * 128) + 8192 * 128) * 4
  },
  {
    name: "Nemotron-H 8B",
    architecture: "nemotron_h",
    layers: 52,
    width: 4096,
    heads: 32,
    kvHeads: nemotron.map((kind) => (kind === "*" ? 8 : 0)),
    more: {
      ...head(128),
      ...ssm(8192, 128, 8, 128),
      feed_forward_length: nemotron.map((kind) => (kind === "-" ? 21_504 : 0))
    },
    token: 4 * 8 * (128 + 128) * 2,
    state: 24 * (3 * (8192 + 2 * 8 * 128) + 8192 * 128) * 4
  },
  {
    // attention and a state in every layer
    name: "Falcon-H1 7B",
    architecture: "falcon-h1",
    layers: 44,
    width: 3072,
    heads: 12,
    kvHeads: 2,
    more: { ...head(128), ...ssm(3072, 256, 1, 24) },
    token: 44 * 1024,
    state: 44 * (3 * (3072 + 2 * 1 * 256) + 3072 * 256) * 4
  },
  {
    name: "Jamba 1 52B",
    architecture: "jamba",
    layers: 32,
    width: 4096,
    heads: 32,
    kvHeads: at(32, [4, 12, 20, 28], 8),
    more: { ...ssm(8192, 16, 0, 256), expert_count: 16, expert_used_count: 2 },
    token: 16 * 1024,
    state: 28 * (3 * 8192 + 8192 * 16) * 4
  },
  {
    name: "Mamba 2.8B",
    architecture: "mamba",
    layers: 64,
    width: 2560,
    heads: 0,
    kvHeads: 0,
    more: { ...ssm(5120, 16, 0, 160), feed_forward_length: 0 },
    token: 0,
    state: 64 * (3 * 5120 + 5120 * 16) * 4
  },
  {
    name: "Mamba-2 2.7B",
    architecture: "mamba2",
    layers: 64,
    width: 2560,
    heads: 0,
    kvHeads: 0,
    more: { ...ssm(5120, 128, 1, 80), feed_forward_length: 0 },
    token: 0,
    state: 64 * (3 * (5120 + 2 * 1 * 128) + 5120 * 128) * 4
  },
  {
    // two tokens back, and 64 × 64 a head
    name: "RWKV-7 2.9B",
    architecture: "rwkv7",
    layers: 32,
    width: 2560,
    heads: 0,
    kvHeads: 0,
    more: { "wkv.head_size": 64 },
    token: 0,
    state: 32 * (2 * 2560 + 40 * 64 * 64) * 4
  },
  {
    // as many keys and values as heads
    name: "Phi-3 mini",
    architecture: "phi3",
    layers: 32,
    width: 3072,
    heads: 32,
    kvHeads: 32,
    more: { "rope.dimension_count": 96 },
    token: 384 * 1024
  },
  { name: "Phi-4 14B", architecture: "phi3", layers: 40, width: 5120, heads: 40, kvHeads: 10, token: 200 * 1024 },
  {
    name: "Command-R 35B",
    architecture: "command-r",
    layers: 40,
    width: 8192,
    heads: 64,
    kvHeads: 64,
    token: 1280 * 1024
  },
  {
    name: "OLMoE 1B-7B",
    architecture: "olmoe",
    layers: 16,
    width: 2048,
    heads: 16,
    kvHeads: 16,
    more: { expert_count: 64, expert_used_count: 8 },
    token: 128 * 1024
  },
  {
    name: "StarCoder2 7B",
    architecture: "starcoder2",
    layers: 32,
    width: 4608,
    heads: 36,
    kvHeads: 4,
    token: 64 * 1024
  },
  { name: "MiniCPM 2B", architecture: "minicpm", layers: 40, width: 2304, heads: 36, kvHeads: 36, token: 360 * 1024 },
  { name: "SmolLM3 3B", architecture: "smollm3", layers: 36, width: 2048, heads: 16, kvHeads: 4, token: 72 * 1024 },
  {
    name: "EXAONE 4.0 32B",
    architecture: "exaone4",
    layers: 64,
    width: 5120,
    heads: 40,
    kvHeads: 8,
    more: { ...head(128), "attention.sliding_window": 4096 },
    token: 256 * 1024
  },
  {
    name: "MiniMax-M2",
    architecture: "minimax-m2",
    layers: 62,
    width: 3072,
    heads: 48,
    kvHeads: 8,
    more: { ...head(128), expert_count: 256, expert_used_count: 8, expert_gating_func: 2 },
    token: 248 * 1024
  }
]

const valueOf = (numbers: Numbers): Value => {
  if (typeof numbers === "number") return { u32: numbers }
  return numbers.every((one) => typeof one === "boolean") ? { bools: numbers } : { u32s: numbers.map(Number) }
}

/** Of its first part, without what its layers are made of. */
const factsOf = ({ architecture, heads, kvHeads, layers, more = {}, width }: Published): ModelFacts => {
  const tokenizer = "bpe"
  const own: Readonly<Record<string, Numbers>> = {
    block_count: layers,
    context_length: 32_768,
    embedding_length: width,
    feed_forward_length: 4 * width,
    "attention.head_count": heads,
    "attention.head_count_kv": kvHeads,
    ...more
  }
  const vocabulary = vocabularyOf({ tokenizer, vocabulary: 300 })
  const metadata: Entries = [
    ...general(architecture, "q4_0"),
    ["split.no", { u16: 0 }],
    ["split.count", { u16: 2 }],
    ["split.tensors.count", { i32: 700 }],
    ...Object.entries(own).map(([name, numbers]) => [`${architecture}.${name}`, valueOf(numbers)] as const),
    ...tokenizerOf({ chat: false, tokenizer, spacePrefix: false }, vocabulary)
  ]
  const embeddings = { name: "token_embd.weight", shape: [width, vocabulary.length], type: "q4_0" } as const
  const { bytes, fileBytes } = familyHeader({ metadata, tensors: [embeddings] })
  const read = readGguf(bytes, fileBytes)
  if (read._tag !== "Model") throw new Error(`${architecture}: ${JSON.stringify(read)}`)
  return read.facts
}

describe("The cache of a model that people have is by its header what its makers' numbers make it", () => {
  it.each(models)("$name: $token bytes a token", (model) => {
    const facts = factsOf(model)
    const taken = (context: number, slots: number) => kvBytes(facts, { context, slots }, "f16")
    expect(facts.stateBytes).toBe(model.state ?? 0)
    expect((taken(33 * 256, 1) - taken(256, 1)) / (32 * 256)).toBe(model.token)
    expect(taken(8192, 3)).toBe(3 * (8192 * model.token + (model.state ?? 0)))
  })

  it("is known for more than 20 families", () => {
    expect(new Set(models.map(({ architecture }) => architecture)).size).toBeGreaterThan(20)
  })
})
