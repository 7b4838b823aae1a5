/** Families whose layers all have attention. */
import {
  attention,
  bias,
  but,
  ends,
  expertEntries,
  experts,
  type Family,
  feedForward,
  latentAttention,
  layers,
  matrix,
  norms,
  plain,
  type Size,
  usual,
  weight
} from "./blocks.ts"

const layerNorm = "attention.layer_norm_epsilon"

/** Llama's own, under another name. */
const asLlama = (architecture: string): Family => ({
  architecture,
  entries: usual,
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...attention(size, block),
      ...feedForward(size, block)
    ])
  ]
})

const llama4: Family = {
  architecture: "llama4",
  size: { layers: 4 },
  entries: (size) => [...usual(size), ...expertEntries(size), ["interleave_moe_layer_step", { u32: 2 }]],
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...attention(size, block),
      ...(i % 2 === 1 ? experts(size, block, { isShared: true }) : feedForward(size, block))
    ])
  ]
}

const qwen = (architecture: string, options: Parameters<typeof attention>[2], hasExperts = false): Family => ({
  architecture,
  entries: (size) => [...usual(size), ...(hasExperts ? expertEntries(size) : [])],
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...attention(size, block, options),
      ...(hasExperts ? experts(size, block) : feedForward(size, block))
    ])
  ]
})

const gemma = (architecture: string, normed: "head" | undefined): Family => ({
  architecture,
  size: { layers: 3, window: 64 },
  entries: (size) => [...usual(size), ["attention.sliding_window", { u32: size.window }]],
  tensors: (size) => [
    ...ends(size, { tied: true }),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"),
      ...attention(size, block, normed === undefined ? {} : { normed }),
      ...feedForward(size, block)
    ])
  ]
})

/** Layers with a window have shorter heads; the last ones use the cache of earlier ones. */
const hasWindow = ({ interval }: Size, i: number): boolean => i % interval !== interval - 1
const perLayer = 32
const gemma4: Family = {
  architecture: "gemma4",
  size: { layers: 6, interval: 3, window: 64, headLength: 64 },
  entries: (size) => [
    ...usual(size),
    ["attention.sliding_window", { u32: size.window }],
    ["attention.sliding_window_pattern", { bools: Array.from({ length: size.layers }, (_, i) => hasWindow(size, i)) }],
    ["attention.shared_kv_layers", { u32: size.interval }],
    ["attention.key_length_swa", { u32: size.headLength / 2 }],
    ["attention.value_length_swa", { u32: size.headLength / 2 }],
    ["rope.dimension_count_swa", { u32: size.headLength / 2 }],
    ["embedding_length_per_layer_input", { u32: perLayer }]
  ],
  tensors: (size) => [
    ...ends(size, { tied: true }),
    matrix(size, "per_layer_token_embd", perLayer * size.layers, size.vocabulary),
    matrix(size, "per_layer_model_proj", size.width, perLayer * size.layers),
    weight("per_layer_proj_norm", perLayer),
    weight("rope_freqs", size.headLength / 2),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm", "post_norm"),
      ...attention(size, block, {
        normed: "head",
        headLength: hasWindow(size, i) ? size.headLength / 2 : size.headLength
      }),
      ...feedForward(size, block),
      weight(`${block}.layer_output_scale`, 1),
      matrix(size, `${block}.inp_gate`, size.width, perLayer),
      matrix(size, `${block}.proj`, perLayer, size.width)
    ])
  ]
}

const gptOss: Family = {
  architecture: "gpt-oss",
  size: { window: 64 },
  entries: (size) => [...usual(size), ...expertEntries(size), ["attention.sliding_window", { u32: size.window }]],
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm", "post_attention_norm"),
      ...attention(size, block, { biases: true }),
      bias(`${block}.attn_output`, size.width),
      weight(`${block}.attn_sinks`, size.heads),
      ...experts(size, block),
      bias(`${block}.ffn_gate_inp`, size.experts),
      plain(`${block}.ffn_gate_exps.bias`, size.expertFeedForward, size.experts),
      plain(`${block}.ffn_up_exps.bias`, size.expertFeedForward, size.experts),
      plain(`${block}.ffn_down_exps.bias`, size.width, size.experts)
    ])
  ]
}

const rotated = 32
/** The cache holds the compressed key, and the part of it that is rotated; the value is within it. */
export const latentEntries = (size: Size) =>
  [
    ["attention.kv_lora_rank", { u32: size.rank }],
    ["attention.key_length", { u32: size.rank + rotated }],
    ["attention.value_length", { u32: size.rank }],
    ["attention.key_length_mla", { u32: size.headLength + rotated }],
    ["attention.value_length_mla", { u32: size.headLength }],
    ["rope.dimension_count", { u32: rotated }]
  ] as const

const deepseek2: Family = {
  architecture: "deepseek2",
  entries: (size) =>
    but(
      [...usual(size), ...expertEntries(size)],
      ...latentEntries(size),
      ["attention.head_count_kv", { u32: 1 }],
      ["attention.q_lora_rank", { u32: size.rank }],
      ["leading_dense_block_count", { u32: 1 }],
      ["expert_shared_count", { u32: 1 }],
      ["expert_weights_scale", { f32: 1 }],
      ["expert_gating_func", { u32: 2 }]
    ),
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...latentAttention(size, block, { rotated, query: true }),
      ...(i === 0 ? feedForward(size, block) : experts(size, block, { isShared: true, hasBias: true }))
    ])
  ]
}

const glm4: Family = {
  architecture: "glm4",
  entries: usual,
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"),
      ...attention(size, block, { biases: true }),
      ...feedForward(size, block, "double")
    ])
  ]
}

const glm4moe: Family = {
  architecture: "glm4moe",
  entries: (size) => [
    ...usual(size),
    ...expertEntries(size),
    ["leading_dense_block_count", { u32: 1 }],
    ["expert_shared_count", { u32: 1 }],
    ["expert_weights_norm", { bool: true }]
  ],
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm", "post_attention_norm"),
      ...attention(size, block, { biases: true, normed: "head" }),
      ...(i === 0 ? feedForward(size, block) : experts(size, block, { isShared: true, hasBias: true }))
    ])
  ]
}

const phi3: Family = {
  architecture: "phi3",
  entries: usual,
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...attention(size, block, { isFused: true }),
      ...feedForward(size, block, "double")
    ])
  ]
}

const commandR: Family = {
  architecture: "command-r",
  entries: (size) => [...usual(size, layerNorm), ["logit_scale", { f32: 0.5 }]],
  tensors: (size) => [
    ...ends(size, { tied: true }),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm"),
      ...attention(size, block),
      ...feedForward(size, block)
    ])
  ]
}

/** The width of its experts is that of the feed forward. */
const ofExperts = (architecture: string, hasBias: boolean): Family => ({
  architecture,
  size: { kvHeads: 2 },
  entries: (size) => [
    ...usual(size),
    ...expertEntries({ ...size, expertFeedForward: size.feedForward }),
    ["expert_gating_func", { u32: 2 }]
  ],
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...attention(size, block, { normed: "whole" }),
      ...experts(size, block, { inner: size.feedForward, hasBias })
    ])
  ]
})

const starcoder2: Family = {
  architecture: "starcoder2",
  entries: (size) => usual(size, layerNorm),
  tensors: (size) => [
    ...ends(size),
    bias("output_norm", size.width),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...["attn_norm", "ffn_norm", "attn_output", "ffn_down"].map((name) => bias(`${block}.${name}`, size.width)),
      ...attention(size, block, { biases: true }),
      ...feedForward(size, block, "plain"),
      bias(`${block}.ffn_up`, size.feedForward)
    ])
  ]
}

const exaone4: Family = {
  architecture: "exaone4",
  entries: usual,
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block) => [
      ...norms(size, block, "post_attention_norm", "post_ffw_norm"),
      ...attention(size, block, { normed: "head" }),
      ...feedForward(size, block)
    ])
  ]
}

export const withAttention: ReadonlyArray<Family> = [
  asLlama("llama"),
  llama4,
  qwen("qwen2", { biases: true }),
  qwen("qwen3", { normed: "head" }),
  qwen("qwen3moe", { normed: "head" }, true),
  gemma("gemma2", undefined),
  gemma("gemma3", "head"),
  gemma4,
  gptOss,
  deepseek2,
  glm4,
  glm4moe,
  asLlama("mistral3"),
  phi3,
  commandR,
  ofExperts("olmoe", false),
  asLlama("minicpm"),
  starcoder2,
  asLlama("smollm3"),
  exaone4,
  ofExperts("minimax-m2", true)
]
