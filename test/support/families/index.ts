/**
 * Model families with random weights: for each architecture a real GGUF file that the real llama.cpp loads. What they
 * say is nonsense, always the same for a seed; how they compute, and what memory they take, is as in those that people
 * use. `familyModel("qwen3next")` makes the smallest; give a size for other measures.
 */
import { createHash } from "node:crypto"
import { open } from "node:fs/promises"
import { cached } from "../gguf.ts"
import { bytesOf, container, type Entries, general, padded, type Tensor } from "../gguf-container.ts"
import { tokenizerOf, type Shape, type Token, vocabularyOf } from "../gguf-format.ts"
import { fillTensor } from "../gguf-weights.ts"
import { withAttention } from "./attention.ts"
import type { Family, Size } from "./blocks.ts"
import { withState } from "./recurrent.ts"

export type { Family, Size } from "./blocks.ts"

/** Changes when the weights of a given header change. */
const GENERATOR = 1

export const families: ReadonlyMap<string, Family> = new Map(
  [...withAttention, ...withState].map((family) => [family.architecture, family])
)
/** Their layers carry a state from token to token: it cannot be cut, only kept and taken up again. */
export const recurrentFamilies: ReadonlySet<string> = new Set(withState.map(({ architecture }) => architecture))

export const TINY: Size = {
  layers: 2,
  width: 64,
  heads: 2,
  kvHeads: 1,
  headLength: 32,
  feedForward: 128,
  experts: 4,
  expertsUsed: 2,
  expertFeedForward: 64,
  state: 32,
  inner: 128,
  groups: 2,
  stateHeads: 4,
  interval: 4,
  window: 512,
  rank: 32,
  vocabulary: 320,
  context: 1024,
  type: "q8_0"
}

export interface FamilyModel extends Partial<Size> {
  readonly seed?: number
  readonly chat?: Shape["chat"]
  readonly tokenizer?: Shape["tokenizer"]
}

export interface FamilyFile {
  readonly metadata: Entries
  readonly tensors: ReadonlyArray<Tensor>
  readonly vocabulary: ReadonlyArray<Token>
}

/** What a file of this family says, before any weights: for tests that change something of it. */
export const familyFile = (architecture: string, model: FamilyModel = {}): FamilyFile => {
  const family = families.get(architecture)
  if (family === undefined) throw new Error(`there is no family ${architecture}`)
  const { chat = true, tokenizer = "spm" } = model
  const size = { ...TINY, ...family.size, ...model }
  const vocabulary = vocabularyOf({ tokenizer, vocabulary: size.vocabulary })
  const metadata: Entries = [
    ...general(architecture, size.type),
    ...family.entries(size).map(([name, value]) => [`${architecture}.${name}`, value] as const),
    ...tokenizerOf({ chat, tokenizer, spacePrefix: false }, vocabulary)
  ]
  return { metadata, tensors: family.tensors(size), vocabulary }
}

/** Its header, and the size that the whole file would have: for readers that never come to the weights. */
export const familyHeader = ({ metadata, tensors }: Omit<FamilyFile, "vocabulary">) => {
  const bytes = container(metadata, tensors)
  return { bytes, fileBytes: tensors.reduce((sum, tensor) => sum + padded(bytesOf(tensor)), bytes.length) }
}

export const writeFamily = async (path: string, { metadata, tensors, vocabulary }: FamilyFile, seed = 1) => {
  const file = await open(path, "w")
  try {
    await file.write(container(metadata, tensors))
    for (const [index, tensor] of tensors.entries()) await file.write(fillTensor({ seed }, vocabulary, tensor, index))
  } finally {
    await file.close()
  }
}

/** The path of such a model; its name is a hash of all that it says. */
export const familyModel = (architecture: string, model: FamilyModel = {}): Promise<string> => {
  const file = familyFile(architecture, model)
  const hash = createHash("sha256")
    .update(`${GENERATOR} ${model.seed ?? 1}`)
    .update(container(file.metadata, file.tensors))
    .digest("hex")
  return cached(`family-${architecture}-${hash.slice(0, 16)}.gguf`, (path) => writeFamily(path, file, model.seed))
}
