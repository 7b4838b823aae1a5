/**
 * Reads the header of a GGUF file: whether it is a whole model, and the facts that capacity and catalog need. Pure, and
 * bounded against crafted files: counts, lengths and nesting have limits, and the caller decides how much it reads.
 */
import { Cursor, headerBytesMax, Invalid, NeedMore, type Value } from "./gguf-cursor.ts"
import { blocks, fileTypes } from "./gguf-types.ts"

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
  /** elements of K, and of V, of one head */
  readonly keyLength: number
  readonly valueLength: number
  readonly embedding: number
  /** elements of the hidden layer that a token passes; of all experts together that work on it */
  readonly feedForward: number
  readonly heads: number
  readonly layers: number
  readonly vocabulary: number
  /** it says how a chat is put to it */
  readonly template: boolean
  /** rules of a byte-pair tokenizer */
  readonly merges: number
}

/** One file's header: of a whole model, or of a part of one. */
export interface Header {
  readonly facts: ModelFacts
  readonly split?: { readonly index: number; readonly count: number }
}

export type GgufResult =
  | ({ readonly _tag: "Model" } & Header)
  /** the header goes on: call again with at least this many bytes of the file's beginning */
  | { readonly _tag: "NeedMore"; readonly bytes: number }
  | { readonly _tag: "Invalid"; readonly reason: string }

/** `start` is the file's beginning, as much as was read; `fileBytes` the size of the whole file. */
export const readGguf = (start: Uint8Array, fileBytes: number): GgufResult => {
  try {
    return { _tag: "Model", ...parse(new Cursor(start), fileBytes) }
  } catch (error) {
    if (error instanceof Invalid) return { _tag: "Invalid", reason: error.message }
    if (!(error instanceof NeedMore)) throw error
    if (error.bytes > fileBytes) return { _tag: "Invalid", reason: "it is truncated: the file ends within its header" }
    if (error.bytes > headerBytesMax) return { _tag: "Invalid", reason: "its header is too large" }
    return { _tag: "NeedMore", bytes: Math.min(fileBytes, Math.max(error.bytes, start.length * 4)) }
  }
}

const parse = (cursor: Cursor, fileBytes: number): Header => {
  if (fileBytes < 4 || cursor.u32() !== 0x46554747) throw new Invalid("it is not a GGUF file")
  const version = cursor.u32()
  if (version !== 2 && version !== 3) throw new Invalid(`it is of GGUF version ${version}, known are 2 and 3`)
  const tensorCount = cursor.count()
  const entries = cursor.count()
  const meta = new Map<string, Value>()
  for (let i = 0; i < entries; i++) meta.set(cursor.string(), cursor.value(cursor.u32()))
  const text = (key: string): string => asText(meta.get(key))
  const architecture = text("general.architecture")
  const split = splitOf(meta)
  // what all parts have in common is said in the first alone, and which tensors are where is nobody's promise
  const isLater = split !== undefined && split.index > 0
  if (architecture === "" && !isLater) throw new Invalid("its header names no architecture")
  if (tensorCount === 0 && split === undefined) throw new Invalid("it holds a vocabulary only, no weights")
  const tensors = readTensors(cursor, tensorCount)
  const alignment = asNumber(meta.get("general.alignment")) ?? 32
  const end = Math.ceil(cursor.at / alignment) * alignment + tensors.extent
  if (end > fileBytes) throw new Invalid(`it is truncated: its tensors need ${end} bytes, the file has ${fileBytes}`)
  const facts = factsOf(architecture, meta, tensors.elements, fileBytes)
  return split === undefined ? { facts } : { facts, split }
}

const splitOf = (meta: ReadonlyMap<string, Value>): Header["split"] => {
  const count = asNumber(meta.get("split.count")) ?? 0
  return count < 2 ? undefined : { index: asNumber(meta.get("split.no")) ?? 0, count }
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
  const lengthOf = (key: string) => lengthIn(meta.get(`tokenizer.ggml.${key}`))
  const layers = number("block_count", 1)
  const embedding = number("embedding_length", 0)
  const headsOf = of("attention.head_count")
  const heads = maxOf(headsOf) ?? 1
  const headDim = Math.floor(embedding / Math.max(1, heads))
  const keyLength = number("attention.key_length", headDim)
  const valueLength = number("attention.value_length", headDim)
  const kvHeads = of("attention.head_count_kv") ?? headsOf
  return {
    fileBytes,
    architecture,
    parameters,
    trainedContext: number("context_length", 2048),
    quantization: fileTypes[asNumber(meta.get("general.file_type")) ?? -1] ?? "unknown",
    kvElementsPerToken: (keyLength + valueLength) * (sumOf(kvHeads) ?? layers * (asNumber(kvHeads) ?? heads)),
    keyLength,
    valueLength,
    embedding,
    feedForward: Math.max(
      maxOf(of("feed_forward_length")) ?? embedding * 4,
      number("expert_used_count", 1) * number("expert_feed_forward_length", maxOf(of("feed_forward_length")) ?? 0)
    ),
    heads,
    layers,
    vocabulary: number("vocab_size", lengthOf("tokens")),
    merges: lengthOf("merges"),
    template: asText(meta.get("tokenizer.chat_template")) !== ""
  }
}

const asText = (value: Value | undefined): string => (typeof value === "string" ? value : "")
const asNumber = (value: Value | undefined): number | undefined => (typeof value === "number" ? value : undefined)
const lengthIn = (value: Value | undefined): number => (typeof value === "object" ? value.length : 0)
const sumOf = (value: Value | undefined): number | undefined =>
  typeof value === "object" ? value.numbers.reduce((sum, n) => sum + n, 0) : undefined
const maxOf = (value: Value | undefined): number | undefined =>
  typeof value === "object" ? value.numbers.reduce((max, n) => Math.max(max, n), 0) : asNumber(value)
