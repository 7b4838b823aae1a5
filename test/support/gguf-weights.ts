/** Random weights, fast: a hundred million of them take well under a second. */
import { blockOf, bytesOf, elementsOf, padded, type Tensor } from "./gguf-container.ts"
import { FIRST_BYTE, type Token } from "./gguf-format.ts"

/** xorshift32: quick, and good enough for weights that mean nothing */
const random = (seed: number): (() => number) => {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/** half precision; |value| at most 65504 */
const half = (value: number): number => {
  if (value === 0) return 0
  const sign = value < 0 ? 0x8000 : 0
  const exponent = Math.floor(Math.log2(Math.abs(value)))
  if (exponent < -14) return sign | Math.round(Math.abs(value) * 2 ** 24)
  const mantissa = Math.round((Math.abs(value) / 2 ** exponent - 1) * 1024)
  return sign | (((exponent + 15) << 10) + mantissa)
}

/** the upper half of a number in single precision */
const upperHalf = (value: number): number => new Uint16Array(Float32Array.of(value).buffer)[1] ?? 0

/** largest weight of a matrix with `columns` inputs: keeps the sums near one whatever the width */
const scaleOf = (columns: number): number => Math.sqrt(3 / columns)

/**
 * The largest multiple of a block's scale that a weight can be, and where in the block its scale stands, in half
 * precision; then the scale of what each part of the block lies above, where there is one.
 */
const scales = {
  q8_0: [127, 0, undefined],
  q4_0: [8, 0, undefined],
  q2_k: [3 * 15, 80, 82],
  q3_k: [4 * 32, 108, undefined],
  q4_k: [15 * 63, 0, 2],
  q5_k: [31 * 63, 0, 2],
  q6_k: [32 * 128, 208, undefined],
  iq4_xs: [127 * 32, 0, undefined]
} as const

const fill = (tensor: Tensor, bytes: Buffer, next: () => number): void => {
  const scale = scaleOf(tensor.shape[0])
  const elements = elementsOf(tensor)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (tensor.type === "f32") {
    for (let i = 0; i < elements; i++) view.setFloat32(i * 4, (next() / 0x8000_0000 - 1) * scale, true)
  } else if (tensor.type === "f16") {
    const table = Uint16Array.from({ length: 4096 }, (_, i) => half(((i + 0.5) / 2048 - 1) * scale))
    for (let i = 0; i < elements; i++) view.setUint16(i * 2, table[next() >>> 20] ?? 0, true)
  } else if (tensor.type === "bf16") {
    const table = Uint16Array.from({ length: 4096 }, (_, i) => upperHalf(((i + 0.5) / 2048 - 1) * scale))
    for (let i = 0; i < elements; i++) view.setUint16(i * 2, table[next() >>> 20] ?? 0, true)
  } else {
    const [perBlock, size] = blockOf(tensor.type)
    const [most, scaleAt, minAt] = scales[tensor.type]
    const step = half(scale / most)
    for (let at = 0; at + 4 <= bytes.length; at += 4) view.setUint32(at, next(), true)
    for (let at = 0; at < (elements / perBlock) * size; at += size) {
      view.setUint16(at + scaleAt, step, true)
      if (minAt !== undefined) view.setUint16(at + minAt, 0, true)
    }
  }
}

/**
 * What a vector is filled with: a norm with ones, a bias with little, the decay of a state with what makes it fade. What
 * a layer adds is made larger than what it was given, or a model whose output is its embeddings would repeat one word.
 */
const constantOf = (name: string): number => {
  if (name.endsWith(".bias")) return 0.01
  if (name.endsWith("ssm_a")) return -0.5
  return /\.post_(attention|ffw)_norm/.test(name) ? 4 : 1
}

const isVector = ({ name, shape }: Tensor): boolean => shape.length === 1 || /norm|ssm_[ad]$/.test(name)

/** The bytes of one tensor, padded. */
export const fillTensor = (
  { seed }: { readonly seed: number },
  vocabulary: ReadonlyArray<Token>,
  tensor: Tensor,
  index: number
): Buffer => {
  const size = bytesOf(tensor)
  const bytes = Buffer.alloc(padded(size))
  if (isVector(tensor)) {
    const constant = constantOf(tensor.name)
    for (let i = 0; i < elementsOf(tensor); i++) bytes.writeFloatLE(constant, i * 4)
    return bytes
  }
  fill(tensor, bytes, random(seed * 1_000_003 + index))
  if (tensor.name === "output.weight") {
    // Control tokens and single bytes get no weight, so that greedy answers are words and do not end by themselves.
    const rows = tensor.shape[1] ?? 1
    const row = size / rows
    for (const [token, { type }] of vocabulary.slice(0, rows).entries()) {
      if (type !== 1 || token < FIRST_BYTE + 256) bytes.fill(0, token * row, (token + 1) * row)
    }
  }
  return bytes
}
