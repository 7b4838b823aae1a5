/**
 * Reads the header of a GGUF file: whether it is a whole model, and the facts that capacity and catalog need. Pure, and
 * bounded against crafted files: counts, lengths and nesting have limits, and the caller decides how much it reads.
 */
import { checkModel, layersMax } from "./check.ts"
import { Cursor, headerBytesMax, Invalid, NeedMore } from "./cursor.ts"
import { type Keys, readKeys } from "./keys.ts"
import { notGguf, otherKind } from "./kind.ts"
import { type Measures, measuresOf, type Pairing, pairingOf } from "./measures.ts"
import { type MemoryFacts, memoryFacts } from "./memory.ts"
import { readTensors } from "./tensors.ts"
import { fileTypes } from "./types.ts"

export interface ModelFacts extends MemoryFacts {
  readonly fileBytes: number
  readonly architecture: string
  readonly parameters: number
  /** tokens */
  readonly trainedContext: number
  /** "Q8_0", "F16", …; "unknown" for a type that this version does not know */
  readonly quantization: string
  readonly embedding: number
  /** elements of the hidden layer that a token passes; of all experts together that work on it */
  readonly feedForward: number
  readonly heads: number
  readonly layers: number
  readonly vocabulary: number
  /** bytes of text that one token stands for at most; undefined: there is no such number, or it is not known */
  readonly tokenBytes?: number | undefined
  /** it says how a chat is put to it */
  readonly template: boolean
  /** rules of a byte-pair tokenizer */
  readonly merges: number
  /** it writes nothing, and is for this; absent: it answers */
  readonly measures?: Measures
  /** what makes tokens of images for it, where it lies beside it and its worker can use it */
  readonly projector?: { readonly file: string; readonly bytes: number }
}

/** One file's header: of a whole model, or of a part of one. */
export interface Header {
  readonly facts: ModelFacts
  /** how a chat is put to it, in Jinja */
  readonly template?: string
  /** how a question and a text are put to it, where it ranks */
  readonly pairing?: Pairing
  /** ggml's numbers of the types of all tensors with two dimensions and more; of a split model those of this part */
  readonly matrices: ReadonlySet<number>
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
    const cursor = new Cursor(start)
    if (fileBytes < 4 || cursor.u32() !== 0x46554747) return { _tag: "Invalid", reason: notGguf(start) }
    return { _tag: "Model", ...parse(cursor, fileBytes) }
  } catch (error) {
    if (error instanceof Invalid) return { _tag: "Invalid", reason: error.message }
    if (!(error instanceof NeedMore)) throw error
    if (error.bytes > fileBytes) return { _tag: "Invalid", reason: "it is truncated: the file ends within its header" }
    if (error.bytes > headerBytesMax) return { _tag: "Invalid", reason: "its header is too large" }
    return { _tag: "NeedMore", bytes: Math.min(fileBytes, Math.max(error.bytes, start.length * 4)) }
  }
}

/** ggml wants a power of two, and maps a file whose tensors lie at multiples of 32 alone. */
const alignmentOf = (keys: Keys): number => {
  const alignment = keys.count("general.alignment") ?? 32
  if (alignment < 32 || (alignment & (alignment - 1)) !== 0) {
    throw new Invalid(
      `its header says that its tensors are aligned to ${alignment} bytes, which is no power of two from 32 on`
    )
  }
  return alignment
}

/** What follows the four letters of GGUF. */
const parse = (cursor: Cursor, fileBytes: number): Header => {
  const version = cursor.u32()
  if (version === 0x0300_0000 || version === 0x0200_0000)
    throw new Invalid("it is for machines of the other byte order")
  if (version !== 2 && version !== 3) throw new Invalid(`it is of GGUF version ${version}, known are 2 and 3`)
  const tensorCount = cursor.count()
  const keys = readKeys(cursor, cursor.count())
  const alignment = alignmentOf(keys)
  const split = splitOf(keys)
  const tensors = readTensors(cursor, tensorCount, alignment, split !== undefined)
  const measures = measuresOf(keys, tensors)
  const other = otherKind(keys, tensors, measures)
  if (other !== undefined) throw new Invalid(other)
  // what all parts have in common is said in the first alone, and which tensors are where is nobody's promise
  const isLater = split !== undefined && split.index > 0
  if (keys.architecture === "" && !isLater) throw new Invalid("its header names no architecture")
  if (tensorCount === 0 && split === undefined) throw new Invalid("it holds a vocabulary only, no weights")
  const facts = {
    ...factsOf(keys, tensors.elements, tensorCount, fileBytes),
    ...(measures === undefined ? {} : { measures })
  }
  if (!isLater) checkModel(keys, tensors, facts)
  const end = Math.ceil(cursor.at / alignment) * alignment + tensors.extent
  if (end > fileBytes) throw new Invalid(`it is truncated: its tensors need ${end} bytes, the file has ${fileBytes}`)
  const template = keys.text("tokenizer.chat_template")
  return {
    facts,
    matrices: tensors.matrices,
    ...(template === "" ? {} : { template }),
    ...(measures?.purpose === "reranking" ? { pairing: pairingOf(keys) } : {}),
    ...(split === undefined ? {} : { split })
  }
}

const splitOf = (keys: Keys): Header["split"] => {
  const count = keys.count("split.count") ?? 0
  return count < 2 ? undefined : { index: keys.count("split.no") ?? 0, count }
}

const factsOf = (keys: Keys, parameters: number, tensors: number, fileBytes: number): ModelFacts => {
  const layers = keys.count(".block_count", layersMax) ?? 1
  const embedding = keys.count(".embedding_length") ?? 0
  const inner = keys.largest(".feed_forward_length")
  return {
    fileBytes,
    architecture: keys.architecture,
    parameters,
    trainedContext: keys.count(".context_length") ?? 2048,
    quantization: fileTypes[keys.count("general.file_type") ?? -1] ?? "unknown",
    ...memoryFacts(keys, layers, tensors),
    embedding,
    feedForward: Math.max(
      inner ?? embedding * 4,
      (keys.largest(".expert_used_count") ?? 1) * (keys.largest(".expert_feed_forward_length") ?? inner ?? 0)
    ),
    heads: keys.largest(".attention.head_count") ?? 1,
    layers,
    vocabulary: keys.length("tokenizer.ggml.tokens") || (keys.count(".vocab_size") ?? 0),
    tokenBytes: tokenBytesOf(keys),
    merges: keys.length("tokenizer.ggml.merges"),
    template: keys.text("tokenizer.chat_template") !== ""
  }
}

/** Whose tokens spell what they stand for, in no fewer bytes. To the others an unknown word is one token, however long. */
const spelling = new Set(["gpt2", "llama", "gemma4", "plamo2", "rwkv"])

const tokenBytesOf = (keys: Keys): number | undefined => {
  const longest = keys.longest("tokenizer.ggml.tokens")
  return longest > 0 && spelling.has(keys.text("tokenizer.ggml.model")) ? longest : undefined
}
