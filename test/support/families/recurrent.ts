/** Families with layers that carry a state from token to token, alone or beside some with attention. */
import { latentEntries } from "./attention.ts"
import type { Entries, Tensor } from "../gguf-container.ts"
import * as blocks from "./blocks.ts"
import type { Family, Size } from "./blocks.ts"

type Tensors = ReadonlyArray<Tensor>

const convolution = 4
const isRecurrent = ({ interval }: Size, i: number): boolean => i % interval !== interval - 1
/** one number a layer: 0 where it is recurrent */
const kvHeadsPerLayer = (size: Size): Entries => [
  [
    "attention.head_count_kv",
    { u32s: Array.from({ length: size.layers }, (_, i) => (isRecurrent(size, i) ? 0 : size.kvHeads)) }
  ]
]

/** Mamba's first kind knows no groups. */
const ungrouped = (size: Size): Entries => stateEntries(size).filter(([name]) => name !== "ssm.group_count")

const stateEntries = (size: Size): Entries => [
  ["ssm.conv_kernel", { u32: convolution }],
  ["ssm.inner_size", { u32: size.inner }],
  ["ssm.state_size", { u32: size.state }],
  ["ssm.time_step_rank", { u32: size.stateHeads }],
  ["ssm.group_count", { u32: size.groups }]
]

const mamba1 = (size: Size, block: string, isNormed: boolean): Tensors => {
  const { inner, state, stateHeads: rank, width } = size
  return [
    blocks.matrix(size, `${block}.ssm_in`, width, 2 * inner),
    blocks.weight(`${block}.ssm_conv1d`, convolution, inner),
    blocks.bias(`${block}.ssm_conv1d`, inner),
    blocks.matrix(size, `${block}.ssm_x`, inner, rank + 2 * state),
    blocks.matrix(size, `${block}.ssm_dt`, rank, inner),
    blocks.bias(`${block}.ssm_dt`, inner),
    blocks.plain(`${block}.ssm_a`, state, inner),
    blocks.plain(`${block}.ssm_d`, inner),
    blocks.matrix(size, `${block}.ssm_out`, inner, width),
    ...(isNormed
      ? [
          blocks.weight(`${block}.ssm_dt_norm`, rank),
          blocks.weight(`${block}.ssm_b_norm`, state),
          blocks.weight(`${block}.ssm_c_norm`, state)
        ]
      : [])
  ]
}

const mamba2 = (size: Size, block: string): Tensors => {
  const { groups, inner, state, stateHeads, width } = size
  const convolved = inner + 2 * groups * state
  return [
    blocks.matrix(size, `${block}.ssm_in`, width, inner + convolved + stateHeads),
    blocks.weight(`${block}.ssm_conv1d`, convolution, convolved),
    blocks.bias(`${block}.ssm_conv1d`, convolved),
    blocks.bias(`${block}.ssm_dt`, stateHeads),
    blocks.plain(`${block}.ssm_a`, 1, stateHeads),
    blocks.plain(`${block}.ssm_d`, 1, stateHeads),
    blocks.weight(`${block}.ssm_norm`, inner / groups, groups),
    blocks.matrix(size, `${block}.ssm_out`, inner, width)
  ]
}

/** Of the query and key of a group, and the value of a head. */
const deltaNet = (size: Size, block: string, gates: Tensors): Tensors => {
  const { groups, inner, state, stateHeads, width } = size
  const convolved = 2 * groups * state + inner
  return [
    blocks.matrix(size, `${block}.attn_qkv`, width, convolved),
    blocks.matrix(size, `${block}.attn_gate`, width, inner),
    blocks.weight(`${block}.ssm_conv1d`, convolution, convolved),
    blocks.bias(`${block}.ssm_dt`, stateHeads),
    blocks.plain(`${block}.ssm_a`, stateHeads),
    ...gates,
    blocks.weight(`${block}.ssm_norm`, state),
    blocks.matrix(size, `${block}.ssm_out`, inner, width)
  ]
}

const pureMamba = (
  architecture: string,
  state: (size: Size) => Entries,
  layer: (size: Size, block: string) => Tensors
): Family => ({
  architecture,
  entries: (size) =>
    blocks.but(
      [...blocks.usual(size), ...state(size)],
      ["attention.head_count", { u32: 0 }],
      ["attention.head_count_kv", { u32: 0 }]
    ),
  tensors: (size) => [
    ...blocks.ends(size),
    ...blocks.layers(size, (block) => [...blocks.norms(size, block, "attn_norm"), ...layer(size, block)])
  ]
})

const jamba: Family = {
  architecture: "jamba",
  size: { interval: 2 },
  entries: (size) =>
    blocks.but([...blocks.usual(size), ...ungrouped(size), ...blocks.expertEntries(size)], ...kvHeadsPerLayer(size)),
  tensors: (size) => [
    ...blocks.ends(size),
    ...blocks.layers(size, (block, i) => [
      ...blocks.norms(size, block, "attn_norm", "ffn_norm"),
      ...(isRecurrent(size, i) ? mamba1(size, block, true) : blocks.attention(size, block)),
      ...(i % 2 === 1 ? blocks.experts(size, block, { inner: size.feedForward }) : blocks.feedForward(size, block))
    ])
  ]
}

const graniteHybrid: Family = {
  architecture: "granitehybrid",
  size: { interval: 2 },
  entries: (size) => blocks.but([...blocks.usual(size), ...stateEntries(size)], ...kvHeadsPerLayer(size)),
  tensors: (size) => [
    ...blocks.ends(size),
    ...blocks.layers(size, (block, i) => [
      ...blocks.norms(size, block, "attn_norm", "ffn_norm"),
      ...(isRecurrent(size, i) ? mamba2(size, block) : blocks.attention(size, block)),
      ...blocks.feedForward(size, block)
    ])
  ]
}

const falconH1: Family = {
  architecture: "falcon-h1",
  entries: (size) => [...blocks.usual(size), ...stateEntries(size)],
  tensors: (size) => [
    ...blocks.ends(size),
    ...blocks.layers(size, (block) => [
      ...blocks.norms(size, block, "attn_norm"),
      // as its files have it
      blocks.plain(`${block}.ffn_norm`, size.width),
      ...mamba2(size, block),
      ...blocks.attention(size, block),
      ...blocks.feedForward(size, block)
    ])
  ]
}

/** A layer is one thing only: recurrent, a feed forward, or attention. */
const nemotronH: Family = {
  architecture: "nemotron_h",
  size: { layers: 3 },
  entries: (size) => {
    const each = (of: (kind: number) => number) => ({ u32s: Array.from({ length: size.layers }, (_, i) => of(i % 3)) })
    return blocks.but(
      [...blocks.usual(size), ...stateEntries(size), ["attention.layer_norm_epsilon", { f32: 1e-5 }]],
      ["feed_forward_length", each((kind) => (kind === 1 ? size.feedForward : 0))],
      ["attention.head_count_kv", each((kind) => (kind === 2 ? size.kvHeads : 0))]
    )
  },
  tensors: (size) => [
    ...blocks.ends(size),
    ...blocks.layers(size, (block, i) => [
      ...blocks.norms(size, block, "attn_norm"),
      ...(i % 3 === 0
        ? mamba2(size, block)
        : i % 3 === 1
          ? blocks.feedForward(size, block, "plain")
          : blocks.attention(size, block))
    ])
  ]
}

const lfm2: Family = {
  architecture: "lfm2",
  size: { interval: 2 },
  entries: (size) => blocks.but([...blocks.usual(size), ["shortconv.l_cache", { u32: 3 }]], ...kvHeadsPerLayer(size)),
  tensors: (size) => [
    ...blocks.ends(size, { norm: "token_embd_norm" }),
    ...blocks.layers(size, (block, i) => [
      ...blocks.norms(size, block, "attn_norm", "ffn_norm"),
      ...(isRecurrent(size, i)
        ? [
            blocks.weight(`${block}.shortconv.conv`, 3, size.width),
            blocks.matrix(size, `${block}.shortconv.in_proj`, size.width, 3 * size.width),
            blocks.matrix(size, `${block}.shortconv.out_proj`, size.width, size.width)
          ]
        : blocks.attention(size, block, { normed: "head" })),
      ...blocks.feedForward(size, block)
    ])
  ]
}

const qwenGated = (
  architecture: string,
  gatesOf: (size: Size, block: string) => Tensors,
  hasExperts: boolean
): Family => ({
  architecture,
  size: { layers: 4, interval: 2 },
  entries: (size) => [
    ...blocks.usual(size),
    ...stateEntries(size),
    ["full_attention_interval", { u32: size.interval }],
    ["rope.dimension_sections", { i32s: [size.headLength / 4, size.headLength / 8, size.headLength / 8, 0] }],
    ...(hasExperts
      ? [...blocks.expertEntries(size), ["expert_shared_feed_forward_length", { u32: size.expertFeedForward }] as const]
      : [])
  ],
  tensors: (size) => [
    ...blocks.ends(size),
    ...blocks.layers(size, (block, i) => [
      ...blocks.norms(size, block, "attn_norm", "post_attention_norm"),
      ...(isRecurrent(size, i)
        ? deltaNet(size, block, gatesOf(size, block))
        : blocks.attention(size, block, { normed: "head", isGated: true })),
      ...(hasExperts
        ? [...blocks.experts(size, block, { isShared: true }), blocks.weight(`${block}.ffn_gate_inp_shexp`, size.width)]
        : blocks.feedForward(size, block))
    ])
  ]
})

/** Delta attention whose gates have a low rank, beside compressed attention. */
const kimiDelta = (size: Size, block: string): Tensors => {
  const { headLength: head, heads, width } = size
  const inner = heads * head
  return [
    ...["q", "k", "v"].flatMap((name) => [
      blocks.weight(`${block}.ssm_conv1d_${name}`, convolution, 1, inner),
      blocks.matrix(size, `${block}.attn_${name}`, width, inner)
    ]),
    ...["f", "g"].flatMap((name) => [
      blocks.matrix(size, `${block}.ssm_${name}_a`, width, head),
      blocks.matrix(size, `${block}.ssm_${name}_b`, head, inner)
    ]),
    blocks.matrix(size, `${block}.ssm_beta`, width, heads),
    blocks.plain(`${block}.ssm_a`, 1, heads),
    blocks.bias(`${block}.ssm_dt`, inner),
    blocks.weight(`${block}.ssm_norm`, head),
    blocks.matrix(size, `${block}.attn_output`, inner, width)
  ]
}

const kimiLinear: Family = {
  architecture: "kimi-linear",
  size: { interval: 2 },
  entries: (size) =>
    blocks.but(
      [...blocks.usual(size), ...blocks.expertEntries(size)],
      ...latentEntries(size),
      // its heads share one key
      ...kvHeadsPerLayer({ ...size, kvHeads: 1 }),
      ["ssm.conv_kernel", { u32: convolution }],
      ["kda.head_dim", { u32: size.headLength }],
      ["leading_dense_block_count", { u32: 1 }],
      ["expert_shared_count", { u32: 1 }],
      ["expert_weights_scale", { f32: 1 }],
      ["expert_gating_func", { u32: 2 }]
    ),
  tensors: (size) => [
    ...blocks.ends(size),
    ...blocks.layers(size, (block, i) => [
      ...blocks.norms(size, block, "attn_norm", "ffn_norm"),
      ...(isRecurrent(size, i)
        ? kimiDelta(size, block)
        : blocks.latentAttention(size, block, { rotated: 32, query: false })),
      ...(i === 0 ? blocks.feedForward(size, block) : blocks.experts(size, block, { isShared: true, hasBias: true }))
    ])
  ]
}

const rwkvLayer = (size: Size, block: string): Tensors => {
  const { feedForward: inner, rank, width } = size
  const mixes = ["w", "a", "v"].flatMap((name) => [
    blocks.weight(`${block}.time_mix_${name}0`, width),
    blocks.matrix(size, `${block}.time_mix_${name}1`, width, rank),
    blocks.matrix(size, `${block}.time_mix_${name}2`, rank, width)
  ])
  return [
    ...blocks.norms(
      size,
      block,
      "attn_norm",
      "attn_norm_2",
      "time_mix_ln",
      "time_mix_k_k",
      "time_mix_k_a",
      "time_mix_r_k"
    ),
    ...["attn_norm", "attn_norm_2", "time_mix_ln"].map((name) => blocks.bias(`${block}.${name}`, width)),
    ...mixes,
    blocks.matrix(size, `${block}.time_mix_g1`, width, rank),
    blocks.matrix(size, `${block}.time_mix_g2`, rank, width),
    blocks.weight(`${block}.time_mix_lerp_fused`, width, 1, 1, 6),
    blocks.weight(`${block}.channel_mix_lerp_k`, width, 1, 1),
    ...["key", "value", "receptance", "output"].map((name) =>
      blocks.matrix(size, `${block}.time_mix_${name}`, width, width)
    ),
    blocks.matrix(size, `${block}.channel_mix_key`, width, inner),
    blocks.matrix(size, `${block}.channel_mix_value`, inner, width)
  ]
}

const rwkv7: Family = {
  architecture: "rwkv7",
  // as in all that people have: with AVX-512 llama.cpp computes a head 64 elements at a time, and beyond the end of smaller ones
  size: { headLength: 64 },
  entries: (size) => [
    ...blocks.but(
      blocks.usual(size, "attention.layer_norm_epsilon"),
      ["attention.head_count", { u32: 0 }],
      ["attention.head_count_kv", { u32: 0 }]
    ),
    ["wkv.head_size", { u32: size.headLength }],
    ...["decay", "iclr", "value_residual_mix", "gate"].map(
      (name) => [`attention.${name}_lora_rank`, { u32: size.rank }] as const
    )
  ],
  tensors: (size) => [
    ...blocks.ends(size),
    blocks.weight("token_embd_norm", size.width),
    blocks.bias("token_embd_norm", size.width),
    blocks.bias("output_norm", size.width),
    ...blocks.layers(size, (block) => rwkvLayer(size, block))
  ]
}

export const withState: ReadonlyArray<Family> = [
  qwenGated(
    "qwen3next",
    (size, block) => [blocks.matrix(size, `${block}.ssm_ba`, size.width, 2 * size.stateHeads)],
    true
  ),
  qwenGated(
    "qwen35",
    (size, block) =>
      ["alpha", "beta"].map((name) => blocks.matrix(size, `${block}.ssm_${name}`, size.width, size.stateHeads)),
    false
  ),
  graniteHybrid,
  lfm2,
  nemotronH,
  falconH1,
  pureMamba("mamba", ungrouped, (size, block) => mamba1(size, block, false)),
  pureMamba("mamba2", stateEntries, mamba2),
  jamba,
  kimiLinear,
  rwkv7
]
