/**
 * What a model remembers of what it has read, by the rules that llama.cpp makes its caches by: for each token the keys
 * and values of the layers with attention, and for each sequence the state of the recurrent ones.
 */
import type { Keys } from "./keys.ts"

export interface MemoryFacts {
  /** elements of K and V together that one token takes, over all layers; a layer with a window keeps every token too */
  readonly kvElementsPerToken: number
  /** elements of a head's K and V: each length that occurs */
  readonly headLengths: ReadonlyArray<number>
  /** bytes that a sequence takes whatever its length: the states of recurrent layers, in full precision */
  readonly stateBytes: number
  /** floats that a token of a batch takes as it passes a layer that is no plain one; absent where all are plain */
  readonly passing?: number
  /** nodes of its graph that llama.cpp makes room for whatever the batch; absent where they are few */
  readonly graphNodes?: number
}

const float = 4

/** No layer of theirs has attention. */
const withoutAttention = new Set(["mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"])
/** Every so many layers one has attention. */
const alternating = new Set(["qwen3next", "qwen35", "qwen35moe", "qwen4exp", "minimax-01"])
/** Every layer has attention and a state. */
const both = new Set(["falcon-h1"])
/** They keep nothing for the layers that guess ahead. */
const trunkOnly = new Set([...alternating, "step35", "hy_v3", "glm-dsa", "mimo2", "deepseek32"])
/** Layers from this one on use the caches of earlier ones. */
const sharedFrom: Readonly<Record<string, number>> = { gemma3n: 20 }

/** elements of one head where it has no window */
export const headLength = (keys: Keys, which: "key" | "value"): number => {
  const heads = keys.perLayer(".attention.head_count")?.(0) ?? 1
  if (heads === 0) return 0
  return keys.count(`.attention.${which}_length`) ?? Math.floor((keys.count(".embedding_length") ?? 0) / heads)
}

/** Which layers have a window: undefined where that changes nothing, or is not said. */
const windowed = (keys: Keys): ((layer: number) => boolean) | undefined => {
  const pattern = keys.perLayer(".attention.sliding_window_pattern")
  if (pattern === undefined) return undefined
  if (keys.isList(".attention.sliding_window_pattern")) return (layer) => pattern(layer) !== 0
  const period = pattern(0)
  return (layer) => period === 0 || layer % period < period - 1
}

/** Elements of K and V of one head of a layer. */
const heads = (keys: Keys) => {
  const full = { key: headLength(keys, "key"), value: headLength(keys, "value") }
  // compressed attention keeps one key, and its value is within it
  const isCompressed =
    (keys.count(".attention.key_length_mla") ?? 0) > 0 && (keys.count(".attention.value_length_mla") ?? 0) > 0
  const kept = ({ key, value }: typeof full) => ({ key, value: isCompressed ? 0 : value })
  const short = {
    key: keys.count(".attention.key_length_swa") ?? full.key,
    value: keys.count(".attention.value_length_swa") ?? full.value
  }
  const isWindow = windowed(keys)
  const largest = { key: Math.max(full.key, short.key), value: Math.max(full.value, short.value) }
  const isSame = full.key === short.key && full.value === short.value
  return {
    lengths: [...new Set([full.key, full.value, short.key, short.value])],
    of: (layer: number) => kept(isSame ? full : isWindow === undefined ? largest : isWindow(layer) ? short : full)
  }
}

const recurrent = (keys: Keys, trunk: number): ((layer: number) => boolean) => {
  const { architecture } = keys
  if (withoutAttention.has(architecture) || both.has(architecture)) return () => true
  if (alternating.has(architecture)) {
    const listed = keys.perLayer(".attention.recurrent_layers")
    const interval = keys.count(".full_attention_interval") ?? 4
    return (layer) =>
      layer < trunk && (listed === undefined ? interval === 0 || (layer + 1) % interval !== 0 : listed(layer) !== 0)
  }
  const hasState = [".ssm.state_size", ".shortconv.l_cache", ".kda.head_dim"].some((key) => keys.has(key))
  const kvHeads = keys.perLayer(".attention.head_count_kv")
  // a layer of Nemotron-H is a feed forward and nothing else where that has a width
  const alone = keys.isList(".feed_forward_length") ? keys.perLayer(".feed_forward_length") : undefined
  return (layer) => hasState && layer < trunk && kvHeads?.(layer) === 0 && (alone?.(layer) ?? 0) === 0
}

/** Elements of the state of one recurrent layer: what its convolution looks back at, and what it carries on. */
const stateElements = (keys: Keys): number => {
  const width = keys.count(".embedding_length") ?? 0
  const headCount = keys.perLayer(".attention.head_count")?.(0) ?? 0
  const wkv = keys.count(".wkv.head_size") ?? 0
  if (wkv > 0) return width * ((keys.count(".token_shift_count") ?? 2) + wkv)
  const short = keys.count(".shortconv.l_cache") ?? 0
  if (short > 0) return width * (short - 1)
  const back = Math.max(0, (keys.count(".ssm.conv_kernel") ?? 0) - 1)
  const delta = keys.count(".kda.head_dim") ?? 0
  if (delta > 0) return delta * headCount * (3 * (back || 3) + delta)
  if (keys.architecture === "minimax-01") return headLength(keys, "key") ** 2 * headCount
  const inner = keys.count(".ssm.inner_size") ?? 0
  const state = keys.count(".ssm.state_size") ?? 0
  return back * (inner + 2 * (keys.count(".ssm.group_count") ?? 0) * state) + inner * state
}

/** Of these llama.cpp expects graphs of many nodes. */
const longGraphs = new Set([
  ...alternating,
  ..."kimi-linear kimi-k3 bailingmoe3 deepseek4 nanbeige minimax-m3".split(" ")
])

/** Measured: what has a state works on several copies of its width, compressed attention on long keys. */
const passing = (keys: Keys): number => {
  const headCount = keys.perLayer(".attention.head_count")?.(0) ?? 0
  const inner = keys.count(".ssm.inner_size") ?? 0
  const ofState = (keys.architecture === "mamba" ? 9 : 12) * inner
  const ofDelta = 24 * headCount * (keys.count(".kda.head_dim") ?? 0)
  const ofShift = keys.has(".wkv.head_size") ? 24 * (keys.count(".embedding_length") ?? 0) : 0
  const isCompressed = (keys.count(".attention.key_length_mla") ?? 0) > 0
  return Math.max(ofState, ofDelta, ofShift, isCompressed ? 5.5 * headCount * headLength(keys, "key") : 0)
}

export const memoryFacts = (keys: Keys, layers: number, tensors: number): MemoryFacts => {
  const trunk = layers - (keys.count(".nextn_predict_layers") ?? 0)
  const kvHeads = keys.perLayer(".attention.head_count_kv") ?? keys.perLayer(".attention.head_count") ?? (() => 1)
  const head = heads(keys)
  const isRecurrent = recurrent(keys, trunk)
  const ownCaches = Math.min(
    sharedFrom[keys.architecture] ?? layers - (keys.count(".attention.shared_kv_layers") ?? 0),
    trunkOnly.has(keys.architecture) ? trunk : layers
  )
  // sparse attention looks keys up by a shorter one beside each
  const index = keys.count(".attention.indexer.key_length") ?? 0
  let kvElementsPerToken = 0
  let states = 0
  for (let layer = 0; layer < layers; layer++) {
    if (isRecurrent(layer)) states++
    if (layer >= ownCaches || (isRecurrent(layer) && !both.has(keys.architecture))) continue
    const { key, value } = head.of(layer)
    kvElementsPerToken += kvHeads(layer) * (key + value) + index
  }
  const floats = passing(keys)
  return {
    kvElementsPerToken,
    headLengths: head.lengths,
    stateBytes: states * stateElements(keys) * float,
    ...(floats === 0 ? {} : { passing: floats }),
    ...(longGraphs.has(keys.architecture) ? { graphNodes: 32 * tensors } : {})
  }
}
