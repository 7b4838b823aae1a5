/** Families with layers that carry a state from token to token, alone or beside some with attention. */
import { latentEntries } from "./attention.ts"
import type { Entries, Tensor } from "../gguf-container.ts"
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
    matrix(size, `${block}.ssm_in`, width, 2 * inner),
    weight(`${block}.ssm_conv1d`, convolution, inner),
    bias(`${block}.ssm_conv1d`, inner),
    matrix(size, `${block}.ssm_x`, inner, rank + 2 * state),
    matrix(size, `${block}.ssm_dt`, rank, inner),
    bias(`${block}.ssm_dt`, inner),
    plain(`${block}.ssm_a`, state, inner),
    plain(`${block}.ssm_d`, inner),
    matrix(size, `${block}.ssm_out`, inner, width),
    ...(isNormed
      ? [
          weight(`${block}.ssm_dt_norm`, rank),
          weight(`${block}.ssm_b_norm`, state),
          weight(`${block}.ssm_c_norm`, state)
        ]
      : [])
  ]
}

const mamba2 = (size: Size, block: string): Tensors => {
  const { groups, inner, state, stateHeads, width } = size
  const convolved = inner + 2 * groups * state
  return [
    matrix(size, `${block}.ssm_in`, width, inner + convolved + stateHeads),
    weight(`${block}.ssm_conv1d`, convolution, convolved),
    bias(`${block}.ssm_conv1d`, convolved),
    bias(`${block}.ssm_dt`, stateHeads),
    plain(`${block}.ssm_a`, 1, stateHeads),
    plain(`${block}.ssm_d`, 1, stateHeads),
    weight(`${block}.ssm_norm`, inner / groups, groups),
    matrix(size, `${block}.ssm_out`, inner, width)
  ]
}

/** Of the query and key of a group, and the value of a head. */
const deltaNet = (size: Size, block: string, gates: Tensors): Tensors => {
  const { groups, inner, state, stateHeads, width } = size
  const convolved = 2 * groups * state + inner
  return [
    matrix(size, `${block}.attn_qkv`, width, convolved),
    matrix(size, `${block}.attn_gate`, width, inner),
    weight(`${block}.ssm_conv1d`, convolution, convolved),
    bias(`${block}.ssm_dt`, stateHeads),
    plain(`${block}.ssm_a`, stateHeads),
    ...gates,
    weight(`${block}.ssm_norm`, state),
    matrix(size, `${block}.ssm_out`, inner, width)
  ]
}

const pureMamba = (
  architecture: string,
  state: (size: Size) => Entries,
  layer: (size: Size, block: string) => Tensors
): Family => ({
  architecture,
  entries: (size) =>
    but(
      [...usual(size), ...state(size)],
      ["attention.head_count", { u32: 0 }],
      ["attention.head_count_kv", { u32: 0 }]
    ),
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block) => [...norms(size, block, "attn_norm"), ...layer(size, block)])
  ]
})

const jamba: Family = {
  architecture: "jamba",
  size: { interval: 2 },
  entries: (size) => but([...usual(size), ...ungrouped(size), ...expertEntries(size)], ...kvHeadsPerLayer(size)),
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...(isRecurrent(size, i) ? mamba1(size, block, true) : attention(size, block)),
      ...(i % 2 === 1 ? experts(size, block, { inner: size.feedForward }) : feedForward(size, block))
    ])
  ]
}

const graniteHybrid: Family = {
  architecture: "granitehybrid",
  size: { interval: 2 },
  entries: (size) => but([...usual(size), ...stateEntries(size)], ...kvHeadsPerLayer(size)),
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...(isRecurrent(size, i) ? mamba2(size, block) : attention(size, block)),
      ...feedForward(size, block)
    ])
  ]
}

const falconH1: Family = {
  architecture: "falcon-h1",
  entries: (size) => [...usual(size), ...stateEntries(size)],
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block) => [
      ...norms(size, block, "attn_norm"),
      // as its files have it
      plain(`${block}.ffn_norm`, size.width),
      ...mamba2(size, block),
      ...attention(size, block),
      ...feedForward(size, block)
    ])
  ]
}

/** A layer is one thing only: recurrent, a feed forward, or attention. */
const nemotronH: Family = {
  architecture: "nemotron_h",
  size: { layers: 3 },
  entries: (size) => {
    const each = (of: (kind: number) => number) => ({ u32s: Array.from({ length: size.layers }, (_, i) => of(i % 3)) })
    return but(
      [...usual(size), ...stateEntries(size), ["attention.layer_norm_epsilon", { f32: 1e-5 }]],
      ["feed_forward_length", each((kind) => (kind === 1 ? size.feedForward : 0))],
      ["attention.head_count_kv", each((kind) => (kind === 2 ? size.kvHeads : 0))]
    )
  },
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm"),
      ...(i % 3 === 0 ? mamba2(size, block) : i % 3 === 1 ? feedForward(size, block, "plain") : attention(size, block))
    ])
  ]
}

const lfm2: Family = {
  architecture: "lfm2",
  size: { interval: 2 },
  entries: (size) => but([...usual(size), ["shortconv.l_cache", { u32: 3 }]], ...kvHeadsPerLayer(size)),
  tensors: (size) => [
    ...ends(size, { norm: "token_embd_norm" }),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...(isRecurrent(size, i)
        ? [
            weight(`${block}.shortconv.conv`, 3, size.width),
            matrix(size, `${block}.shortconv.in_proj`, size.width, 3 * size.width),
            matrix(size, `${block}.shortconv.out_proj`, size.width, size.width)
          ]
        : attention(size, block, { normed: "head" })),
      ...feedForward(size, block)
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
    ...usual(size),
    ...stateEntries(size),
    ["full_attention_interval", { u32: size.interval }],
    ["rope.dimension_sections", { i32s: [size.headLength / 4, size.headLength / 8, size.headLength / 8, 0] }],
    ...(hasExperts
      ? [...expertEntries(size), ["expert_shared_feed_forward_length", { u32: size.expertFeedForward }] as const]
      : [])
  ],
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm", "post_attention_norm"),
      ...(isRecurrent(size, i)
        ? deltaNet(size, block, gatesOf(size, block))
        : attention(size, block, { normed: "head", isGated: true })),
      ...(hasExperts
        ? [...experts(size, block, { isShared: true }), weight(`${block}.ffn_gate_inp_shexp`, size.width)]
        : feedForward(size, block))
    ])
  ]
})

/** Delta attention whose gates have a low rank, beside compressed attention. */
const kimiDelta = (size: Size, block: string): Tensors => {
  const { headLength: head, heads, width } = size
  const inner = heads * head
  return [
    ...["q", "k", "v"].flatMap((name) => [
      weight(`${block}.ssm_conv1d_${name}`, convolution, 1, inner),
      matrix(size, `${block}.attn_${name}`, width, inner)
    ]),
    ...["f", "g"].flatMap((name) => [
      matrix(size, `${block}.ssm_${name}_a`, width, head),
      matrix(size, `${block}.ssm_${name}_b`, head, inner)
    ]),
    matrix(size, `${block}.ssm_beta`, width, heads),
    plain(`${block}.ssm_a`, 1, heads),
    bias(`${block}.ssm_dt`, inner),
    weight(`${block}.ssm_norm`, head),
    matrix(size, `${block}.attn_output`, inner, width)
  ]
}

const kimiLinear: Family = {
  architecture: "kimi-linear",
  size: { interval: 2, kvHeads: 1 },
  entries: (size) =>
    but(
      [...usual(size), ...expertEntries(size)],
      ...latentEntries(size),
      ...kvHeadsPerLayer(size),
      ["ssm.conv_kernel", { u32: convolution }],
      ["kda.head_dim", { u32: size.headLength }],
      ["leading_dense_block_count", { u32: 1 }],
      ["expert_shared_count", { u32: 1 }],
      ["expert_weights_scale", { f32: 1 }],
      ["expert_gating_func", { u32: 2 }]
    ),
  tensors: (size) => [
    ...ends(size),
    ...layers(size, (block, i) => [
      ...norms(size, block, "attn_norm", "ffn_norm"),
      ...(isRecurrent(size, i) ? kimiDelta(size, block) : latentAttention(size, block, { rotated: 32, query: false })),
      ...(i === 0 ? feedForward(size, block) : experts(size, block, { isShared: true, hasBias: true }))
    ])
  ]
}

const rwkvLayer = (size: Size, block: string): Tensors => {
  const { feedForward: inner, rank, width } = size
  const mixes = ["w", "a", "v"].flatMap((name) => [
    weight(`${block}.time_mix_${name}0`, width),
    matrix(size, `${block}.time_mix_${name}1`, width, rank),
    matrix(size, `${block}.time_mix_${name}2`, rank, width)
  ])
  return [
    ...norms(size, block, "attn_norm", "attn_norm_2", "time_mix_ln", "time_mix_k_k", "time_mix_k_a", "time_mix_r_k"),
    ...["attn_norm", "attn_norm_2", "time_mix_ln"].map((name) => bias(`${block}.${name}`, width)),
    ...mixes,
    matrix(size, `${block}.time_mix_g1`, width, rank),
    matrix(size, `${block}.time_mix_g2`, rank, width),
    weight(`${block}.time_mix_lerp_fused`, width, 1, 1, 6),
    weight(`${block}.channel_mix_lerp_k`, width, 1, 1),
    ...["key", "value", "receptance", "output"].map((name) => matrix(size, `${block}.time_mix_${name}`, width, width)),
    matrix(size, `${block}.channel_mix_key`, width, inner),
    matrix(size, `${block}.channel_mix_value`, inner, width)
  ]
}

const rwkv7: Family = {
  architecture: "rwkv7",
  entries: (size) => [
    ...but(
      usual(size, "attention.layer_norm_epsilon"),
      ["attention.head_count", { u32: 0 }],
      ["attention.head_count_kv", { u32: 0 }]
    ),
    ["wkv.head_size", { u32: size.headLength }],
    ...["decay", "iclr", "value_residual_mix", "gate"].map(
      (name) => [`attention.${name}_lora_rank`, { u32: size.rank }] as const
    )
  ],
  tensors: (size) => [
    ...ends(size),
    weight("token_embd_norm", size.width),
    bias("token_embd_norm", size.width),
    bias("output_norm", size.width),
    ...layers(size, (block) => rwkvLayer(size, block))
  ]
}

export const withState: ReadonlyArray<Family> = [
  qwenGated("qwen3next", (size, block) => [matrix(size, `${block}.ssm_ba`, size.width, 2 * size.stateHeads)], true),
  qwenGated(
    "qwen35",
    (size, block) => ["alpha", "beta"].map((name) => matrix(size, `${block}.ssm_${name}`, size.width, size.stateHeads)),
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
