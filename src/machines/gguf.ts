/**
 * Reads the header of a GGUF file: whether it is a whole model, and the facts that capacity and catalog need. Pure, and
 * bounded against crafted files: counts, lengths and nesting have limits, and the caller decides how much it reads.
 */

export interface ModelFacts {
  readonly fileBytes: number
  readonly architecture: string
  readonly parameters: number
  /** tokens */
  readonly trainedContext: number
  /** "Q8_0", "F16", …; "unknown" for a type that this version does not know */
  readonly quantization: string
  /** elements of K and V together that one token takes, over all layers */
  readonly kvElementsPerToken: number
  readonly embedding: number
  readonly feedForward: number
  readonly heads: number
  readonly layers: number
  readonly vocabulary: number
}

export type GgufResult =
  | { readonly _tag: "Model"; readonly facts: ModelFacts }
  /** the header goes on: call again with at least this many bytes of the file's beginning */
  | { readonly _tag: "NeedMore"; readonly bytes: number }
  | { readonly _tag: "Invalid"; readonly reason: string }

/** A header with a vocabulary of 256 k long tokens is about 20 MB. */
export const headerBytesMax = 64 * 1024 * 1024
const countMax = 1_000_000
const fileTypes: Readonly<Record<number, string>> = {
  0: "F32",
  1: "F16",
  2: "Q4_0",
  3: "Q4_1",
  7: "Q8_0",
  8: "Q5_0",
  9: "Q5_1",
  10: "Q2_K",
  11: "Q3_K_S",
  12: "Q3_K_M",
  13: "Q3_K_L",
  14: "Q4_K_S",
  15: "Q4_K_M",
  16: "Q5_K_S",
  17: "Q5_K_M",
  18: "Q6_K",
  19: "IQ2_XXS",
  20: "IQ2_XS",
  21: "Q2_K_S",
  22: "IQ3_XS",
  23: "IQ3_XXS",
  24: "IQ1_S",
  25: "IQ4_NL",
  26: "IQ3_S",
  27: "IQ3_M",
  28: "IQ2_S",
  29: "IQ2_M",
  30: "IQ4_XS",
  31: "IQ1_M",
  32: "BF16",
  36: "TQ1_0",
  37: "TQ2_0",
  38: "MXFP4"
}
/** ggml type → [elements, bytes] of a block, for the extents of tensors. */
const blocks: Readonly<Record<number, readonly [elements: number, bytes: number]>> = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  9: [32, 36],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
  15: [256, 292],
  16: [256, 66],
  17: [256, 74],
  18: [256, 98],
  19: [256, 50],
  20: [32, 18],
  21: [256, 110],
  22: [256, 82],
  23: [256, 136],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  29: [256, 56],
  30: [1, 2],
  34: [256, 54],
  35: [256, 66],
  39: [32, 17]
}

class NeedMore extends Error {
  readonly bytes: number
  constructor(bytes: number) {
    super()
    this.bytes = bytes
  }
}
class Invalid extends Error {}

type Value = number | string | boolean | { readonly length: number; readonly numbers: ReadonlyArray<number> }

class Cursor {
  at = 0
  private readonly view: DataView
  private readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  private take(size: number): number {
    const from = this.at
    if (from + size > this.bytes.length) throw new NeedMore(from + size)
    this.at += size
    return from
  }
  skip = (size: number): void => void this.take(size)
  u8 = () => this.view.getUint8(this.take(1))
  u32 = () => this.view.getUint32(this.take(4), true)
  u64 = (): number => {
    const value = this.view.getBigUint64(this.take(8), true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Invalid("a length in its header is out of range")
    return Number(value)
  }
  count = (): number => {
    const value = this.u64()
    if (value > countMax) throw new Invalid("a count in its header is out of range")
    return value
  }
  string = (): string => {
    const size = this.u64()
    if (size > headerBytesMax) throw new Invalid("a text in its header is too long")
    const from = this.take(size)
    return new TextDecoder().decode(this.bytes.subarray(from, from + size))
  }
  value(type: number, depth = 0): Value {
    switch (type) {
      case 0:
        return this.u8()
      case 1:
        return this.view.getInt8(this.take(1))
      case 2:
        return this.view.getUint16(this.take(2), true)
      case 3:
        return this.view.getInt16(this.take(2), true)
      case 4:
        return this.u32()
      case 5:
        return this.view.getInt32(this.take(4), true)
      case 6:
        return this.view.getFloat32(this.take(4), true)
      case 7:
        return this.u8() !== 0
      case 8:
        return this.string()
      case 9:
        return this.array(depth)
      case 10:
        return this.u64()
      case 11:
        return Number(this.view.getBigInt64(this.take(8), true))
      case 12:
        return this.view.getFloat64(this.take(8), true)
      default:
        throw new Invalid(`its header has a value of unknown type ${type}`)
    }
  }
  /** Short arrays of numbers are kept (per-layer head counts), the rest is only counted. */
  private array(depth: number): Value {
    if (depth > 2) throw new Invalid("its header nests too deep")
    const type = this.u32()
    const length = this.count()
    const numbers: Array<number> = []
    for (let i = 0; i < length; i++) {
      const item = type === 8 ? this.skip(this.u64()) : this.value(type, depth + 1)
      if (length <= 4096 && typeof item === "number") numbers.push(item)
    }
    return { length, numbers }
  }
}

/** `start` is the file's beginning, as much as was read; `fileBytes` the size of the whole file. */
export const readGguf = (start: Uint8Array, fileBytes: number): GgufResult => {
  try {
    return { _tag: "Model", facts: parse(new Cursor(start), fileBytes) }
  } catch (error) {
    if (error instanceof Invalid) return { _tag: "Invalid", reason: error.message }
    if (!(error instanceof NeedMore)) throw error
    if (error.bytes > fileBytes) return { _tag: "Invalid", reason: "it is truncated: the file ends within its header" }
    if (error.bytes > headerBytesMax) return { _tag: "Invalid", reason: "its header is too large" }
    return { _tag: "NeedMore", bytes: Math.min(fileBytes, Math.max(error.bytes, start.length * 4)) }
  }
}

const parse = (cursor: Cursor, fileBytes: number): ModelFacts => {
  if (fileBytes < 4 || cursor.u32() !== 0x46554747) throw new Invalid("it is not a GGUF file")
  const version = cursor.u32()
  if (version !== 2 && version !== 3) throw new Invalid(`it is of GGUF version ${version}, known are 2 and 3`)
  const tensorCount = cursor.count()
  const entries = cursor.count()
  const meta = new Map<string, Value>()
  for (let i = 0; i < entries; i++) meta.set(cursor.string(), cursor.value(cursor.u32()))
  const text = (key: string): string => asText(meta.get(key))
  const architecture = text("general.architecture")
  if (architecture === "") throw new Invalid("its header names no architecture")
  if (tensorCount === 0) throw new Invalid("it holds a vocabulary only, no weights")
  const tensors = readTensors(cursor, tensorCount)
  const alignment = asNumber(meta.get("general.alignment")) ?? 32
  const end = Math.ceil(cursor.at / alignment) * alignment + tensors.extent
  if (end > fileBytes) throw new Invalid(`it is truncated: its tensors need ${end} bytes, the file has ${fileBytes}`)
  return factsOf(architecture, meta, tensors.elements, fileBytes)
}

const readTensors = (cursor: Cursor, count: number) => {
  let elements = 0
  let extent = 0
  for (let i = 0; i < count; i++) {
    cursor.string()
    const rank = cursor.u32()
    if (rank > 8) throw new Invalid("a tensor has too many dimensions")
    let size = 1
    for (let d = 0; d < rank; d++) size *= cursor.u64()
    const [perBlock, bytes] = blocks[cursor.u32()] ?? [1, 0]
    elements += size
    extent = Math.max(extent, cursor.u64() + Math.ceil(size / perBlock) * bytes)
  }
  if (!Number.isSafeInteger(elements) || !Number.isSafeInteger(extent))
    throw new Invalid("its tensors are out of range")
  return { elements, extent }
}

const factsOf = (
  architecture: string,
  meta: ReadonlyMap<string, Value>,
  parameters: number,
  fileBytes: number
): ModelFacts => {
  const of = (key: string) => meta.get(`${architecture}.${key}`)
  const number = (key: string, otherwise: number) => asNumber(of(key)) ?? otherwise
  const tokens = meta.get("tokenizer.ggml.tokens")
  const layers = number("block_count", 1)
  const embedding = number("embedding_length", 0)
  const headsOf = of("attention.head_count")
  const heads = maxOf(headsOf) ?? 1
  const headDim = Math.floor(embedding / Math.max(1, heads))
  const perHead = number("attention.key_length", headDim) + number("attention.value_length", headDim)
  const kvHeads = of("attention.head_count_kv") ?? headsOf
  return {
    fileBytes,
    architecture,
    parameters,
    trainedContext: number("context_length", 2048),
    quantization: fileTypes[asNumber(meta.get("general.file_type")) ?? -1] ?? "unknown",
    kvElementsPerToken: perHead * (sumOf(kvHeads) ?? layers * (asNumber(kvHeads) ?? heads)),
    embedding,
    feedForward: maxOf(of("feed_forward_length")) ?? embedding * 4,
    heads,
    layers,
    vocabulary: number("vocab_size", typeof tokens === "object" ? tokens.length : 0)
  }
}

const asText = (value: Value | undefined): string => (typeof value === "string" ? value : "")
const asNumber = (value: Value | undefined): number | undefined => (typeof value === "number" ? value : undefined)
const sumOf = (value: Value | undefined): number | undefined =>
  typeof value === "object" ? value.numbers.reduce((sum, n) => sum + n, 0) : undefined
const maxOf = (value: Value | undefined): number | undefined =>
  typeof value === "object" ? value.numbers.reduce((max, n) => Math.max(max, n), 0) : asNumber(value)
