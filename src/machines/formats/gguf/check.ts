/**
 * What llama.cpp takes for granted of a header, and ends its process over where it is not so. Here it is a reason to
 * refuse the file. What llama.cpp refuses by itself, in words, is left to it.
 */
import { Invalid } from "./cursor.ts"
import type { Keys } from "./keys.ts"
import { headLength, type MemoryFacts } from "./memory.ts"
import type { Tensors } from "./tensors.ts"

/** as llama.cpp has room for */
export const layersMax = 512
const expertsMax = 1024

/** They may say that they have one expert, and have none. */
const looseExperts = /^hunyuan/

const refuseUnless = (isSo: boolean, reason: string): void => {
  if (!isSo) throw new Invalid(reason)
}

/** llama.cpp's ways to choose experts; these families have none by default */
const gatesMax = 4
const ungated = new Set(["minimax-m2", "kimi-linear"])

const checkExperts = (keys: Keys): void => {
  const gate = keys.count(".expert_gating_func", gatesMax) ?? 0
  refuseUnless(gate > 0 || !ungated.has(keys.architecture), "its header does not say how its experts are chosen")
  const experts = keys.count(".expert_count", expertsMax) ?? 0
  const used = keys.largest(".expert_used_count") ?? 0
  if (looseExperts.test(keys.architecture)) return
  refuseUnless(used <= experts, `its header says that ${used} of ${experts} experts are used`)
  refuseUnless(experts === 0 || used > 0, `its header says that none of its ${experts} experts is used`)
  const groups = keys.count(".expert_group_count") ?? 0
  const usedGroups = keys.count(".expert_group_used_count") ?? 0
  const isDivided = groups <= 1 || (experts % groups === 0 && usedGroups > 0 && usedGroups < groups)
  refuseUnless(
    (experts === 0 ? groups === 0 : groups < experts) && isDivided,
    `its header says that ${experts} experts are in ${groups} groups of which ${usedGroups} are used`
  )
}

/** They rotate whole heads, or llama.cpp ends. */
const wholly = new Set(
  "llama llama4 mistral3 minicpm qwen2 qwen2moe qwen2vl qwen3 qwen3moe qwen3vl qwen3vlmoe olmo olmo2 olmoe smollm3 starcoder2 exaone exaone4 granite granitemoe internlm2 deepseek dots1 xverse seed_oss".split(
    " "
  )
)

/** Their keys and values are of one length, or llama.cpp ends. */
const alike = new Set([
  ...wholly,
  ..."bloom chatglm cohere2 command-r falcon glm4 glm4moe gpt2 gptneox granitehybrid".split(" "),
  ..."minimax-m2 nemotron nemotron_h phi2 phi3 qwen35 qwen35moe qwen3next stablelm".split(" ")
])

const checkHeads = (keys: Keys, layers: number, lengths: ReadonlyArray<number>): void => {
  const heads = keys.perLayer(".attention.head_count")
  const kvHeads = keys.perLayer(".attention.head_count_kv") ?? heads
  for (let layer = 0; layer < layers; layer++) {
    const [all, kv] = [heads?.(layer) ?? 0, kvHeads?.(layer) ?? 0]
    const isWhole = all === 0 || kv === 0 || all % kv === 0
    refuseUnless(isWhole, `its header says that ${all} heads share ${kv} keys and values, which does not come out even`)
  }
  const [key, value] = [headLength(keys, "key"), headLength(keys, "value")]
  refuseUnless(
    key === value || !alike.has(keys.architecture),
    `its header says that its keys have ${key} elements and its values ${value}, which must be as many`
  )
  const rotated = keys.count(".rope.dimension_count") ?? 0
  const longest = Math.max(...lengths)
  const isWhole = rotated === 0 || !wholly.has(keys.architecture) || rotated === longest
  refuseUnless(
    longest === 0 || (rotated <= longest && rotated % 2 === 0 && isWhole),
    `its header says that ${rotated} of the ${longest} elements of a head are rotated`
  )
  const short = keys.count(".attention.key_length_swa") ?? longest
  // as many as of the others, where the header does not say
  const shortRotated = keys.count(".rope.dimension_count_swa") ?? (short < longest ? rotated || longest : 0)
  refuseUnless(
    shortRotated <= short && shortRotated % 2 === 0,
    `its header says that ${shortRotated} of the ${short} elements of a head with a window are rotated`
  )
  const sections = keys.perLayer(".rope.dimension_sections") ?? (() => 0)
  const inSections = [0, 1, 2, 3].reduce((sum, section) => sum + sections(section), 0)
  refuseUnless(
    longest === 0 || inSections <= longest,
    `its header says that ${inSections} of the ${longest} elements of a head are rotated in sections`
  )
}

/** What a norm adds before it divides. */
const checkNorms = (keys: Keys): void => {
  for (const key of [
    ".attention.layer_norm_rms_epsilon",
    ".attention.layer_norm_epsilon",
    ".attention.group_norm_epsilon"
  ]) {
    const epsilon = keys.real(key) ?? 0
    refuseUnless(
      epsilon >= 0 && epsilon < 1,
      `its header says that ${key.slice(1)} is ${epsilon}, which is out of range`
    )
  }
}

/** Their inner width is twice the outer one, or llama.cpp ends. */
const doubled = new Set(["jamba", "granitehybrid"])

/** Elements of a state's head that llama.cpp computes at once, where registers are widest. */
const wkvStep = 64

const checkStates = (keys: Keys, layers: number, { isPart, shapes }: Tensors): void => {
  const inner = keys.count(".ssm.inner_size") ?? 0
  const width = keys.count(".embedding_length") ?? 0
  const wkv = keys.count(".wkv.head_size") ?? 0
  refuseUnless(wkv === 0 || width % wkv === 0, `its header says that a width of ${width} has heads of ${wkv}`)
  // with AVX-512 it writes beyond the end of others
  refuseUnless(
    wkv % wkvStep === 0,
    `its header says that it has heads of ${wkv}, and llama.cpp computes ${wkvStep} at once`
  )
  for (let layer = 0; layer < layers; layer++) {
    const has = (name: string) => shapes.has(`blk.${layer}.${name}`)
    const isBiased = !has("ssm_in.weight") || has("ssm_conv1d.bias") || isPart || keys.architecture.startsWith("qwen")
    refuseUnless(isBiased, `its layer ${layer} is not whole (blk.${layer}.ssm_conv1d.bias is missing)`)
    // what makes its states may be one matrix or two, and llama.cpp asks for neither
    const isDelta = !isPart && keys.architecture.startsWith("qwen") && has("ssm_conv1d.weight")
    const isFed = has("ssm_in.weight") || (has("attn_qkv.weight") && has("attn_gate.weight"))
    refuseUnless(
      !isDelta || isFed,
      `its layer ${layer} is not whole (blk.${layer}.attn_qkv.weight or its gate is missing)`
    )
    const told = shapes.get(`blk.${layer}.ssm_out.weight`)?.[0]
    const isSame = told === undefined || (told === inner && (!doubled.has(keys.architecture) || inner === 2 * width))
    refuseUnless(isSame, `its header says that its states are ${inner} wide, its tensors say ${told}`)
  }
}

/** Lengths of what a head has, by the name of its entry; those that occur. */
const lengthsOf = (keys: Keys, first: number, ...others: ReadonlyArray<string>): ReadonlyArray<number> =>
  [first, ...others.map((key) => keys.count(key) ?? 0)].filter((length) => length > 0)

interface Rows {
  readonly query: number | undefined
  readonly fused: number | undefined
  readonly output: number | undefined
}

/** What the matrices of one layer make of a token is cut into heads: that must come out even. */
const isEven = (
  { fused, output, query }: Rows,
  heads: number,
  kvHeads: number,
  keys: ReadonlyArray<number>,
  values: ReadonlyArray<number>,
  isExact: boolean
): boolean => {
  const isCut = (length: number | undefined, each: ReadonlyArray<number>, most: number) =>
    length === undefined ||
    each.length === 0 ||
    each.some((one) => length % (heads * one) === 0 && (!isExact || length <= most * heads * one))
  return (
    // a query may have a gate beside it
    isCut(query, keys, 2) &&
    isCut(output, values, 1) &&
    (fused === undefined || keys.some((key) => values.some((value) => fused === heads * key + kvHeads * (key + value))))
  )
}

const checkMatrices = (keys: Keys, layers: number, { isPart, shapes }: Tensors, facts: MemoryFacts): void => {
  const shape = (layer: number, name: string) => shapes.get(`blk.${layer}.${name}.weight`)
  const trunk = layers - (keys.count(".nextn_predict_layers") ?? 0)
  const ofKeys = lengthsOf(
    keys,
    headLength(keys, "key"),
    ".attention.key_length_swa",
    ".attention.key_length_mla",
    ".kda.head_dim"
  )
  const ofValues = lengthsOf(
    keys,
    headLength(keys, "value"),
    ".attention.value_length_swa",
    ".attention.value_length_mla",
    ".kda.head_dim"
  )
  const heads = keys.perLayer(".attention.head_count")
  const kvHeads = keys.perLayer(".attention.head_count_kv") ?? heads
  const isCompressed = keys.has(".attention.key_length_mla")
  for (let layer = 0; layer < trunk; layer++) {
    const [all, kv] = [heads?.(layer) ?? 0, kvHeads?.(layer) ?? 0]
    if (all === 0) continue
    const [query, fused, output, compressed] = [
      shape(layer, "attn_q")?.[1],
      // layers with a state have a matrix of other measures under the same name
      facts.stateBytes > 0 ? undefined : shape(layer, "attn_qkv")?.[1],
      shape(layer, "attn_output")?.[0],
      shape(layer, "attn_kv_a_mqa")?.[1]
    ]
    const isThere =
      isPart ||
      facts.stateBytes > 0 ||
      kv === 0 ||
      [query, fused, shape(layer, "attn_q_a")].some((each) => each !== undefined)
    refuseUnless(isThere, `its layer ${layer} has no attention (blk.${layer}.attn_q.weight is missing)`)
    // all heads share what compressed attention keeps: with more, llama.cpp ends as soon as two slots are asked for
    const isKept = compressed === undefined || !isCompressed || (facts.headLengths.includes(compressed) && kv === 1)
    refuseUnless(
      isKept && isEven({ query, fused, output }, all, kv, ofKeys, ofValues, alike.has(keys.architecture)),
      `its header says that it has ${all} heads, and its tensors are not made for them`
    )
  }
}

/** Layers that use the cache of earlier ones look for it in the last two that have one: with a window, and without. */
const checkShared = (keys: Keys, layers: number): void => {
  const shared = keys.count(".attention.shared_kv_layers") ?? 0
  if (shared === 0) return
  const own = layers - shared
  const pattern = keys.isList(".attention.sliding_window_pattern")
    ? keys.perLayer(".attention.sliding_window_pattern")
    : undefined
  const isFound = pattern === undefined || (pattern(own - 2) !== 0 && pattern(own - 1) === 0)
  refuseUnless(own >= 2 && isFound, `its header says that ${shared} of ${layers} layers share the caches of others`)
}

const checkTokenizer = (keys: Keys): void => {
  const tokenizer = keys.text("tokenizer.ggml.model")
  refuseUnless(tokenizer !== "" && tokenizer !== "no_vocab" && tokenizer !== "none", "it has no tokenizer")
  refuseUnless(keys.length("tokenizer.ggml.tokens") > 0, "it has no vocabulary")
}

export const checkModel = (keys: Keys, tensors: Tensors, facts: MemoryFacts): void => {
  const layers = keys.count(".block_count", layersMax) ?? 1
  refuseUnless(layers > 0, "its header says that it has no layers")
  refuseUnless(
    (keys.count(".nextn_predict_layers") ?? 0) <= layers,
    "its header says that it has more layers than it has"
  )
  refuseUnless(keys.count(".context_length") !== 0, "its header says that it was trained on 0 tokens at once")
  refuseUnless(keys.count(".embedding_length") !== 0, "its header says that its embeddings have no length")
  checkExperts(keys)
  checkNorms(keys)
  checkHeads(keys, layers, facts.headLengths)
  checkMatrices(keys, layers, tensors, facts)
  checkStates(keys, layers, tensors)
  checkShared(keys, layers)
  checkTokenizer(keys)
  const embeddings = tensors.shapes.get("token_embd.weight")?.[0]
  refuseUnless(embeddings !== undefined || tensors.isPart, "it has no embeddings (token_embd.weight is missing)")
  const width = keys.count(".embedding_length")
  refuseUnless(
    embeddings === undefined || width === undefined || embeddings === width,
    `its header says that its embeddings have ${width} elements, its tensors say ${embeddings}`
  )
}
